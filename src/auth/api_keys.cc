#include "auth/api_keys.h"

#include <fmt/format.h>

#include "auth/tokens.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/limits.h"

#define KEY_COLUMNS                                                                               \
  "id, user_id, name, description, key_preview, is_active, can_write, expires_at, last_used_at, " \
  "created_at, "                                                                                  \
  "updated_at"

namespace hansard::auth {
namespace {

using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

constexpr std::string_view kPrefix = "hsk_";

ApiKey key_from(const Row& row) {
  return {.id = row.text(0),
          .user_id = row.text(1),
          .name = row.text(2),
          .description = row.text(3),
          .preview = row.text(4),
          .is_active = row.boolean(5),
          .can_write = row.boolean(6),
          .expires_at_ms = row.integer_if(7),
          .last_used_at_ms = row.integer_if(8),
          .created_at_ms = row.integer(9),
          .updated_at_ms = row.integer(10)};
}

std::optional<ApiKey> key_if(const std::optional<Row>& row) {
  return row ? std::optional(key_from(*row)) : std::nullopt;
}

}  // namespace

Result<MadeApiKey> add_api_key(Transaction& transaction, const NewApiKey& wanted) {
  static constexpr Statement kCount{"api_keys.count", "SELECT COUNT(*) FROM api_keys WHERE user_id = $1"};
  static constexpr Statement kInsert{
      "api_keys.insert",
      "INSERT INTO api_keys (id, user_id, name, description, key_hash, key_preview, is_active, can_write, "
      "expires_at, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $9) "
      "RETURNING " KEY_COLUMNS};
  if (TRY(transaction.row(kCount, wanted.user_id))->integer(0) >= limits::kKeysOfUser) {
    return fail(ErrorCode::conflict, fmt::format("there are {} keys, and that is the most; delete one first",
                                                 limits::kKeysOfUser));
  }
  MadeApiKey made;
  made.secret = make_secret(kPrefix);
  const std::string preview = made.secret.substr(0, 8) + "…" + made.secret.substr(made.secret.size() - 4);
  made.key =
      key_from(*TRY(transaction.row(kInsert, make_id("key", transaction.now_ms()), wanted.user_id,
                                    wanted.name, wanted.description, sha256_hex(made.secret), preview,
                                    wanted.can_write ? 1 : 0, wanted.expires_at_ms, transaction.now_ms())));
  return made;
}

Result<bool> remove_api_key(Transaction& transaction, std::string_view user_id, std::string_view id) {
  static constexpr Statement kRemove{"api_keys.remove",
                                     "DELETE FROM api_keys WHERE user_id = $1 AND id = $2"};
  return TRY(transaction.change(kRemove, user_id, id)) > 0;
}

Result<void> note_use(Transaction& transaction, std::string_view id) {
  static constexpr Statement kUse{"api_keys.use", "UPDATE api_keys SET last_used_at = $2 WHERE id = $1"};
  TRY(transaction.change(kUse, id, transaction.now_ms()));
  return {};
}

Result<std::vector<ApiKey>> list_api_keys(Reader& reader, std::string_view user_id) {
  static constexpr Statement kList{
      "api_keys.list", "SELECT " KEY_COLUMNS " FROM api_keys WHERE user_id = $1 ORDER BY created_at, id"};
  std::vector<ApiKey> keys;
  for (const Row& row : TRY(reader.rows(kList, user_id))) keys.push_back(key_from(row));
  return keys;
}

Result<std::optional<ApiKey>> find_api_key(Reader& reader, std::string_view id) {
  static constexpr Statement kFind{"api_keys.find", "SELECT " KEY_COLUMNS " FROM api_keys WHERE id = $1"};
  return key_if(TRY(reader.row(kFind, id)));
}

Result<std::optional<ApiKey>> find_secret(Reader& reader, std::string_view secret) {
  static constexpr Statement kFind{"api_keys.by_hash",
                                   "SELECT " KEY_COLUMNS " FROM api_keys WHERE key_hash = $1"};
  return key_if(TRY(reader.row(kFind, sha256_hex(secret))));
}

bool looks_like_api_key(std::string_view token) {
  return token.starts_with(kPrefix);
}

}  // namespace hansard::auth
