// Keys of programs.

#include "auth/api_keys.h"

#include "api/v1/common.h"
#include "base/clock.h"

namespace hansard::api::v1 {
namespace {

bj::object to_json(const auth::ApiKey& key, int64_t now_ms) {
  bj::object json{{"id", key.id}, {"name", key.name}, {"description", key.description}};
  json["key_preview"] = key.preview;
  json["is_active"] = key.works_at(now_ms);
  json["scopes"] = key.can_write ? bj::array{"read", "write"} : bj::array{"read"};
  json["expires_at"] = time_or_null(key.expires_at_ms);
  json["last_used_at"] = time_or_null(key.last_used_at_ms);
  json["created_at"] = format_time(key.created_at_ms);
  json["updated_at"] = format_time(key.updated_at_ms);
  return json;
}

// ["read"] or ["read", "write"]; both where nothing is said.
Outcome<bool> may_write(const bj::object& body) {
  const bj::value* scopes = body.if_contains("scopes");
  if (scopes == nullptr || scopes->is_null()) return true;
  const auto wrong = [] { return fail(Problem(422, R"(must be ["read"] or ["read", "write"])", "scopes")); };
  if (!scopes->is_array() || scopes->get_array().empty()) return wrong();
  bool write = false;
  for (const bj::value& scope : scopes->get_array()) {
    if (scope != "read" && scope != "write") return wrong();
    write = write || scope == "write";
  }
  return write;
}

Outcome<std::optional<int64_t>> expiry(const bj::object& body, int64_t now_ms) {
  const auto text = TRY(text_field(body, "expires_at"));
  if (!text) return std::optional<int64_t>();
  const auto time_ms = parse_time(*text);
  if (!time_ms || *time_ms <= now_ms)
    return fail(Problem(422, "must be a time to come, as 2026-11-24T12:00:00Z", "expires_at"));
  return time_ms;
}

Answer list(Services& services, const Request& request) {
  const auto keys = TRY(read<std::vector<auth::ApiKey>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<auth::ApiKey>> {
        return TRY(auth::list_api_keys(reader, user_of(services, request)));
      }));
  bj::array items;
  for (const auth::ApiKey& key : keys) items.push_back(to_json(key, services.store.now_ms()));
  return http::json_response(200, page_json(std::move(items)));
}

Answer create(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"name", "description", "scopes", "expires_at"}));
  const auto name = TRY(text_field(body, "name"));
  if (!name) return fail(Problem(422, "say what the key is for", "name"));
  const auth::NewApiKey wanted{.user_id = user_of(services, request),
                               .name = *name,
                               .description = TRY(text_field(body, "description")).value_or(""),
                               .can_write = TRY(may_write(body)),
                               .expires_at_ms = TRY(expiry(body, services.store.now_ms()))};
  const auto made = TRY(
      write<auth::MadeApiKey>(services, [&](store::Transaction& transaction) -> Outcome<auth::MadeApiKey> {
        auto key = TRY(auth::add_api_key(transaction, wanted));
        TRY(auth::add_audit(transaction, audit_entry(request, "api_key.create", key.key.id)));
        return key;
      }));
  bj::object answer = to_json(made.key, services.store.now_ms());
  answer["key"] = made.secret;
  Response response = http::json_response(201, json::to_text(answer));
  response.with("Location", "/api/v1/api-keys/" + made.key.id);
  return response;
}

Answer remove(Services& services, const Request& request) {
  const std::string& id = request.parameters.at(0);
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    if (!TRY(auth::remove_api_key(transaction, user_of(services, request), id)))
      return fail(Problem(404, "there is no such key"));
    TRY(auth::add_audit(transaction, audit_entry(request, "api_key.delete", id)));
    return true;
  }));
  return http::text_response(204, "application/json", "");
}

}  // namespace

void add_key_routes(http::Router& router, Services& services) {
  router.get("/api/v1/api-keys", bind(services, list));
  router.post("/api/v1/api-keys", bind(services, create));
  router.add({"DELETE", "/api/v1/api-keys/{id}", bind(services, remove)});
}

}  // namespace hansard::api::v1
