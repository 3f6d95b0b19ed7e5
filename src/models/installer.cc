#include "models/installer.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace hansard::models {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// A bar that moves more often than this looks no smoother.
constexpr auto kProgressInterval = 500ms;
constexpr const char* kCanceled = "the installation was canceled";

}  // namespace

Installer::Installer(Library& library) : library_(library) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Installer::~Installer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (Job& job : jobs_) job.stop.request_stop();
  }
  thread_.request_stop();
  thread_.join();
}

bool Installer::start(std::string id, Watcher watcher) {
  const std::lock_guard lock(mutex_);
  if (ending_ || std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& job) { return job.id == id; }))
    return false;
  jobs_.push_back({std::move(id), std::move(watcher), {}});
  changed_.notify_all();
  return true;
}

bool Installer::cancel(std::string_view id) {
  const auto is_it = [id](const Job& job) { return job.id == id; };
  std::unique_lock lock(mutex_);
  const auto found = std::find_if(jobs_.begin(), jobs_.end(), is_it);
  if (found == jobs_.end()) return false;
  if (found == jobs_.begin()) {
    found->stop.request_stop();
    changed_.wait(lock, [&] { return std::none_of(jobs_.begin(), jobs_.end(), is_it); });
    return true;
  }
  const Job waiting = std::move(*found);
  jobs_.erase(found);
  lock.unlock();
  waiting.watcher.end(fail(ErrorCode::canceled, kCanceled));
  return true;
}

std::optional<Installer::Job> Installer::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait(lock, stop, [&] { return !jobs_.empty(); }) || ending_) return std::nullopt;
  return jobs_.front();
}

void Installer::run(const std::stop_token& stop) {
  while (const std::optional<Job> job = next(stop)) {
    install(*job);
    const std::lock_guard lock(mutex_);
    jobs_.pop_front();
    changed_.notify_all();
  }
}

void Installer::install(const Job& job) {
  Clock::time_point told;
  const auto progress = [&](const InstallProgress& now) {
    const bool last = now.done_bytes == now.total_bytes;
    if (!last && Clock::now() - told < kProgressInterval) return;
    told = Clock::now();
    job.watcher.progress(now);
  };
  Result<Installed> installed = library_.install(job.id, progress, job.stop.get_token());
  if (!installed && job.stop.stop_requested()) installed = fail(ErrorCode::canceled, kCanceled);
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return;
  }
  job.watcher.end(installed);
}

}  // namespace hansard::models
