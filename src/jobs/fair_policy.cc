#include "jobs/fair_policy.h"

#include "jobs/claimable.h"

namespace hansard::jobs {

Result<std::optional<std::string>> FairPolicy::next(store::Transaction& transaction, int64_t now_ms) const {
  using store::Statement;
  // The first entry of transcriptions_claim says which priority has its turn.
  static constexpr Statement kPriority{"jobs.next_priority",
                                       "SELECT priority FROM transcriptions WHERE " CLAIMABLE
                                       " ORDER BY " CLAIM_ORDER " LIMIT 1"};
  // From user to user through transcriptions_claim_user, however many jobs each has.
  static constexpr Statement kUser{"jobs.next_user",
                                   "SELECT user_id FROM transcriptions WHERE " CLAIMABLE
                                   " AND priority = $2 AND user_id > $3 ORDER BY user_id LIMIT 1"};
  static constexpr Statement kRunning{
      "jobs.running_of_user",
      "SELECT COUNT(*) FROM transcriptions WHERE status = 'processing' AND user_id = $1"};
  static constexpr Statement kLast{"jobs.last_of_user",
                                   "SELECT started_at FROM transcriptions WHERE user_id = $1 AND started_at "
                                   "IS NOT NULL ORDER BY started_at DESC LIMIT 1"};
  static constexpr Statement kNext{"jobs.next_of_user",
                                   "SELECT queued_at, id FROM transcriptions WHERE " CLAIMABLE
                                   " AND priority = $2 AND user_id = $3 "
                                   "ORDER BY queued_at, created_at, id LIMIT 1"};
  struct Turn {
    int64_t running = 0;
    int64_t last_ms = 0;
    int64_t queued_ms = 0;
    std::string id;
    auto operator<=>(const Turn&) const = default;
  };
  const auto first = TRY(transaction.row(kPriority, now_ms));
  if (!first) return std::optional<std::string>();
  const int64_t priority = first->integer(0);
  std::optional<Turn> best;
  for (auto user = TRY(transaction.row(kUser, now_ms, priority, "")); user;
       user = TRY(transaction.row(kUser, now_ms, priority, user->text(0)))) {
    const auto next = TRY(transaction.row(kNext, now_ms, priority, user->text(0)));
    if (!next) continue;
    const auto last = TRY(transaction.row(kLast, user->text(0)));
    Turn turn{TRY(transaction.row(kRunning, user->text(0)))->integer(0), last ? last->integer(0) : 0,
              next->integer(0), next->text(1)};
    if (!best || turn < *best) best = std::move(turn);
  }
  return best ? std::optional(best->id) : std::nullopt;
}

}  // namespace hansard::jobs
