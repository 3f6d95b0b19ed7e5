#include "library/workers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace hansard::library {
namespace {

// Beside being told.
constexpr std::chrono::minutes kLookInterval{1};

}  // namespace

Workers::Workers(store::Store& store, Options options) : store_(store), options_(std::move(options)) {}

Workers::~Workers() {
  stop();
}

void Workers::start() {
  for (size_t i = 0; i < options_.at_once; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
  }
}

void Workers::stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

void Workers::notice(const store::Notice& notice) {
  if (!notice.channel.starts_with(options_.name)) return;
  const std::string_view what = std::string_view(notice.channel).substr(options_.name.size());
  const std::lock_guard lock(mutex_);
  if (what.empty()) {
    ++changes_;
    changed_.notify_all();
  } else if (const auto found = in_work_.find(notice.payload); what == "_ended" && found != in_work_.end()) {
    found->second.stop.request_stop();
  }
}

void Workers::run(const std::stop_token& stop) {
  while (const std::optional<Task> task = next(stop)) {
    const std::stop_source own = [&] {
      const std::lock_guard lock(mutex_);
      return in_work_.at(task->subject).stop;
    }();
    const std::stop_callback with_all(stop, [&own] { own.request_stop(); });
    const auto done = options_.perform(*task, own.get_token());
    std::unique_lock lock(mutex_);
    if (!done) {
      log::error("{}: {}: {} {}", options_.name, task->subject, done.error().message, done.error().detail);
      // Not at once again: the disk is full, as a rule.
      changed_.wait_for(lock, stop, kLookInterval, [] { return false; });
    }
    in_work_.erase(task->subject);
    ++changes_;
    changed_.notify_all();
  }
}

std::optional<Workers::Task> Workers::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const uint64_t seen = changes_;
    lock.unlock();
    const std::vector<Task> all = waiting();
    const int64_t now_ms = store_.now_ms();
    lock.lock();
    // It may be done already, where another thread was faster.
    if (changes_ != seen) continue;
    int64_t due_ms = now_ms + std::chrono::milliseconds(kLookInterval).count();
    for (const Task& task : all) {
      if (!may_begin(task)) continue;
      due_ms = std::min(due_ms, task.due_ms);
      if (task.due_ms > now_ms) continue;
      in_work_[task.subject].user_id = task.user_id;
      return task;
    }
    changed_.wait_for(lock, stop, std::chrono::milliseconds(due_ms - now_ms),
                      [&] { return changes_ != seen; });
  }
  return std::nullopt;
}

std::vector<Workers::Task> Workers::waiting() const {
  std::vector<Task> tasks;
  const auto read = store_.read([&](store::Reader& reader) -> Result<void> {
    tasks.clear();
    for (const store::Row& row : TRY(reader.rows(options_.waiting))) {
      tasks.push_back({row.text(0), row.text(1), row.integer(2)});
    }
    return {};
  });
  if (!read) log::error("{}: {} {}", options_.name, read.error().message, read.error().detail);
  return tasks;
}

bool Workers::may_begin(const Task& task) const {
  if (in_work_.contains(task.subject)) return false;
  const auto of_user = std::count_if(in_work_.begin(), in_work_.end(),
                                     [&](const auto& other) { return other.second.user_id == task.user_id; });
  return static_cast<size_t>(of_user) < options_.of_user_at_once;
}

}  // namespace hansard::library
