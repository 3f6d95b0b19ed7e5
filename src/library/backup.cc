#include "library/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "base/archive.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "library/files.h"
#include "store/migrations.h"

namespace hansard::library {
namespace {

namespace fs = std::filesystem;
using store::Reader;
using store::Statement;

constexpr const char* kFacts = "hansard-backup.json";
constexpr const char* kDatabase = "hansard.db";
constexpr const char* kSums = "SHA256SUMS";
constexpr std::string_view kBlobFolder = "blobs/";
constexpr uint64_t kFactsBytes = 64UL * 1024;

// A name beside its checksum, as sha256sum writes it. Names of blobs need no escapes.
std::string sum_line(std::string_view sha256, std::string_view name) {
  return fmt::format("{}  {}\n", sha256, name);
}

struct FileStatus {
  uint64_t size_bytes;
  int64_t modified_ms;
};

Result<FileStatus> status_of(int fd) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return fail(system_error("cannot look at the file", errno));
  return FileStatus{static_cast<uint64_t>(status.st_size),
                    static_cast<int64_t>(status.st_mtim.tv_sec) * 1000};
}

// ---- writing

class BackupWriter {
 public:
  BackupWriter(TarWriter tar, UniqueFd sums, const BackupProgress& progress)
      : tar_(std::move(tar)), sums_(std::move(sums)), progress_(progress) {}

  void expect(uint64_t all_bytes) { all_bytes_ = all_bytes; }

  Result<void> add(const std::string& name, int fd) {
    const FileStatus status = TRY(status_of(fd));
    TRY(tar_.add(name, status.size_bytes, status.modified_ms));
    Sha256 hash;
    TRY(read_pieces(fd, status.size_bytes, [&](std::string_view piece) { return append(hash, piece); }));
    return write_all(sums_.get(), sum_line(hash.finish(), name));
  }

  Result<void> add(const std::string& name, std::string_view bytes, int64_t modified_ms) {
    TRY(tar_.add(name, bytes.size(), modified_ms));
    Sha256 hash;
    TRY(append(hash, bytes));
    return write_all(sums_.get(), sum_line(hash.finish(), name));
  }

  Result<void> finish(int64_t now_ms) {
    const FileStatus status = TRY(status_of(sums_.get()));
    TRY(tar_.add(kSums, status.size_bytes, now_ms));
    TRY(read_pieces(sums_.get(), status.size_bytes,
                    [&](std::string_view piece) { return tar_.append(piece); }));
    return tar_.finish();
  }

  uint64_t written_bytes() const { return written_bytes_; }

 private:
  Result<void> append(Sha256& hash, std::string_view bytes) {
    TRY(tar_.append(bytes));
    hash.update(bytes);
    written_bytes_ += bytes.size();
    const double all = static_cast<double>(std::max(all_bytes_, written_bytes_));
    return progress_(all > 0 ? static_cast<double>(written_bytes_) / all : 0);
  }

