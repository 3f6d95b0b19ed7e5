#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/id.h"
#include "base/seam.h"

namespace hansard {
namespace {

constexpr std::string_view kTemporaryPrefix = ".hansard-";
constexpr std::string_view kTemporarySuffix = ".tmp";

// A name of its own length, since `path` may have the longest there can be; by chance, since a process of the
// same number may have left one, or run on another machine that shares the folder.
std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  return path.parent_path() / fmt::format("{}{}{}", kTemporaryPrefix, random_hex(8), kTemporarySuffix);
}

// A new file that is locked while it is open, which tells it from one whose writer was killed.
Result<UniqueFd> create_locked(const std::filesystem::path& path, unsigned mode) {
  for (;;) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd) return fail(system_error("cannot create the file", errno));
    // Where there are no locks nobody takes it for abandoned either.
    if (::flock(fd.get(), LOCK_SH) != 0) return fd;
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0 || status.st_nlink > 0) return fd;
  }
}

}  // namespace

Result<UniqueFd> open_for_read(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error("cannot open the file", errno));
  return fd;
}

Result<std::string> read_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  UniqueFd fd = TRY(open_for_read(path));
  std::string bytes;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(system_error("cannot read the file", errno));
    if (n == 0) return bytes;
    if (bytes.size() + static_cast<size_t>(n) > limit_bytes) {
      return fail(ErrorCode::invalid_request, fmt::format("the file is larger than {} bytes", limit_bytes));
    }
    bytes.append(buffer, static_cast<size_t>(n));
  }
}

Result<void> read_at(int fd, uint64_t offset, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(system_error("cannot read", errno));
    if (n == 0) return fail(ErrorCode::internal, "a file ended too early");
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

Result<void> read_pieces(int fd, uint64_t size_bytes,
                         const std::function<Result<void>(std::string_view)>& take) {
  constexpr uint64_t kPieceBytes = 256 << 10;
  std::string buffer(std::min(size_bytes, kPieceBytes), '\0');
  for (uint64_t at = 0; at < size_bytes;) {
    const std::span piece(buffer.data(), std::min(size_bytes - at, kPieceBytes));
    TRY(read_at(fd, at, std::as_writable_bytes(piece)));
    TRY(take({piece.data(), piece.size()}));
    at += piece.size();
  }
  return {};
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(system_error("cannot write", errno));
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view bytes, Sync sync,
                                   unsigned mode) {
  const std::filesystem::path temporary = temporary_beside(path);
  const UniqueFd fd = TRY(create_locked(temporary, mode));
  const auto write_and_rename = [&]() -> Result<void> {
    TRY(write_all(fd.get(), bytes));
    seam("file.after_write");
    if (sync == Sync::yes && ::fsync(fd.get()) != 0) return fail(system_error("cannot sync the file", errno));
    seam("file.after_sync");
    if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(system_error("cannot rename", errno));
    seam("file.after_rename");
    if (sync == Sync::yes) TRY(sync_folder(path.parent_path()));
    return {};
  };
  Result<void> result = write_and_rename();
  if (!result) ::unlink(temporary.c_str());
  return result;
}

void remove_cut_off_writes(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator files(folder, error), end; !error && files != end;
       files.increment(error)) {
    const std::string name = files->path().filename();
    if (!name.starts_with(kTemporaryPrefix) || !name.ends_with(kTemporarySuffix)) continue;
    const UniqueFd fd(::open(files->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(files->path().c_str());
  }
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  UniqueFd fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail(system_error("cannot open the folder", errno));
  if (::fsync(fd.get()) != 0) return fail(system_error("cannot sync the folder", errno));
  return {};
}

Result<void> make_private_folder(const std::filesystem::path& path) {
  if (path.empty()) return {};
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno == EEXIST) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return {};
    return fail(ErrorCode::conflict, "there is a file where a folder is needed", path.string());
  }
  if (errno != ENOENT || !path.has_parent_path() || path.parent_path() == path) {
    return fail(system_error("cannot make the folder", errno));
  }
  TRY(make_private_folder(path.parent_path()));
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail(system_error("cannot make the folder", errno));
}

Result<UniqueFd> open_unnamed_file(const std::filesystem::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) {
    return fail(system_error("cannot make a temporary file", errno));
  }
  // A file system without unnamed files: make a named one and take its name away at once.
  std::string name = (folder / "spool.XXXXXX").string();
  fd.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) return fail(system_error("cannot make a temporary file", errno));
  ::unlink(name.c_str());
  return fd;
}

Result<uint64_t> free_bytes(const std::filesystem::path& folder) {
  struct statvfs status = {};
  if (::statvfs(folder.c_str(), &status) != 0) return fail(system_error("cannot measure the disk", errno));
  return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace hansard
