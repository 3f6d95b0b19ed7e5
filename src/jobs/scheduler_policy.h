// Which job is next.
#pragma once

#include "store/store.h"

namespace hansard::jobs {

class SchedulerPolicy {
 public:
  virtual ~SchedulerPolicy() = default;
  // The id of the job to be claimed now, of those queued and available at `now_ms`; nothing where there is
  // none.
  virtual Result<std::optional<std::string>> next(store::Transaction& transaction, int64_t now_ms) const = 0;
};

// First in, first out, by priority, time of queueing, time of creation, id. Recovery and retries keep the
// time of queueing, so that a job does not lose its place.
class FifoPolicy : public SchedulerPolicy {
 public:
  Result<std::optional<std::string>> next(store::Transaction& transaction, int64_t now_ms) const override;
};

}  // namespace hansard::jobs
