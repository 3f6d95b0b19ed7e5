#include "jobs/scheduler_policy.h"

#include "jobs/claimable.h"

namespace hansard::jobs {

Result<std::optional<std::string>> FifoPolicy::next(store::Transaction& transaction, int64_t now_ms) const {
  // The order of the partial index transcriptions_claim: the first row that is available is the answer.
  static constexpr store::Statement kNext{
      "jobs.next", "SELECT id FROM transcriptions WHERE " CLAIMABLE " ORDER BY " CLAIM_ORDER " LIMIT 1"};
  const auto row = TRY(transaction.row(kNext, now_ms));
  if (!row) return std::optional<std::string>();
  return std::optional<std::string>(row->text(0));
}

}  // namespace hansard::jobs
