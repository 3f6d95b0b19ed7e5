#include "cli/watch_command.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/output.h"
#include "media/media.h"
#include "transcript/exports.h"

namespace hansard::cli {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Network folders tell nobody of changes, so all folders are looked at.
constexpr auto kLook = 1s;
constexpr auto kFirstRetry = 1min;
constexpr auto kLongestRetry = 1h;
constexpr uint64_t kStateBytes = 256 << 20;

// A file as it is: another size or time is another recording.
struct Version {
  int64_t size_bytes = 0;
  int64_t modified_ns = 0;
  bool operator==(const Version&) const = default;
};

std::optional<Version> version_of(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return Version{static_cast<int64_t>(status.st_size),
                 static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
}

// Which recordings were done, or cannot be read, in a file of its own for each folder that is watched.
class Memory {
 public:
  // Errors: conflict where another process watches the folder.
  static Result<Memory> open(const fs::path& data_folder, const fs::path& watched) {
    const fs::path folder = data_folder / "watch";
    TRY(make_private_folder(folder));
    Memory memory;
    const std::string name = sha256_hex(watched.string()).substr(0, 16);
    memory.path_ = folder / (name + ".json");
    memory.lock_ = UniqueFd(::open((folder / (name + ".lock")).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!memory.lock_) return fail(system_error("cannot remember what is done", errno));
    if (::flock(memory.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      return fail(ErrorCode::conflict,
                  fmt::format("{} is watched already, by another hansard", watched.string()));
    }
    memory.watched_ = watched.string();
    if (fs::exists(memory.path_)) TRY(memory.read());
    return memory;
  }

  bool is_settled(const std::string& name, const Version& version) const {
    const auto found = known_.find(name);
    return found != known_.end() && found->second == version;
  }
  Result<void> settle(const std::string& name, const Version& version) {
    known_[name] = version;
    return write();
  }
  // Forgets what is no longer there.
  Result<void> keep_only(const std::map<std::string, Version>& there) {
    if (std::erase_if(known_, [&](const auto& one) { return !there.contains(one.first); }) == 0) return {};
    return write();
  }

 private:
  Result<void> read() {
    const bj::object state = TRY(json::parse_object(TRY(read_file(path_, kStateBytes))));
    const bj::value* known = state.if_contains("known");
    if (known == nullptr || !known->is_object()) return {};
    for (const auto& one : known->get_object()) {
      if (!one.value().is_object()) continue;
      const bj::object& version = one.value().get_object();
      known_[one.key()] = {TRY(json::get_integer(version, "size_bytes")),
                           TRY(json::get_integer(version, "modified_ns"))};
    }
    return {};
  }
  Result<void> write() const {
    bj::object known;
    for (const auto& [name, version] : known_) {
      known[name] = bj::object{{"size_bytes", version.size_bytes}, {"modified_ns", version.modified_ns}};
    }
    return write_file_atomically(
        path_, json::to_text(bj::object{{"folder", watched_}, {"known", std::move(known)}}), Sync::yes);
  }

  fs::path path_;
  UniqueFd lock_;
  std::string watched_;
  std::map<std::string, Version> known_;  // by name below the folder
};

class Watch {
 public:
  Watch(const WatchArguments& arguments, const Config& config, std::stop_token stop, fs::path folder,
        Memory memory, transcript::Format format)
      : arguments_(arguments),
        config_(config),
        stop_(std::move(stop)),
        folder_(std::move(folder)),
        memory_(std::move(memory)),
        format_(format) {}

  // How the first that failed did, with `once`.
  Result<ExitCode> run() {
    for (;;) {
      const bool waiting = TRY(look());
      if (stop_.stop_requested() || (arguments_.once && !waiting)) return first_failure_;
      std::mutex mutex;
      std::condition_variable_any never;
      std::unique_lock lock(mutex);
      never.wait_for(lock, stop_, kLook, [] { return false; });
    }
  }

 private:
  struct Seen {
    Version version;
    Clock::time_point since;
  };
  struct Retry {
    Clock::time_point at;
    std::chrono::seconds wait{kFirstRetry};
  };

  // One round: whether something is there that is not done, and may be.
  Result<bool> look() {
    const std::map<std::string, Version> there = TRY(find());
    std::erase_if(seen_, [&](const auto& one) { return !there.contains(one.first); });
    std::erase_if(retries_, [&](const auto& one) { return !there.contains(one.first); });
    TRY(memory_.keep_only(there));
    bool waiting = false;
    for (const auto& [name, version] : there) {
      if (stop_.stop_requested()) return true;
      if (memory_.is_settled(name, version)) continue;
      if (is_whole(name, version)) {
        TRY(take(name, version, transcript_of(name, there)));
      } else if (!arguments_.once || !retries_.contains(name)) {
        waiting = true;
      }
    }
    return waiting;
  }

  // The recordings in the folder and below it; nothing that is hidden, and no links to folders.
  Result<std::map<std::string, Version>> find() const {
    std::map<std::string, Version> found;
    std::error_code error;
    fs::recursive_directory_iterator at(folder_, fs::directory_options::skip_permission_denied, error);
    for (const fs::recursive_directory_iterator end; !error && at != end; at.increment(error)) {
      const fs::path& path = at->path();
      if (path.filename().string().starts_with('.')) {
        at.disable_recursion_pending();
        continue;
      }
      if (!media::is_media_name(path)) continue;
      if (const auto version = version_of(path)) found[path.lexically_relative(folder_).string()] = *version;
    }
    if (error && !fs::is_directory(folder_)) {
      return fail(ErrorCode::not_found, fmt::format("{}: {}", folder_.string(), error.message()));
    }
    return found;
  }

  bool is_whole(const std::string& name, const Version& version) {
    Seen& seen = seen_[name];
    const auto now = Clock::now();
    if (seen.since == Clock::time_point() || !(seen.version == version)) {
      seen = {version, now};
      retries_.erase(name);
    }
    if (version.size_bytes == 0 || now - seen.since < arguments_.settle) return false;
    const auto retry = retries_.find(name);
    return retry == retries_.end() || now >= retry->second.at;
  }

  // talk.md for talk.mp3; talk.mp3.md where there is a talk.wav too.
  fs::path transcript_of(const std::string& name, const std::map<std::string, Version>& there) const {
    const fs::path stem = fs::path(name).replace_extension();
    const auto same = [&](const auto& one) { return fs::path(one.first).replace_extension() == stem; };
    const bool alone = std::count_if(there.begin(), there.end(), same) == 1;
    return arguments_.out.value_or(folder_) /
           fmt::format("{}.{}", alone ? stem.string() : name, transcript::format_name(format_));
  }

  Result<void> take(const std::string& name, const Version& version, const fs::path& target) {
    if (const auto written = version_of(target); written && written->modified_ns >= version.modified_ns) {
      log::info("{} has a transcript already", name);
      return memory_.settle(name, version);
    }
    TranscribeArguments one = arguments_.transcribe;
    one.inputs = {(folder_ / name).string()};
    one.output = target.string();
    one.format = transcript::format_name(format_);
    const ExitCode code = run_transcribe(one, config_, stop_);
    if (code == ExitCode::interrupted) return {};
    if (first_failure_ == ExitCode::ok) first_failure_ = code;
    if (code == ExitCode::ok || code == ExitCode::without_speakers || code == ExitCode::input) {
      retries_.erase(name);
      return memory_.settle(name, version);
    }
    Retry& retry = retries_[name];
    retry.at = Clock::now() + retry.wait;
    if (arguments_.once) return {};
    fmt::print(stderr, "hansard: {}: will be tried again in {} s\n", name, retry.wait.count());
    retry.wait = std::min<std::chrono::seconds>(retry.wait * 2, kLongestRetry);
    return {};
  }

  const WatchArguments& arguments_;
  const Config& config_;
  const std::stop_token stop_;
  const fs::path folder_;
  Memory memory_;
  const transcript::Format format_;
  std::map<std::string, Seen> seen_;
  std::map<std::string, Retry> retries_;
  ExitCode first_failure_ = ExitCode::ok;
};

Result<ExitCode> watch(const WatchArguments& arguments, const Config& config, const std::stop_token& stop) {
  std::error_code error;
  const fs::path folder = fs::canonical(arguments.folder, error);
  if (error || !fs::is_directory(folder)) {
    return fail(ErrorCode::not_found,
                fmt::format("{} is no folder that can be watched{}", arguments.folder.string(),
                            error ? ": " + error.message() : ""));
  }
  const std::string name = arguments.transcribe.format.value_or("md");
  const auto format = transcript::parse_format(name);
  if (!format) {
    return fail(ErrorCode::invalid_request,
                fmt::format("--format {} is none of {}", name, transcript::kFormatNames));
  }
  Memory memory = TRY(Memory::open(config.data_folder(), folder));
  return Watch(arguments, config, stop, folder, std::move(memory), *format).run();
}

}  // namespace

ExitCode run_watch(const WatchArguments& arguments, const Config& config, const std::stop_token& stop) {
  const Result<ExitCode> watched = watch(arguments, config, stop);
  if (watched) return arguments.once ? *watched : ExitCode::ok;
  fmt::print(stderr, "hansard: {}\n", watched.error().message);
  if (!watched.error().detail.empty()) log::info("{}", watched.error().detail);
  return exit_code(watched.error().code);
}

}  // namespace hansard::cli
