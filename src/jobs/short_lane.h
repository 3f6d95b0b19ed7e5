// The lane of short recordings: ten seconds of speech need not wait for somebody's hours. A job in work makes
// way between two groups, goes back to its place in the queue with what it has computed, and goes on after
// the short one; at most once a minute, so that it comes to its end however many short ones there are.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "jobs/job.h"
#include "store/store.h"

namespace hansard::jobs {

// Shared by the slots of one process. Any thread.
class ShortLane {
 public:
  // The id of the short job that `running` should make way for, of those queued that are of no lesser
  // priority; nothing where there is none, or where `running` is short itself or has just made way. Each is
  // given to one: until left().
  Result<std::optional<std::string>> enter(store::Store& store, const Job& running);
  // Of what enter() gave: claimed, or not to be claimed.
  void left(const std::string& id);

 private:
  std::mutex mutex_;
  std::set<std::string> entered_;
  std::map<std::string, std::chrono::steady_clock::time_point> made_way_;  // by job, of the last interval
};

}  // namespace hansard::jobs
