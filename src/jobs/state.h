// The state machine of jobs: the only place that changes a job's status. docs/states.md draws it, the
// schema's CHECK constraints say the same. Each function is part of a transaction of the caller's, writes the
// job, its execution and its event together, and tells listeners after the commit: channel "events" with the
// id of what the event is about, "jobs" when something can be claimed, "canceled" with the id of a job that
// was taken away. A function with a Fence changes nothing and gives false where the attempt is no longer the
// holder's.
#pragma once

#include <string>
#include <vector>

#include "jobs/job.h"
#include "jobs/scheduler_policy.h"
#include "store/store.h"

namespace hansard::jobs {

struct NewJob {
  std::string user_id;
  std::string file_id;
  std::optional<std::string> source_id;
  std::string client = "api";
  std::string title;
  std::string options = "{}";
  int64_t priority = 5;
  bool file_ready = true;  // false: it waits until release_waiting() or fail_waiting()
  std::optional<int64_t> ephemeral_until_ms;
};
// → queued
Result<Job> enqueue(store::Transaction& transaction, const NewJob& wanted);

// What waited for a file: it can run now, or never will, for the reason that `message` says. How many there
// were.
Result<int64_t> release_waiting(store::Transaction& transaction, std::string_view file_id);
Result<int64_t> fail_waiting(store::Transaction& transaction, std::string_view file_id,
                             std::string_view message);

// queued → processing, with an execution row. Nothing where nothing can be claimed.
Result<std::optional<Job>> claim(store::Transaction& transaction, const SchedulerPolicy& policy,
                                 std::string_view claimed_by, int64_t lease_ms);
// The same for this one job.
Result<std::optional<Job>> claim_one(store::Transaction& transaction, std::string_view id,
                                     std::string_view claimed_by, int64_t lease_ms);

// Of the holder, while it works.
Result<bool> renew(store::Transaction& transaction, const Fence& fence, int64_t lease_ms);
Result<bool> report_progress(store::Transaction& transaction, const Fence& fence, std::string_view stage,
                             double progress);

// processing → completed
struct Completion {
  std::string document;    // canonical JSON
  std::string output_key;  // of the blob that is its copy
  std::optional<std::string> language;
  double duration_s = 0;
  std::optional<int64_t> speaker_count;
  std::string warnings = "[]";
  std::optional<std::string> diarization_error_code;
  std::string provider;
  std::string model;
  std::string stage_seconds = "{}";
  std::vector<store::Passage> passages;  // of the document, for the search
};
Result<bool> complete(store::Transaction& transaction, const Fence& fence, const Completion& completion);

// processing → queued for what may pass (an engine that died, memory, network, a full disk), after a while
// and up to the limits of limits.h; processing → failed for all else.
Result<bool> fail_attempt(store::Transaction& transaction, const Fence& fence, const Error& error);

// processing → queued, and counts as nothing: the server stops, or a short recording goes first. `why` is
// what its execution says.
Result<bool> release(store::Transaction& transaction, const Fence& fence, std::string_view why);

// queued | processing → canceled. False where it was at an end already.
Result<bool> cancel(store::Transaction& transaction, std::string_view id);

// processing → queued (stage "recovered") for all that an earlier process held; failed where that happened
// too often. How many.
Result<int64_t> recover(store::Transaction& transaction);
// The same for jobs whose lease has run out.
Result<int64_t> expire_leases(store::Transaction& transaction);

// queued | processing → canceled for all that somebody waited for: whoever did was a client of an earlier
// process. How many.
Result<int64_t> cancel_ephemeral(store::Transaction& transaction);

// Reading.
Result<std::optional<Job>> find(store::Reader& reader, std::string_view id);

// Adds an event row of this user and a delivery for each of the webhooks that want it, and tells the
// listeners (channels "events" and "webhooks"). `data` is a JSON object. `ephemeral`: for who follows its
// subject alone, and no webhook.
Result<void> add_event(store::Transaction& transaction, std::string_view user_id, std::string_view name,
                       std::string_view subject_id, std::string_view data, bool ephemeral = false);

}  // namespace hansard::jobs
