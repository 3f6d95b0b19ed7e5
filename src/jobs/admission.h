// Whether one more job may be queued. A queue without a bound takes what it will not do for days; one user
// must not take it from all others.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/store.h"

namespace hansard::jobs {

struct QueueLimits {
  int64_t queued = 10'000;         // jobs that wait, of all
  int64_t queued_of_user = 1'000;  // of one user
  double hours_a_day = 0;          // of recordings, of one user, in any 24 hours; 0: no limit
};

struct NoRoom {
  std::string message;  // for the client: what is full
  std::chrono::seconds retry_after{0};
};

// Nothing where `duration_s` of a recording may be queued now; unknown durations count as nothing. In the
// transaction that queues it, the answer holds.
Result<std::optional<NoRoom>> find_no_room(store::Reader& reader, const QueueLimits& limits,
                                           std::string_view user_id, std::optional<double> duration_s,
                                           int64_t now_ms);

}  // namespace hansard::jobs
