// Keys of programs: 256 random bits, shown once, kept as a hash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace hansard::auth {

// Times are milliseconds since 1970.
struct ApiKey {
  std::string id;  // "key_…"
  std::string user_id;
  std::string name;
  std::string description;
  std::string preview;  // its first and last characters
  bool is_active = true;
  bool can_write = true;  // false: it reads alone
  std::optional<int64_t> expires_at_ms;
  std::optional<int64_t> last_used_at_ms;
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;

  bool works_at(int64_t now_ms) const { return is_active && (!expires_at_ms || *expires_at_ms > now_ms); }
};

struct NewApiKey {
  std::string user_id;
  std::string name;
  std::string description;
  bool can_write = true;
  std::optional<int64_t> expires_at_ms;
};
struct MadeApiKey {
  ApiKey key;
  std::string secret;  // "hsk_…": nobody can read it again
};
// Errors: conflict where the user has as many as limits say.
Result<MadeApiKey> add_api_key(store::Transaction& transaction, const NewApiKey& wanted);
// False where this user has no such key.
Result<bool> remove_api_key(store::Transaction& transaction, std::string_view user_id, std::string_view id);
Result<void> note_use(store::Transaction& transaction, std::string_view id);

Result<std::vector<ApiKey>> list_api_keys(store::Reader& reader, std::string_view user_id);
Result<std::optional<ApiKey>> find_api_key(store::Reader& reader, std::string_view id);
Result<std::optional<ApiKey>> find_secret(store::Reader& reader, std::string_view secret);

// Whether a Bearer token is meant as a key, by its first characters.
bool looks_like_api_key(std::string_view token);

}  // namespace hansard::auth