  TarWriter tar_;
  UniqueFd sums_;
  const BackupProgress& progress_;
  uint64_t all_bytes_ = 0;
  uint64_t written_bytes_ = 0;
};

Result<uint64_t> recordings_bytes(Reader& reader) {
  static constexpr Statement kSum{"files.bytes", "SELECT SUM(size_bytes) FROM files WHERE blob IS NOT NULL"};
  const auto row = TRY(reader.row(kSum));
  return row ? static_cast<uint64_t>(row->integer_if(0).value_or(0)) : 0;
}

Result<void> check_room(int out_fd, uint64_t bytes) {
  struct statvfs status = {};
  if (::fstatvfs(out_fd, &status) != 0) return fail(system_error("cannot measure the disk", errno));
  const uint64_t room = static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
  if (bytes <= room) return {};
  return fail(ErrorCode::insufficient_storage,
              fmt::format("there is no room for the backup: it takes {:.0f} MB, and {:.0f} MB are free",
                          static_cast<double>(bytes) / 1e6, static_cast<double>(room) / 1e6));
}

Result<void> add_blobs(Reader& reader, blob::Blobs& blobs, BackupWriter& writer, BackupSummary& summary) {
  std::vector<std::string> names;
  do {
    names = TRY(named_blobs(reader, names.empty() ? "" : names.back()));
    for (const std::string& name : names) {
      const Result<UniqueFd> fd = blobs.open(name);
      if (!fd && fd.error().code == ErrorCode::not_found) {
        log::warning("{} is lost: the database names it, and it is not there", name);
        ++summary.missing;
        continue;
      }
      if (!fd) return fail(fd.error());
      TRY(writer.add(std::string(kBlobFolder) + name, fd->get()));
      ++summary.blobs;
    }
  } while (!names.empty());
  return {};
}

// ---- reading

tl::unexpected<Error> damaged(std::string_view detail) {
  return fail(ErrorCode::invalid_request, "the backup is damaged; take another one", std::string(detail));
}

tl::unexpected<Error> no_backup(std::string_view detail) {
  return fail(ErrorCode::invalid_request, "this is no backup that hansard backup made", std::string(detail));
}

class BackupReader {
 public:
  BackupReader(Archive archive, uint64_t file_bytes, blob::Blobs& blobs, const BackupProgress& progress)
      : archive_(std::move(archive)), file_bytes_(file_bytes), blobs_(blobs), progress_(progress) {}

  Result<BackupSummary> run(const fs::path& database) {
    TRY(read_facts());
    TRY(read_database(database));
    for (;;) {
      const Archive::Entry entry = TRY(next());
      if (entry.path == kSums) break;
      if (!entry.path.starts_with(kBlobFolder)) return damaged(entry.path);
      TRY(read_blob(entry.path, entry.path.substr(kBlobFolder.size())));
    }
    TRY(compare_sums());
    return summary_;
  }

 private:
  Result<void> read_facts() {
    const auto first = archive_.next();
    if (!first) return no_backup(first.error().detail);
    if (!*first || (*first)->path != kFacts || (*first)->size_bytes > kFactsBytes) return no_backup("");
    std::string text;
    TRY(take(kFacts, [&](std::string_view bytes) -> Result<void> {
      text += bytes;
      return {};
    }));
    const auto facts = json::parse_object(text);
    if (!facts) return no_backup(facts.error().message);
    const auto format = json::get_integer(*facts, "format");
    const auto schema = json::get_integer(*facts, "schema");
    const auto created_at = json::get_string(*facts, "created_at");
    if (!format || !schema || !created_at) return no_backup("");
    const int known = store::migrations().back().number;
    if (*format > kBackupFormat || *schema > known) {
      return fail(ErrorCode::conflict,
                  fmt::format("the backup is of a newer Hansard (format {}, schema {}; this program knows {} "
                              "and {}); install that version and restore with it",
                              *format, *schema, kBackupFormat, known));
    }
    summary_.created_at = *created_at;
    return {};
  }

  Result<void> read_database(const fs::path& path) {
    const Archive::Entry entry = TRY(next());
    if (entry.path != kDatabase) return damaged(entry.path);
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return fail(system_error("cannot create the database", errno));
    TRY(take(kDatabase, [&](std::string_view bytes) { return write_all(fd.get(), bytes); }));
    if (::fsync(fd.get()) != 0) return fail(system_error("cannot write the database", errno));
    return sync_folder(path.parent_path());
  }

  Result<void> read_blob(const std::string& path, const std::string& name) {
    if (!blob::is_blob_name(name)) return damaged(path);
    const auto writer = TRY(blobs_.create(name));
    TRY(take(path, [&](std::string_view bytes) { return writer->append(bytes); }));
    TRY(writer->commit());
    ++summary_.blobs;
    return {};
  }

  // The same names with the same checksums in the same order are the same text.
  Result<void> compare_sums() {
    Sha256 written;
    TRY(unpacked(archive_.read([&](std::string_view bytes) -> Result<void> {
      written.update(bytes);
      return {};
    })));
    if (written.finish() != sums_.finish()) return damaged("the checksums differ");
    return {};
  }

