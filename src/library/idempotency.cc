#include "library/idempotency.h"

#include "base/limits.h"

namespace hansard::library {
namespace {

using store::Statement;
using store::Transaction;

int64_t oldest_ms(const Transaction& transaction) {
  return transaction.now_ms() - std::chrono::milliseconds(limits::kIdempotencyAge).count();
}

}  // namespace

Result<KeyState> take_key(Transaction& transaction, const RequestKey& key, std::string_view request,
                          std::string_view owner) {
  static constexpr Statement kFind{
      "idempotency.find",
      "SELECT request, owner, status, headers, body, created_at FROM idempotency_keys "
      "WHERE user_id = $1 AND method = $2 AND path = $3 AND key = $4"};
  static constexpr Statement kTake{
      "idempotency.take",
      "INSERT INTO idempotency_keys (user_id, method, path, key, request, owner, created_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7)"};
  if (const auto row = TRY(transaction.row(kFind, key.user_id, key.method, key.path, key.key))) {
    const bool answered = !row->is_null(2);
    const bool stale = row->integer(5) < oldest_ms(transaction) || (!answered && row->text(1) != owner);
    if (!stale) {
      if (row->text(0) != request) return KeyState{KeyState::Kind::other, {}};
      if (!answered) return KeyState{KeyState::Kind::running, {}};
      return KeyState{KeyState::Kind::answered,
                      {row->integer(2), row->text_or_empty(3), row->text_or_empty(4)}};
    }
    TRY(free_key(transaction, key));
  }
  TRY(transaction.change(kTake, key.user_id, key.method, key.path, key.key, request, owner,
                         transaction.now_ms()));
  return KeyState{};
}

Result<void> finish_key(Transaction& transaction, const RequestKey& key, const KeptAnswer& answer) {
  static constexpr Statement kFinish{"idempotency.finish",
                                     "UPDATE idempotency_keys SET status = $5, headers = $6, body = $7 "
                                     "WHERE user_id = $1 AND method = $2 AND path = $3 AND key = $4"};
  TRY(transaction.change(kFinish, key.user_id, key.method, key.path, key.key, answer.status, answer.location,
                         answer.body));
  return {};
}

Result<void> free_key(Transaction& transaction, const RequestKey& key) {
  static constexpr Statement kFree{
      "idempotency.free",
      "DELETE FROM idempotency_keys WHERE user_id = $1 AND method = $2 AND path = $3 AND key = $4"};
  TRY(transaction.change(kFree, key.user_id, key.method, key.path, key.key));
  return {};
}

Result<int64_t> forget_keys(Transaction& transaction, std::string_view owner) {
  static constexpr Statement kForget{
      "idempotency.forget",
      "DELETE FROM idempotency_keys WHERE created_at < $1 OR (status IS NULL AND owner <> $2)"};
  return transaction.change(kForget, oldest_ms(transaction), owner);
}

}  // namespace hansard::library
