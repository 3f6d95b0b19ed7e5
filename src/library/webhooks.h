// Receivers that a user wants told what happens. An event that one of them wants is a delivery, written with
// the event itself (jobs/state.h); deliveries are made by library/deliveries.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "library/listing.h"
#include "store/store.h"

namespace hansard::library {

// What can be asked for: the events that are kept.
inline constexpr std::array<std::string_view, 14> kWebhookEvents{"transcription.created",
                                                                 "transcription.queued",
                                                                 "transcription.updated",
                                                                 "transcription.completed",
                                                                 "transcription.failed",
                                                                 "transcription.canceled",
                                                                 "transcription.deleted",
                                                                 "file.processing",
                                                                 "file.ready",
                                                                 "file.updated",
                                                                 "file.failed",
                                                                 "file.deleted",
                                                                 "model.ready",
                                                                 "model.failed"};

// Times are milliseconds since 1970.
struct Webhook {
  std::string id;  // "hook_…"
  std::string user_id;
  std::string url;
  std::vector<std::string> events;
  std::string secret;  // signs what it is sent
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
};

// Each is part of the caller's transaction. Errors: conflict for more than limits say.
Result<Webhook> add_webhook(store::Transaction& transaction, std::string_view user_id, std::string_view url,
                            const std::vector<std::string>& events);
// With its deliveries; one that is on its way ends. False where this user has no such webhook.
Result<bool> remove_webhook(store::Transaction& transaction, std::string_view user_id, std::string_view id);

Result<std::optional<Webhook>> find_webhook(store::Reader& reader, std::string_view user_id,
                                            std::string_view id);
// The oldest first.
Result<std::vector<Webhook>> list_webhooks(store::Reader& reader, std::string_view user_id);

struct Delivery {
  std::string id;
  int64_t event_id = 0;
  std::optional<std::string> event;  // its name; nothing once it is no longer kept
  std::string status;                // "pending", "delivered", "failed"
  int64_t tries = 0;
  std::optional<int64_t> next_try_at_ms;
  std::optional<std::string> response;  // what came of the last try: "200", or why there was no answer
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
};
// The newest first.
Result<std::vector<Delivery>> list_deliveries(store::Reader& reader, std::string_view webhook_id,
                                              const Page& page);

// Removes deliveries that are as old as events that are no longer kept; their last try was days ago.
Result<void> forget_deliveries(store::Transaction& transaction);

// "t=1764172800,v1=<hex>": HMAC-SHA256 with the secret over "<t>.<body>".
std::string sign(std::string_view secret, int64_t time_s, std::string_view body);

}  // namespace hansard::library
