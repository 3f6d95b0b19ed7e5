#include "library/webhooks.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/id.h"
#include "base/limits.h"

#define WEBHOOK_COLUMNS "id, user_id, url, events, secret, created_at, updated_at"

namespace hansard::library {
namespace {

using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

constexpr size_t kSecretBytes = 32;

// ",a,b,": each name between commas, for those who look for one.
std::string joined(const std::vector<std::string>& events) {
  return fmt::format(",{},", fmt::join(events, ","));
}

std::vector<std::string> split(std::string_view joined) {
  std::vector<std::string> events;
  for (size_t at = 1; at < joined.size();) {
    const size_t end = joined.find(',', at);
    events.emplace_back(joined.substr(at, end - at));
    at = end + 1;
  }
  return events;
}

Webhook webhook_from(const Row& row) {
  return {.id = row.text(0),
          .user_id = row.text(1),
          .url = row.text(2),
          .events = split(row.text(3)),
          .secret = row.text(4),
          .created_at_ms = row.integer(5),
          .updated_at_ms = row.integer(6)};
}

}  // namespace

Result<Webhook> add_webhook(Transaction& transaction, std::string_view user_id, std::string_view url,
                            const std::vector<std::string>& events) {
  static constexpr Statement kCount{"webhooks.count", "SELECT COUNT(*) FROM webhooks WHERE user_id = $1"};
  static constexpr Statement kInsert{
      "webhooks.insert", "INSERT INTO webhooks (" WEBHOOK_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $6)"};
  if (TRY(transaction.row(kCount, user_id))->integer(0) >= limits::kWebhooksOfUser) {
    return fail(ErrorCode::conflict,
                fmt::format("there may be {} webhooks; delete one first", limits::kWebhooksOfUser));
  }
  const int64_t now = transaction.now_ms();
  Webhook made{.id = make_id("hook", now),
               .user_id = std::string(user_id),
               .url = std::string(url),
               .events = events,
               .secret = "whsec_" + random_hex(kSecretBytes),
               .created_at_ms = now,
               .updated_at_ms = now};
  TRY(transaction.change(kInsert, made.id, made.user_id, made.url, joined(events), made.secret, now));
  return made;
}

Result<bool> remove_webhook(Transaction& transaction, std::string_view user_id, std::string_view id) {
  static constexpr Statement kDeliveries{"webhooks.remove_deliveries",
                                         "DELETE FROM webhook_deliveries WHERE webhook_id IN (SELECT id FROM "
                                         "webhooks WHERE user_id = $1 AND id = $2)"};
  static constexpr Statement kRemove{"webhooks.remove",
                                     "DELETE FROM webhooks WHERE user_id = $1 AND id = $2"};
  TRY(transaction.change(kDeliveries, user_id, id));
  if (TRY(transaction.change(kRemove, user_id, id)) == 0) return false;
  transaction.notify({"webhooks_ended", std::string(id)});
  return true;
}

Result<std::optional<Webhook>> find_webhook(Reader& reader, std::string_view user_id, std::string_view id) {
  static constexpr Statement kFind{"webhooks.find",
                                   "SELECT " WEBHOOK_COLUMNS " FROM webhooks WHERE user_id = $1 AND id = $2"};
  const auto row = TRY(reader.row(kFind, user_id, id));
  return row ? std::optional(webhook_from(*row)) : std::nullopt;
}

Result<std::vector<Webhook>> list_webhooks(Reader& reader, std::string_view user_id) {
  static constexpr Statement kList{
      "webhooks.list", "SELECT " WEBHOOK_COLUMNS " FROM webhooks WHERE user_id = $1 ORDER BY created_at, id"};
  std::vector<Webhook> webhooks;
  for (const Row& row : TRY(reader.rows(kList, user_id))) webhooks.push_back(webhook_from(row));
  return webhooks;
}

Result<std::vector<Delivery>> list_deliveries(Reader& reader, std::string_view webhook_id, const Page& page) {
  static constexpr Statement kList{
      "webhooks.deliveries",
      "SELECT d.id, d.event_id, e.name, d.status, d.tries, d.available_at, d.response, d.created_at, "
      "d.updated_at FROM webhook_deliveries d LEFT JOIN events e ON e.id = d.event_id "
      "WHERE d.webhook_id = $1 AND (d.created_at, d.id) < ($2, $3) ORDER BY d.created_at DESC, d.id DESC "
      "LIMIT $4"};
  std::vector<Delivery> deliveries;
  for (const Row& row :
       TRY(reader.rows(kList, webhook_id, std::get<int64_t>(page.after_key), page.after_id, page.limit))) {
    deliveries.push_back({.id = row.text(0),
                          .event_id = row.integer(1),
                          .event = row.text_if(2),
                          .status = row.text(3),
                          .tries = row.integer(4),
                          .next_try_at_ms = row.integer_if(5),
                          .response = row.text_if(6),
                          .created_at_ms = row.integer(7),
                          .updated_at_ms = row.integer(8)});
  }
  return deliveries;
}

Result<void> forget_deliveries(Transaction& transaction) {
  static constexpr Statement kForget{"webhooks.forget_deliveries",
                                     "DELETE FROM webhook_deliveries WHERE created_at < $1"};
  const int64_t before_ms = transaction.now_ms() - std::chrono::milliseconds(limits::kEventAge).count();
  TRY(transaction.change(kForget, before_ms));
  return {};
}

std::string sign(std::string_view secret, int64_t time_s, std::string_view body) {
  const std::string text = fmt::format("{}.{}", time_s, body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> tag{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), tag.data(), &size);
  return fmt::format("t={},v1={:02x}", time_s, fmt::join(tag.begin(), tag.begin() + size, ""));
}

}  // namespace hansard::library
