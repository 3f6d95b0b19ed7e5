// Sessions of people: families of refresh tokens, each good for one use, kept as hashes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.h"
#include "auth/tokens.h"
#include "store/store.h"

namespace hansard::auth {

struct Session {
  std::string id;  // "sess_…", the family
  std::string user_id;
  std::optional<Client> client;  // of its last refresh
  int64_t created_at_ms = 0;
  int64_t last_used_at_ms = 0;
  int64_t expires_at_ms = 0;
};

struct Refreshed {
  std::string session_id;
  std::string user_id;
  std::string token;
};

// Each is part of the caller's transaction.
Result<Refreshed> begin_session(store::Transaction& transaction, std::string_view user_id,
                                const Client& client);
// The token's successor; nothing for one that is unknown, expired, revoked or spent. A spent one was stolen,
// before or now, so its whole session ends; but within seconds, from the same client, it gives the same
// successor again. `keys` make successors, so that they need not be kept.
Result<std::optional<Refreshed>> refresh_session(store::Transaction& transaction, const TokenKeys& keys,
                                                 std::string_view token, const Client& client);
// The session of a token, whatever became of it.
Result<std::optional<Refreshed>> session_of(store::Reader& reader, std::string_view token);
// False where this user has no such session.
Result<bool> end_session(store::Transaction& transaction, std::string_view user_id,
                         std::string_view session_id);
// All of a user's but this one; empty: all.
Result<void> end_sessions(store::Transaction& transaction, std::string_view user_id, std::string_view but);

// Those that can still be refreshed, the latest first.
Result<std::vector<Session>> list_sessions(store::Reader& reader, std::string_view user_id, int64_t now_ms);
Result<bool> is_session(store::Reader& reader, std::string_view user_id, std::string_view session_id,
                        int64_t now_ms);

// Removes what has expired.
Result<int64_t> forget_sessions(store::Transaction& transaction);

}  // namespace hansard::auth
