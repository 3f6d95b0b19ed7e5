#include "models/workplace.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "models/manifest.h"

namespace hansard::models {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// flock() has no wait that a stop token could end, so it is asked again now and then.
constexpr auto kLockPoll = 100ms;

Result<void> move_folder(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return fail(system_error("cannot rename in the models folder", errno));
  }
  return {};
}

Result<void> lock(int fd, const std::string& id, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  for (bool told = false;; told = true) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return {};
    if (errno != EWOULDBLOCK && errno != EINTR) return fail(system_error("cannot lock the model", errno));
    if (!told) log::warning("another process works on model {}; waiting for it", id);
    std::unique_lock<std::mutex> hold(mutex);
    stopped.wait_for(hold, stop, kLockPoll, [] { return false; });
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
  }
}

}  // namespace

Result<Workplace> Workplace::enter(const fs::path& own, const std::string& id, const std::stop_token& stop) {
  Workplace place(own, id);
  const fs::path locks = own / ".locks";
  if (auto made = make_private_folder(locks); !made) {
    Error error = std::move(made).error();
    error.message = fmt::format("the models folder cannot be made: {}; choose one by SPEECH_ENGINE_CACHE_DIR",
                                error.message);
    return fail(std::move(error));
  }
  place.lock_.reset(::open((locks / (id + ".lock")).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!place.lock_) return fail(system_error("cannot write to the models folder", errno));
  TRY(lock(place.lock_.get(), id, stop));
  return place;
}

Result<fs::path> Workplace::stage(std::string_view source, Leftovers leftovers) const {
  fs::path folder = partial() / source;
  std::error_code ignored;
  if (leftovers == Leftovers::discard) fs::remove_all(folder, ignored);
  TRY(make_private_folder(folder));
  return folder;
}

// A folder is not renamed over one that holds something, and not deleted while it bears the model's name.
Result<void> Workplace::set_aside() const {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(installed(), ignored))) return {};
  TRY(make_private_folder(partial()));
  const fs::path aside = partial() / "former";
  fs::remove_all(aside, ignored);
  return move_folder(installed(), aside);
}

void Workplace::forget_stages() const {
  std::error_code error;
  fs::remove_all(partial(), error);
  if (error) log::warning("{}: {}", partial().string(), error.message());
}

Result<void> Workplace::settle(const fs::path& stage, std::string_view manifest) const {
  TRY(write_file_atomically(stage / kManifestName, manifest, Sync::yes));
  TRY(set_aside());
  TRY(move_folder(stage, installed()));
  TRY(sync_folder(own_));
  forget_stages();
  return {};
}

Result<void> Workplace::remove() const {
  std::error_code ignored;
  if (!fs::exists(installed(), ignored) && !fs::exists(partial(), ignored)) {
    return fail(ErrorCode::not_found, fmt::format("model {} is not installed", id_));
  }
  TRY(set_aside());
  TRY(sync_folder(own_));
  forget_stages();
  return {};
}

}  // namespace hansard::models