  Result<Archive::Entry> next() {
    auto entry = TRY(unpacked(archive_.next()));
    if (entry) return std::move(*entry);
    return fail(ErrorCode::invalid_request, "the backup is incomplete: it breaks off; take another one");
  }

  Result<void> take(const std::string& path, const std::function<Result<void>(std::string_view)>& sink) {
    Sha256 hash;
    TRY(unpacked(archive_.read([&](std::string_view bytes) -> Result<void> {
      TRY(sink(bytes));
      hash.update(bytes);
      summary_.size_bytes += bytes.size();
      return progress_(std::min(1.0, static_cast<double>(summary_.size_bytes) /
                                         static_cast<double>(std::max<uint64_t>(file_bytes_, 1))));
    })));
    sums_.update(sum_line(hash.finish(), path));
    return {};
  }

  // What the archive's reader says is wrong is said of the backup.
  template <typename T>
  static Result<T> unpacked(Result<T> result) {
    if (!result && result.error().code == ErrorCode::invalid_request)
      return damaged(result.error().message + ": " + result.error().detail);
    return result;
  }

  Archive archive_;
  uint64_t file_bytes_;
  blob::Blobs& blobs_;
  const BackupProgress& progress_;
  BackupSummary summary_;
  Sha256 sums_;  // of the text that SHA256SUMS must be
};

}  // namespace

Result<BackupSummary> write_backup(store::Store& store, blob::Blobs& blobs, const fs::path& workspace,
                                   int out_fd, const BackupProgress& progress) {
  const fs::path copy = workspace / fmt::format("backup-{}.db", random_hex(8));
  const std::unique_ptr<const fs::path, void (*)(const fs::path*)> remover(&copy, [](const fs::path* path) {
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(path->string() + suffix, ignored);
  });
  BackupWriter writer(TRY(TarWriter::open(out_fd)), TRY(open_unnamed_file(workspace)), progress);
  BackupSummary summary;
  const int64_t now_ms = store.now_ms();
  summary.created_at = format_time(now_ms);
  // A blob comes before its row and goes after it: what is held before the copy has all that the copy names.
  const blob::Blobs::Hold hold(blobs);
  TRY(store.backup(copy, [&](Reader& reader) -> Result<void> {
    const UniqueFd database = TRY(open_for_read(copy));
    const uint64_t all_bytes = TRY(status_of(database.get())).size_bytes + TRY(recordings_bytes(reader));
    TRY(check_room(out_fd, all_bytes));
    writer.expect(all_bytes);
    const json::bj::object facts{{"format", kBackupFormat},
                                 {"schema", store::migrations().back().number},
                                 {"created_at", summary.created_at}};
    TRY(writer.add(kFacts, json::to_text(facts) + "\n", now_ms));
    TRY(writer.add(kDatabase, database.get()));
    TRY(add_blobs(reader, blobs, writer, summary));
    return writer.finish(now_ms);
  }));
  summary.size_bytes = writer.written_bytes();
  return summary;
}

Result<BackupSummary> read_backup(const fs::path& file, const fs::path& database, blob::Blobs& blobs,
                                  const BackupProgress& progress) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return fail(ErrorCode::not_found, "there is no such file");
  const uint64_t file_bytes = fs::file_size(file, error);
  const uint64_t room = TRY(free_bytes(database.parent_path()));
  if (file_bytes + limits::kDiskReserveBytes > room) {
    return fail(
        ErrorCode::insufficient_storage,
        fmt::format("there is no room in the data folder: the backup has {:.0f} MB, and {:.0f} MB are "
                    "free",
                    static_cast<double>(file_bytes) / 1e6, static_cast<double>(room) / 1e6));
  }
  // Nothing of a plain tar is larger than itself; people may have packed it since.
  Result<Archive> archive =
      Archive::open(file, Archive::Format::tar, {.bytes = std::max(room, file_bytes), .entries = UINT64_MAX});
  if (!archive) return no_backup(archive.error().detail);
  return BackupReader(std::move(*archive), file_bytes, blobs, progress).run(database);
}

}  // namespace hansard::library
