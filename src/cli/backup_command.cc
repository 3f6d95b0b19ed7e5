#include "cli/backup_command.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "blob/file/file_blobs.h"
#include "cli/control.h"
#include "cli/data_folder.h"
#include "library/backup.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;
using library::BackupProgress;
using library::BackupSummary;

// Ends the work when a stop is requested, and shows on a terminal how far it is.
class Watcher {
 public:
  Watcher(std::string name, bool quiet, std::stop_token stop)
      : name_(std::move(name)), shows_(!quiet && ::isatty(STDERR_FILENO) != 0), stop_(std::move(stop)) {}
  ~Watcher() {
    if (shown_ > -1) fmt::print(stderr, "\r\033[K");
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  Result<void> operator()(double fraction) {
    if (stop_.stop_requested()) return fail(ErrorCode::canceled, "interrupted");
    const int percent = static_cast<int>(fraction * 100);
    if (shows_ && percent != shown_) fmt::print(stderr, "\r\033[K{} {:3}%", name_, percent);
    shown_ = shows_ ? percent : shown_;
    return {};
  }

 private:
  std::string name_;
  bool shows_;
  std::stop_token stop_;
  int shown_ = -1;
};

std::string described(const BackupSummary& summary) {
  return fmt::format("recordings and transcripts: {}; with the database {:.1f} MB", summary.blobs,
                     static_cast<double>(summary.size_bytes) / 1e6);
}

ExitCode complain(const fs::path& file, const Error& error) {
  fmt::print(stderr, "hansard: {}: {}\n", file.string(), error.message);
  if (!error.detail.empty()) log::info("{}", error.detail);
  // The file is what is wrong here, not the command's words.
  return error.code == ErrorCode::invalid_request ? ExitCode::input : exit_code(error.code);
}

// A file beside the one it will be; gone unless it was kept.
class AsideFile {
 public:
  static Result<AsideFile> create(const fs::path& target) {
    std::error_code error;
    if (fs::is_directory(target, error)) {
      return fail(ErrorCode::conflict, "this is a folder; name a file in it");
    }
    if (fs::exists(target, error) && !fs::is_regular_file(target, error)) {
      return fail(ErrorCode::conflict, "this is no plain file; name one");
    }
    AsideFile file;
    // The file that a link names is replaced, not the link.
    file.target_ = fs::weakly_canonical(fs::absolute(target), error);
    if (error) file.target_ = target;
    file.path_ = file.target_.parent_path() / fmt::format(".hansard-{}.tmp", random_hex(8));
    file.fd_.reset(::open(file.path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.fd_) return fail(system_error("cannot create the backup", errno));
    // Locked, it is told from what a backup that was killed has left.
    (void)::flock(file.fd_.get(), LOCK_SH);
    remove_cut_off_writes(file.target_.parent_path());
    return file;
  }
  ~AsideFile() {
    if (fd_) ::unlink(path_.c_str());
  }
  AsideFile(AsideFile&&) = default;
  AsideFile& operator=(AsideFile&&) = delete;

  int fd() const { return fd_.get(); }

  Result<void> keep() {
    if (::fsync(fd_.get()) != 0) return fail(system_error("cannot write the backup", errno));
    if (::rename(path_.c_str(), target_.c_str()) != 0) return fail(system_error("cannot rename", errno));
    fd_.reset();
    return sync_folder(target_.parent_path());
  }

 private:
  AsideFile() = default;
  fs::path target_;
  fs::path path_;
  UniqueFd fd_;
};

Result<BackupSummary> back_up(const fs::path& data, int out_fd, const BackupProgress& progress) {
  std::error_code error;
  if (!fs::exists(database_path(data), error)) {
    return fail(ErrorCode::not_found,
                "there is no database in the data folder; name the server's folder with --data-dir");
  }
  const Result<UniqueFd> lock = lock_data_folder(data);
  if (!lock && lock.error().code == ErrorCode::conflict) return ask_for_backup(data, out_fd, progress);
  if (!lock) return fail(lock.error());
  TRY(check_owner(data));
  const auto store = TRY(store::open_sqlite(database_path(data), {}));
  const auto blobs = TRY(blob::open_file_blobs(blobs_path(data)));
  return library::write_backup(*store, *blobs, data, out_fd, progress);
}

// ---- restore

// "before-restore-20261126T105530Z"
fs::path aside_folder(const fs::path& data) {
  std::string time = format_time(system_now_ms());
  time.erase(time.find('.'));
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return data / fmt::format("before-restore-{}Z", time);
}

Result<void> move_if_there(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return {};
  return fail(system_error("cannot move what is in the data folder", errno));
}

// What is there goes aside, the new in its place; whether there was anything. The database is the last to
// come: at each moment a power cut leaves either of the two whole, here or aside.
Result<bool> put_in_place(const fs::path& data, const fs::path& stage, const fs::path& aside) {
  std::error_code error;
  const bool was_there = fs::exists(database_path(data), error) || fs::exists(blobs_path(data), error);
  if (was_there) {
    TRY(make_private_folder(aside));
    TRY(move_if_there(blobs_path(data), blobs_path(aside)));
    for (const char* suffix : {"-shm", "-wal", ""}) {
      TRY(move_if_there(database_path(data).string() + suffix, database_path(aside).string() + suffix));
    }
    TRY(sync_folder(aside));
  }
  TRY(move_if_there(blobs_path(stage), blobs_path(data)));
  TRY(sync_folder(data));
  TRY(move_if_there(database_path(stage), database_path(data)));
  TRY(sync_folder(data));
  return was_there;
}

Result<std::string> restore(const BackupArguments& arguments, const fs::path& data,
                            const BackupProgress& progress) {
  const UniqueFd lock = TRY(lock_data_folder(data));
  TRY(check_owner(data));
  std::error_code error;
  if (!arguments.force && fs::exists(database_path(data), error)) {
    return fail(ErrorCode::conflict,
                "the data folder has a database already; choose another folder with --data-dir, or have what "
                "is there moved aside with --force");
  }
  const fs::path stage = data / "restoring";
  fs::remove_all(stage, error);  // of a restore that was killed
  const auto restore_all = [&]() -> Result<std::string> {
    TRY(make_private_folder(stage));
    const auto blobs = TRY(blob::open_file_blobs(blobs_path(stage)));
    const BackupSummary summary =
        TRY(library::read_backup(arguments.file, database_path(stage), *blobs, progress));
    const fs::path aside = aside_folder(data);
    const bool was_there = TRY(put_in_place(data, stage, aside));
    return fmt::format(
        "restored what was there at {}: {}\n{}", summary.created_at, described(summary),
        was_there ? fmt::format("what was in the data folder is in its {} now\n", aside.filename().string())
                  : std::string());
  };
  Result<std::string> done = restore_all();
  fs::remove_all(stage, error);
  return done;
}

}  // namespace

ExitCode run_backup(const BackupArguments& arguments, const Config& config, const std::stop_token& stop) {
  Result<AsideFile> file = AsideFile::create(arguments.file);
  if (!file) return complain(arguments.file, file.error());
  Result<BackupSummary> summary = fail(ErrorCode::internal, "");
  {
    Watcher watcher(arguments.file.filename().string(), arguments.quiet, stop);
    summary = back_up(config.data_folder(), file->fd(), std::ref(watcher));
  }
  if (!summary) return complain(arguments.file, summary.error());
  if (const auto kept = file->keep(); !kept) return complain(arguments.file, kept.error());
  if (summary->missing > 0) {
    fmt::print(stderr,
               "hansard: {} recordings or transcripts that the database names are lost; the backup is made "
               "without them\n",
               summary->missing);
  }
  if (!arguments.quiet) fmt::print("{}: {}\n", arguments.file.string(), described(*summary));
  return ExitCode::ok;
}

ExitCode run_restore(const BackupArguments& arguments, const Config& config, const std::stop_token& stop) {
  Result<std::string> done = fail(ErrorCode::internal, "");
  {
    Watcher watcher(arguments.file.filename().string(), arguments.quiet, stop);
    done = restore(arguments, config.data_folder(), std::ref(watcher));
  }
  if (!done) return complain(arguments.file, done.error());
  if (!arguments.quiet) fmt::print("{}", *done);
  return ExitCode::ok;
}

}  // namespace hansard::cli
