// Who did what: acts of admins, logins, and who read or exported a transcript. Rows, and lines of the log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.h"
#include "store/store.h"

namespace hansard::auth {

struct AuditEntry {
  int64_t id = 0;
  std::string user_id;     // empty: nobody known
  std::string credential;  // the session's or key's id
  std::string action;      // "transcript.read"
  std::string subject;     // the id of what it was done to
  std::string detail;      // "srt"; never a secret
  std::string address;
  std::string request_id;
  int64_t created_at_ms = 0;
};

// Part of the caller's transaction, so that an act and its entry are both there or neither; the log has it
// at once.
Result<void> add_audit(store::Transaction& transaction, const AuditEntry& entry);
// For what is only read: the entry is written when it suits the store.
void add_audit_later(store::Store& store, AuditEntry entry);

// The latest first; those before `before_id` where it is not 0.
Result<std::vector<AuditEntry>> list_audit(store::Reader& reader, int64_t before_id, int64_t limit);
// Removes what is older than limits say.
Result<int64_t> forget_audit(store::Transaction& transaction);

}  // namespace hansard::auth
