#include "auth/sessions.h"

#include "base/hash.h"
#include "base/id.h"
#include "base/limits.h"

namespace hansard::auth {
namespace {

using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

constexpr std::string_view kPrefix = "hsr_";
constexpr int64_t kAgeMs = std::chrono::milliseconds(limits::kRefreshTokenAge).count();
constexpr int64_t kGraceMs = std::chrono::milliseconds(limits::kRefreshGrace).count();

struct Token {
  std::string id;
  std::string user_id;
  std::string session_id;
  std::optional<std::string> successor_id;
  Client client;
  std::optional<int64_t> used_at_ms;
  std::optional<int64_t> revoked_at_ms;
  int64_t expires_at_ms = 0;
};

Result<std::optional<Token>> find_token(Reader& reader, std::string_view token) {
  static constexpr Statement kFind{
      "refresh_tokens.find",
      "SELECT id, user_id, family, successor_id, client, address, used_at, revoked_at, expires_at FROM "
      "refresh_tokens WHERE token_hash = $1"};
  const auto row = TRY(reader.row(kFind, sha256_hex(token)));
  if (!row) return std::optional<Token>();
  return std::optional(Token{row->text(0),
                             row->text(1),
                             row->text(2),
                             row->text_if(3),
                             {.address = row->text_or_empty(5), .program = row->text_or_empty(4)},
                             row->integer_if(6),
                             row->integer_if(7),
                             row->integer(8)});
}

Result<void> insert(Transaction& transaction, std::string_view id, std::string_view user_id,
                    std::string_view session_id, std::string_view token, const Client& client) {
  static constexpr Statement kInsert{
      "refresh_tokens.insert",
      "INSERT INTO refresh_tokens (id, user_id, family, token_hash, client, address, created_at, expires_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"};
  TRY(transaction.change(kInsert, id, user_id, session_id, sha256_hex(token), client.program, client.address,
                         transaction.now_ms(), transaction.now_ms() + kAgeMs));
  return {};
}

std::string successor_of(const TokenKeys& keys, std::string_view token, std::string_view successor_id,
                         int64_t used_at_ms) {
  return std::string(kPrefix) + keys.derive(token, successor_id, used_at_ms);
}

}  // namespace

Result<Refreshed> begin_session(Transaction& transaction, std::string_view user_id, const Client& client) {
  Refreshed begun{make_id("sess", transaction.now_ms()), std::string(user_id), make_secret(kPrefix)};
  TRY(insert(transaction, make_id("rt", transaction.now_ms()), user_id, begun.session_id, begun.token,
             client));
  return begun;
}

Result<std::optional<Refreshed>> refresh_session(Transaction& transaction, const TokenKeys& keys,
                                                 std::string_view token, const Client& client) {
  static constexpr Statement kSpend{
      "refresh_tokens.spend", "UPDATE refresh_tokens SET used_at = $2, successor_id = $3 WHERE id = $1"};
  const auto found = TRY(find_token(transaction, token));
  const int64_t now_ms = transaction.now_ms();
  if (!found || found->revoked_at_ms || found->expires_at_ms <= now_ms) return std::optional<Refreshed>();
  if (found->used_at_ms) {
    if (now_ms - *found->used_at_ms <= kGraceMs && found->client == client && found->successor_id) {
      std::string successor = successor_of(keys, token, *found->successor_id, *found->used_at_ms);
      // After a change of keys it may not be found again: then the client must log in.
      if (TRY(find_token(transaction, successor)))
        return std::optional(Refreshed{found->session_id, found->user_id, std::move(successor)});
    }
    TRY(end_session(transaction, found->user_id, found->session_id));
    return std::optional<Refreshed>();
  }
  const std::string successor_id = make_id("rt", now_ms);
  Refreshed next{found->session_id, found->user_id, successor_of(keys, token, successor_id, now_ms)};
  TRY(transaction.change(kSpend, found->id, now_ms, successor_id));
  TRY(insert(transaction, successor_id, found->user_id, found->session_id, next.token, client));
  return std::optional(std::move(next));
}

Result<std::optional<Refreshed>> session_of(Reader& reader, std::string_view token) {
  const auto found = TRY(find_token(reader, token));
  if (!found) return std::optional<Refreshed>();
  return std::optional(Refreshed{found->session_id, found->user_id, {}});
}

Result<bool> end_session(Transaction& transaction, std::string_view user_id, std::string_view session_id) {
  static constexpr Statement kRevoke{
      "refresh_tokens.revoke",
      "UPDATE refresh_tokens SET revoked_at = $3 WHERE user_id = $1 AND family = $2 "
      "AND revoked_at IS NULL"};
  return TRY(transaction.change(kRevoke, user_id, session_id, transaction.now_ms())) > 0;
}

Result<void> end_sessions(Transaction& transaction, std::string_view user_id, std::string_view but) {
  static constexpr Statement kRevoke{
      "refresh_tokens.revoke_others",
      "UPDATE refresh_tokens SET revoked_at = $3 WHERE user_id = $1 AND family <> $2 AND revoked_at IS NULL"};
  TRY(transaction.change(kRevoke, user_id, but, transaction.now_ms()));
  return {};
}

Result<std::vector<Session>> list_sessions(Reader& reader, std::string_view user_id, int64_t now_ms) {
  static constexpr Statement kList{
      "refresh_tokens.sessions",
      "SELECT t.family, t.client, t.address, (SELECT MIN(f.created_at) FROM refresh_tokens f WHERE f.family "
      "= "
      "t.family), t.created_at, t.expires_at FROM refresh_tokens t WHERE t.user_id = $1 AND t.revoked_at IS "
      "NULL "
      "AND t.used_at IS NULL AND t.expires_at > $2 ORDER BY t.created_at DESC, t.id DESC"};
  std::vector<Session> sessions;
  for (const Row& row : TRY(reader.rows(kList, user_id, now_ms))) {
    sessions.push_back({row.text(0), std::string(user_id), Client{row.text_or_empty(2), row.text_or_empty(1)},
                        row.integer(3), row.integer(4), row.integer(5)});
  }
  return sessions;
}

Result<bool> is_session(Reader& reader, std::string_view user_id, std::string_view session_id,
                        int64_t now_ms) {
  static constexpr Statement kLive{
      "refresh_tokens.live",
      "SELECT id FROM refresh_tokens WHERE family = $2 AND user_id = $1 AND revoked_at "
      "IS NULL AND expires_at > $3 LIMIT 1"};
  return TRY(reader.row(kLive, user_id, session_id, now_ms)).has_value();
}

Result<int64_t> forget_sessions(Transaction& transaction) {
  static constexpr Statement kForget{"refresh_tokens.forget",
                                     "DELETE FROM refresh_tokens WHERE expires_at < $1"};
  return transaction.change(kForget, transaction.now_ms());
}

}  // namespace hansard::auth
