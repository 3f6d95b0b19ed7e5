// What admins do: users, and who did what.

#include "api/v1/common.h"
#include "auth/sessions.h"
#include "base/clock.h"
#include "base/spelling.h"
#include "library/erasure.h"

namespace hansard::api::v1 {
namespace {

bj::object to_json(const auth::User& user) {
  bj::object json{{"id", user.id}, {"username", user.username}, {"role", auth::role_name(user.role)}};
  json["disabled"] = user.disabled_at_ms.has_value();
  json["created_at"] = format_time(user.created_at_ms);
  json["updated_at"] = format_time(user.updated_at_ms);
  return json;
}

Outcome<std::optional<auth::Role>> role_field(const bj::object& body) {
  const auto text = TRY(text_field(body, "role"));
  if (!text) return std::optional<auth::Role>();
  const auto role = auth::parse_role(*text);
  if (!role) return fail(Problem(422, "must be admin or user", "role"));
  return role;
}

// As a hash, which takes its time.
Outcome<std::optional<std::string>> password_field(Services& services, const bj::object& body) {
  const bj::value* value = body.if_contains("password");
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return fail(Problem(422, "must be text", "password"));
  std::string password(value->get_string());
  if (auto good = auth::check_password(password); !good)
    return fail(Problem(422, good.error().message, "password"));
  return std::optional(TRY(services.accounts.hash(std::move(password))));
}

Answer list(Services& services, const Request&) {
  const auto users = TRY(
      read<std::vector<auth::User>>(services, [&](store::Reader& reader) -> Outcome<std::vector<auth::User>> {
        return TRY(auth::list_users(reader));
      }));
  bj::array items;
  for (const auth::User& user : users) items.push_back(to_json(user));
  return http::json_response(200, page_json(std::move(items)));
}

Answer create(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"username", "password", "role"}));
  const auto username = TRY(text_field(body, "username"));
  if (auto good = auth::check_username(username.value_or("")); !good)
    return fail(Problem(422, good.error().message, "username"));
  const auto role = TRY(role_field(body));
  const auto hash = TRY(password_field(services, body));
  if (!hash) return fail(Problem(422, "must be text", "password"));
  const auto user =
      TRY(write<auth::User>(services, [&](store::Transaction& transaction) -> Outcome<auth::User> {
        auto added = TRY(auth::add_user(transaction, *username, role.value_or(auth::Role::user), *hash));
        TRY(auth::add_audit(transaction, audit_entry(request, "user.create", added.id, added.username)));
        return added;
      }));
  Response response = http::json_response(201, json::to_text(to_json(user)));
  response.with("Location", "/api/v1/admin/users/" + user.id);
  return response;
}

Answer change(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"role", "disabled", "password"}));
  auth::UserChange change{.role = TRY(role_field(body)), .disabled = TRY(truth_field(body, "disabled"))};
  change.hash = TRY(password_field(services, body));
  const auto user =
      TRY(write<auth::User>(services, [&](store::Transaction& transaction) -> Outcome<auth::User> {
        auto changed = TRY(auth::change_user(transaction, request.parameters.at(0), change));
        if (!changed) return fail(Problem(404, "there is no such user"));
        // Who was in by what holds no more is out; an admin who gives himself a password stays in here.
        const std::string& own = caller_of(request).credential;
        const bool self = changed->id == caller_of(request).user_id;
        if (change.hash || change.disabled == true)
          TRY(auth::end_sessions(transaction, changed->id, self ? own : ""));
        std::string what;
        for (const auto& field : body) what += (what.empty() ? "" : ", ") + std::string(field.key());
        TRY(auth::add_audit(transaction, audit_entry(request, "user.change", changed->id, what)));
        return std::move(*changed);
      }));
  return http::json_response(200, json::to_text(to_json(user)));
}

// With everything the user has, who is shut out first, so that it becomes no more.
Answer remove(Services& services, const Request& request) {
  const std::string& id = request.parameters.at(0);
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    if (!TRY(auth::find_user(transaction, id))) return fail(Problem(404, "there is no such user"));
    TRY(auth::refuse_last_admin(transaction, id));
    TRY(auth::change_user(transaction, id, {.disabled = true}));
    return true;
  }));
  TRY(library::erase_passages(services.store, id));
  const auto files = TRY(write<std::vector<library::File>>(
      services, [&](store::Transaction& transaction) -> Outcome<std::vector<library::File>> {
        const auto user = TRY(auth::find_user(transaction, id));
        if (!user) return fail(Problem(404, "there is no such user"));
        auto erased = TRY(library::erase_rows(transaction, id));
        TRY(auth::remove_user(transaction, id));
        TRY(auth::add_audit(transaction, audit_entry(request, "user.delete", id, user->username)));
        return erased;
      }));
  for (const library::File& file : files) {
    library::erase_recording(services.store, services.blobs, services.artifacts, file);
  }
  return http::text_response(204, "application/json", "");
}

Answer audit(Services& services, const Request& request) {
  const int64_t limit = TRY(limit_of(request));
  const auto cursor = request.query_value("cursor");
  const int64_t before = cursor ? parse_integer(*cursor).value_or(0) : 0;
  if (cursor && before < 1) return fail(Problem(422, "is not the next_cursor of this list", "cursor"));
  const auto entries = TRY(read<std::vector<auth::AuditEntry>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<auth::AuditEntry>> {
        return TRY(auth::list_audit(reader, before, limit));
      }));
  bj::array items;
  const auto text = [](const std::string& value) {
    return value.empty() ? bj::value(nullptr) : bj::value(value);
  };
  for (const auth::AuditEntry& entry : entries) {
    bj::object item{{"id", std::to_string(entry.id)}, {"action", entry.action}};
    item["user_id"] = text(entry.user_id);
    item["credential"] = text(entry.credential);
    item["subject"] = text(entry.subject);
    item["detail"] = text(entry.detail);
    item["address"] = text(entry.address);
    item["request_id"] = text(entry.request_id);
    item["created_at"] = format_time(entry.created_at_ms);
    items.push_back(std::move(item));
  }
  const bool more = static_cast<int64_t>(entries.size()) == limit;
  return http::json_response(
      200,
      page_json(std::move(items), more ? std::optional(std::to_string(entries.back().id)) : std::nullopt));
}

}  // namespace

void add_admin_routes(http::Router& router, Services& services) {
  const std::string users = "/api/v1/admin/users";
  router.get(users, bind(services, list));
  router.add({.method = "POST", .pattern = users, .handler = bind(services, create), .slow = true});
  router.add(
      {.method = "PATCH", .pattern = users + "/{id}", .handler = bind(services, change), .slow = true});
  router.add(
      {.method = "DELETE", .pattern = users + "/{id}", .handler = bind(services, remove), .slow = true});
  router.get("/api/v1/admin/audit", bind(services, audit));
}

}  // namespace hansard::api::v1
