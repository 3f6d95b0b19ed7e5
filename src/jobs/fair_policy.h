// Which job is next where several people share the slots.
#pragma once

#include "jobs/scheduler_policy.h"

namespace hansard::jobs {

// By priority, and among jobs of one priority by user: whose fewest jobs are in work comes first, of those
// whose last one was taken up longest ago; of one user first in, first out. So nobody waits for all that
// somebody else has queued before, and the lane of those who wait for a short recording, a priority before
// that of what is queued for later, is shared in the same way. Its cost grows with the users that have
// something queued, not with what is queued.
class FairPolicy : public SchedulerPolicy {
 public:
  Result<std::optional<std::string>> next(store::Transaction& transaction, int64_t now_ms) const override;
};

}  // namespace hansard::jobs
