#include "blob/file/file_blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>

#include "base/file.h"
#include "base/id.h"
#include "base/seam.h"

namespace hansard::blob {
namespace {

namespace fs = std::filesystem;

// Writes in progress lie here, so that nothing half-written is ever under a blob's name.
constexpr const char* kUnfinished = ".unfinished";

// Makes the folders on the way to a blob, each synced into the one above.
Result<void> make_folders(const fs::path& root, const fs::path& folder) {
  if (folder == root || fs::is_directory(folder)) return {};
  TRY(make_folders(root, folder.parent_path()));
  TRY(make_private_folder(folder));
  return sync_folder(folder.parent_path());
}

class FileWriter : public Writer {
 public:
  FileWriter(fs::path root, fs::path temporary, std::string name, UniqueFd fd)
      : root_(std::move(root)),
        temporary_(std::move(temporary)),
        name_(std::move(name)),
        fd_(std::move(fd)) {}
  ~FileWriter() override {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  Result<void> append(std::string_view bytes) override {
    Result<void> written = write_all(fd_.get(), bytes);
    if (!written && written.error().code == ErrorCode::insufficient_storage) {
      return fail(ErrorCode::insufficient_storage, "the disk is full; make room in the data folder",
                  std::move(written).error().message);
    }
    TRY(std::move(written));
    written_ += static_cast<int64_t>(bytes.size());
    // The disk begins now with what commit() will wait for.
    constexpr int64_t kStep = 16 << 20;
    if (written_ - started_ >= kStep) {
      (void)::sync_file_range(fd_.get(), started_, written_ - started_, SYNC_FILE_RANGE_WRITE);
      started_ = written_;
    }
    seam("blob.after_write", name_);
    return {};
  }

  Result<void> commit() override {
    if (::fsync(fd_.get()) != 0) return fail(system_error("cannot sync the file", errno));
    seam("blob.after_sync", name_);
    const fs::path target = root_ / name_;
    TRY(make_folders(root_, target.parent_path()));
    if (::rename(temporary_.c_str(), target.c_str()) != 0) return fail(system_error("cannot rename", errno));
    temporary_.clear();
    seam("blob.after_rename", name_);
    return sync_folder(target.parent_path());
  }

 private:
  fs::path root_;
  fs::path temporary_;  // empty once it has its name
  std::string name_;
  UniqueFd fd_;
  int64_t written_ = 0;
  int64_t started_ = 0;  // what the disk was told to write
};

class FileBlobs : public Blobs {
 public:
  explicit FileBlobs(fs::path root) : root_(std::move(root)) {}

  Result<UniqueFd> open(std::string_view name) override {
    assert(is_blob_name(name));
    return open_for_read(root_ / name);
  }

  Result<void> list(std::string_view prefix, const std::function<void(const Found&)>& found) override {
    std::error_code error;
    fs::recursive_directory_iterator files(root_, error);
    for (const fs::recursive_directory_iterator end; !error && files != end; files.increment(error)) {
      if (files->path().filename() == kUnfinished) {
        files.disable_recursion_pending();
        continue;
      }
      struct stat status = {};
      if (::lstat(files->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      const std::string name = files->path().lexically_relative(root_).string();
      if (!name.starts_with(prefix) || !is_blob_name(name)) continue;
      found({name, static_cast<uint64_t>(status.st_size),
             static_cast<int64_t>(status.st_mtim.tv_sec) * 1000 + status.st_mtim.tv_nsec / 1'000'000});
    }
    if (error) return fail(system_error("cannot list the folder", error.value()));
    return {};
  }

 private:
  Result<std::unique_ptr<Writer>> begin(std::string_view name) override {
    assert(is_blob_name(name));
    const fs::path temporary = root_ / kUnfinished / random_hex(16);
    UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return fail(system_error("cannot create the file", errno));
    return std::make_unique<FileWriter>(root_, temporary, std::string(name), std::move(fd));
  }

  Result<void> erase(std::string_view name) override {
    assert(is_blob_name(name));
    if (::unlink((root_ / name).c_str()) != 0 && errno != ENOENT)
      return fail(system_error("cannot remove", errno));
    return {};
  }

  fs::path root_;
};

}  // namespace

Result<std::unique_ptr<Blobs>> open_file_blobs(const fs::path& folder) {
  TRY(make_private_folder(folder));
  std::error_code ignored;
  fs::remove_all(folder / kUnfinished, ignored);
  TRY(make_private_folder(folder / kUnfinished));
  return std::make_unique<FileBlobs>(folder);
}

}  // namespace hansard::blob
