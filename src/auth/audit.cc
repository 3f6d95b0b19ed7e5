#include "auth/audit.h"

#include <limits>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

namespace hansard::auth {
namespace {

using store::Row;
using store::Statement;

std::optional<std::string_view> text_if(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

}  // namespace

Result<void> add_audit(store::Transaction& transaction, const AuditEntry& entry) {
  static constexpr Statement kInsert{"audit.insert",
                                     "INSERT INTO audit (user_id, credential, action, subject, detail, "
                                     "address, request_id, created_at) VALUES "
                                     "($1, $2, $3, $4, $5, $6, $7, $8)"};
  TRY(transaction.change(kInsert, text_if(entry.user_id), text_if(entry.credential), entry.action,
                         text_if(entry.subject), text_if(entry.detail), text_if(entry.address),
                         text_if(entry.request_id), transaction.now_ms()));
  json::bj::object line{{"audit", entry.action}, {"user", entry.user_id}, {"subject", entry.subject}};
  line["detail"] = entry.detail;
  line["credential"] = entry.credential;
  line["peer"] = entry.address;
  line["request_id"] = entry.request_id;
  log::write(log::Level::info, json::to_text(line));
  return {};
}

void add_audit_later(store::Store& store, AuditEntry entry) {
  store.write_later(
      [entry = std::move(entry)](store::Transaction& transaction) { return add_audit(transaction, entry); },
      [](const Result<void>& done) {
        if (!done) log::error("an audit entry was lost: {} {}", done.error().message, done.error().detail);
      });
}

Result<std::vector<AuditEntry>> list_audit(store::Reader& reader, int64_t before_id, int64_t limit) {
  static constexpr Statement kList{"audit.list",
                                   "SELECT id, user_id, credential, action, subject, detail, address, "
                                   "request_id, created_at FROM audit WHERE id "
                                   "< $1 ORDER BY id DESC LIMIT $2"};
  const int64_t before = before_id == 0 ? std::numeric_limits<int64_t>::max() : before_id;
  std::vector<AuditEntry> entries;
  for (const Row& row : TRY(reader.rows(kList, before, limit))) {
    entries.push_back({row.integer(0), row.text_or_empty(1), row.text_or_empty(2), row.text(3),
                       row.text_or_empty(4), row.text_or_empty(5), row.text_or_empty(6), row.text_or_empty(7),
                       row.integer(8)});
  }
  return entries;
}

Result<int64_t> forget_audit(store::Transaction& transaction) {
  static constexpr Statement kForget{"audit.forget", "DELETE FROM audit WHERE created_at < $1"};
  return transaction.change(kForget,
                            transaction.now_ms() - std::chrono::milliseconds(limits::kAuditAge).count());
}

}  // namespace hansard::auth
