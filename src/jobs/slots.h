// The slots: each claims a job, runs it through the pipeline of the command line, writes its end, and takes
// the next. Whatever happens to an engine, a job or this process, the table knows what to do next.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "blob/blob.h"
#include "jobs/hub.h"
#include "jobs/scheduler_policy.h"
#include "jobs/short_lane.h"
#include "jobs/state.h"
#include "pipeline/pipeline.h"

namespace hansard::jobs {

struct SlotOptions {
  int count = 1;
  std::chrono::milliseconds poll_interval{2000};
  std::chrono::milliseconds lease{std::chrono::minutes(10)};
  std::chrono::milliseconds renew_interval{0};  // 0: a third of the lease
  bool short_lane = true;                       // jobs in work make way for short ones
};

// How an attempt at a job ended.
struct AttemptReport {
  std::optional<Error> error;
  bool held = true;  // false: the job was canceled or given to another meanwhile, and nothing was written
  std::map<std::string, double> stage_seconds;
  double seconds = 0;
  double audio_s = 0;  // of the recording, where it was completed
};

// What slots work with; everything outlives them.
struct Workshop {
  store::Store& store;
  blob::Blobs& blobs;
  Hub& hub;
  const SchedulerPolicy& policy;
  models::Library& library;
  const pipeline::Artifacts& artifacts;
  std::filesystem::path spool_folder;
  bool auto_download = true;
  // An engine for one slot, as the configuration says; the options are a job's wishes.
  std::function<Result<std::unique_ptr<engine::Provider>>(const engine::EngineOptions&)> open_provider;
  // Told of attempts, on the slot's thread. May be empty.
  std::function<void()> on_claim;
  std::function<void(const AttemptReport&)> on_end;
};

class Slots {
 public:
  Slots(SlotOptions options, Workshop workshop);
  ~Slots();  // drain(0)

  void start();
  // Of the store's notices those on "jobs" and "canceled". Any thread.
  void notice(const store::Notice& notice);

  int expected() const { return options_.count; }
  int alive() const;
  size_t running() const;

  // No new claims; running jobs get `patience` (0: none) to end, then go back to the queue with what they
  // have computed. Returns when every slot is empty.
  void drain(std::chrono::milliseconds patience);
  // The same without patience, and without waiting; before, during or after drain(). Any thread.
  void release_now();

 private:
  class Slot;
  struct Run;

  void keep(const std::stop_token& stop);
  void keep_leases();

  SlotOptions options_;
  Workshop workshop_;
  const std::string instance_;
  ShortLane short_lane_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, std::shared_ptr<Run>> running_;  // by job
  uint64_t wakes_ = 0;
  int alive_ = 0;
  bool draining_ = false;
  bool released_ = false;

  std::vector<std::jthread> threads_;
  std::jthread keeper_;
};

}  // namespace hansard::jobs
