#include "library/webhooks.h"

#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/v1/common.h"
#include "base/clock.h"

namespace hansard::api::v1 {
namespace {

constexpr const char* kBase = "/api/v1/webhooks";

// Without its secret.
bj::object to_json(const library::Webhook& webhook) {
  bj::object json{{"id", webhook.id}, {"url", webhook.url}};
  bj::array events;
  for (const std::string& name : webhook.events) events.emplace_back(name);
  json["events"] = std::move(events);
  json["created_at"] = format_time(webhook.created_at_ms);
  json["updated_at"] = format_time(webhook.updated_at_ms);
  return json;
}

bj::object to_json(const library::Delivery& delivery) {
  bj::object json{{"id", delivery.id}, {"event_id", delivery.event_id}};
  json["event"] = text_or_null(delivery.event);
  json["status"] = delivery.status;
  json["tries"] = delivery.tries;
  json["next_try_at"] = time_or_null(delivery.next_try_at_ms);
  json["response"] = text_or_null(delivery.response);
  json["created_at"] = format_time(delivery.created_at_ms);
  json["updated_at"] = format_time(delivery.updated_at_ms);
  return json;
}

// Names without repetition, in the order of the list of all.
Outcome<std::vector<std::string>> events_field(const bj::object& body) {
  const auto wrong = [] {
    return fail(Problem(422,
                        fmt::format("must be a list of some of {}", fmt::join(library::kWebhookEvents, ", ")),
                        "events"));
  };
  const bj::value* given = body.if_contains("events");
  if (given == nullptr || !given->is_array() || given->get_array().empty()) return wrong();
  std::set<std::string_view> wanted;
  for (const bj::value& name : given->get_array()) {
    if (!name.is_string()) return wrong();
    wanted.emplace(name.get_string());
  }
  std::vector<std::string> events;
  for (const std::string_view name : library::kWebhookEvents) {
    if (wanted.erase(name) > 0) events.emplace_back(name);
  }
  if (!wanted.empty()) return wrong();
  return events;
}

Answer list(Services& services, const Request& request) {
  const auto webhooks = TRY(read<std::vector<library::Webhook>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<library::Webhook>> {
        return TRY(library::list_webhooks(reader, user_of(services, request)));
      }));
  bj::array items;
  for (const library::Webhook& webhook : webhooks) items.push_back(to_json(webhook));
  return http::json_response(200, page_json(std::move(items)));
}

Answer create(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"url", "events"}));
  const std::string url = TRY(url_field(services, body));
  const std::vector<std::string> events = TRY(events_field(body));
  return make_once(
      services, request, json::to_text(body), 201, [&](store::Transaction& transaction) -> Outcome<Made> {
        const auto made = TRY(library::add_webhook(transaction, user_of(services, request), url, events));
        bj::object answer = to_json(made);
        answer["secret"] = made.secret;
        return Made{fmt::format("{}/{}", kBase, made.id), json::to_text(answer)};
      });
}

Answer remove(Services& services, const Request& request) {
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    if (!TRY(library::remove_webhook(transaction, user_of(services, request), request.parameters.at(0)))) {
      return fail(Problem(404, "there is no such webhook"));
    }
    return true;
  }));
  return http::text_response(204, "application/json", "");
}

// The newest first.
Outcome<library::Page> page_of_deliveries(const Request& request) {
  constexpr library::Sort kNewest{.by = library::SortBy::created_at, .descending = true};
  const int64_t limit = TRY(limit_of(request));
  const auto cursor = request.query_value("cursor");
  if (!cursor) return library::Page::first(kNewest, limit);
  auto page = library::parse_cursor(*cursor, kNewest, limit);
  if (!page) return fail(Problem(422, "is not the next_cursor of this list", "cursor"));
  return std::move(*page);
}

Answer deliveries(Services& services, const Request& request) {
  const library::Page page = TRY(page_of_deliveries(request));
  const auto found = TRY(read<std::vector<library::Delivery>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<library::Delivery>> {
        const auto webhook =
            TRY(library::find_webhook(reader, user_of(services, request), request.parameters.at(0)));
        if (!webhook) return fail(Problem(404, "there is no such webhook"));
        return TRY(library::list_deliveries(reader, webhook->id, page));
      }));
  bj::array items;
  for (const library::Delivery& delivery : found) items.push_back(to_json(delivery));
  return http::json_response(200, page_json(std::move(items), cursor_after(page, found)));
}

}  // namespace

void add_webhook_routes(http::Router& router, Services& services) {
  const std::string base = kBase;
  router.get(base, bind(services, list));
  router.post(base, bind(services, create));
  router.add({"DELETE", base + "/{id}", bind(services, remove)});
  router.get(base + "/{id}/deliveries", bind(services, deliveries));
}

}  // namespace hansard::api::v1
