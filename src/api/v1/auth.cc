// People: registering, logging in, sessions, passwords; and links to one recording.

#include <fmt/format.h>

#include "api/v1/common.h"
#include "auth/sessions.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/network.h"
#include "http/field.h"
#include "http/forwarded.h"

namespace hansard::api::v1 {
namespace {

using auth::Identity;

// Text that must be there; passwords are no titles, so any length up to a body's.
Outcome<std::string> needed_text(const bj::object& body, std::string_view name) {
  const bj::value* value = body.if_contains(name);
  if (value == nullptr || !value->is_string()) return fail(Problem(422, "must be text", std::string(name)));
  return std::string(value->get_string());
}

Outcome<std::string> new_username(const bj::object& body, std::string_view name) {
  std::string username = TRY(needed_text(body, name));
  if (auto good = auth::check_username(username); !good)
    return fail(Problem(422, good.error().message, std::string(name)));
  return username;
}

// A password, given twice.
Outcome<std::string> new_password(const bj::object& body, std::string_view name) {
  std::string password = TRY(needed_text(body, name));
  if (auto good = auth::check_password(password); !good)
    return fail(Problem(422, good.error().message, std::string(name)));
  if (TRY(needed_text(body, "confirm_password")) != password)
    return fail(Problem(422, "is not the same as the password", "confirm_password"));
  return password;
}

bj::object to_json(const auth::User& user) {
  return {{"id", user.id}, {"username", user.username}, {"role", auth::role_name(user.role)}};
}

Response entry_response(int status, const auth::Entry& entry) {
  bj::object body{{"access_token", entry.access_token}, {"refresh_token", entry.refresh_token}};
  body["token_type"] = "Bearer";
  body["expires_in"] = std::chrono::seconds(limits::kAccessTokenAge).count();
  body["user"] = to_json(entry.user);
  return http::json_response(status, json::to_text(body));
}

tl::unexpected<Problem> refused(std::string message) {
  Problem problem(401, std::move(message));
  problem.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"hansard\"");
  return fail(std::move(problem));
}

Outcome<auth::Entry> admitted(auth::Admission admission, std::string refusal) {
  if (admission.wait) {
    Problem problem(429, "too many wrong passwords; wait before the next");
    problem.headers.emplace_back("Retry-After", std::to_string(admission.wait->count()));
    return fail(std::move(problem));
  }
  if (!admission.entry) return refused(std::move(refusal));
  return std::move(*admission.entry);
}

// From this server's own page, which a browser of this machine shows: its origin is the Host that is asked.
bool is_own_origin(const Request& request, std::string_view origin) {
  const std::string host(request.header("host").value_or(""));
  return names_this_machine(http::without_port(host)) && http::same_origin(origin, {"", std::nullopt, host});
}

// Of this machine, as far as can be told, and not of a stranger's page that a browser of this machine shows.
bool is_local(const Services& services, const Request& request) {
  if (services.behind_proxy || request.header("forwarded") || request.header("x-forwarded-for") ||
      request.header("x-real-ip"))
    return false;
  const auto origin = request.header("origin");
  if (origin && !is_own_origin(request, *origin)) return false;
  const std::string_view site = request.header("sec-fetch-site").value_or("none");
  return (site == "none" || site == "same-origin") &&
         (request.peer.starts_with("127.") || request.peer == "::1" ||
          request.peer.starts_with("::ffff:127."));
}

Answer registration_status(Services& services, const Request&) {
  return http::json_response(
      200, json::to_text(bj::object{{"registration_enabled", TRY(services.accounts.may_register())}}));
}

Answer register_first(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"username", "password", "confirm_password", "setup_code"}));
  const std::string username = TRY(new_username(body, "username"));
  std::string password = TRY(new_password(body, "password"));
  const auto code = TRY(text_field(body, "setup_code"));
  if (!is_local(services, request) && !services.accounts.is_setup_code(code.value_or(""))) {
    return fail(Problem(403,
                        "from another machine this needs the setup code that the server printed at its start",
                        "setup_code"));
  }
  return entry_response(
      201, TRY(services.accounts.register_first(username, std::move(password), client_of(request))));
}

Answer login(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"username", "password"}));
  const std::string username = TRY(needed_text(body, "username"));
  std::string password = TRY(needed_text(body, "password"));
  return entry_response(
      200, TRY(admitted(TRY(services.accounts.login(username, std::move(password), client_of(request))),
                        "the user name or the password is wrong")));
}

Answer refresh(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"refresh_token"}));
  const std::string token = TRY(needed_text(body, "refresh_token"));
  const auto entry = TRY(services.accounts.refresh(token, client_of(request)));
  if (!entry) return refused("this session is over; log in");
  return entry_response(200, *entry);
}

Answer logout(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"refresh_token"}));
  TRY(services.accounts.logout(TRY(needed_text(body, "refresh_token"))));
  return http::json_response(200, R"({"ok":true})");
}

Answer me(Services&, const Request& request) {
  const Identity& caller = caller_of(request);
  return http::json_response(200, json::to_text(bj::object{{"id", caller.user_id},
                                                           {"username", caller.username},
                                                           {"role", auth::role_name(caller.role)}}));
}

// The caller, once more by its password.
Outcome<Identity> confirmed(Services& services, const Request& request, std::string password) {
  const Identity& caller = caller_of(request);
  if (caller.by != Identity::By::session)
    return fail(Problem(403, "nobody logs in here; start the server with HANSARD_AUTH=required"));
  TRY(admitted(TRY(services.accounts.confirm(caller, std::move(password), client_of(request))),
               "the password is wrong"));
  return caller;
}

Answer change_password(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"current_password", "new_password", "confirm_password"}));
  std::string current = TRY(needed_text(body, "current_password"));
  std::string next = TRY(new_password(body, "new_password"));
  const Identity caller = TRY(confirmed(services, request, std::move(current)));
  TRY(services.accounts.change_password(caller, std::move(next)));
  auth::add_audit_later(services.store, audit_entry(request, "user.password", caller.user_id));
  return http::json_response(200, R"({"ok":true})");
}

Answer change_username(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"new_username", "password"}));
  const std::string username = TRY(new_username(body, "new_username"));
  const Identity caller = TRY(confirmed(services, request, TRY(needed_text(body, "password"))));
  const auto user =
      TRY(write<auth::User>(services, [&](store::Transaction& transaction) -> Outcome<auth::User> {
        auto changed = TRY(auth::change_user(transaction, caller.user_id, {.username = username}));
        if (!changed) return fail(Problem(404, "there is no such user"));
        TRY(auth::add_audit(transaction, audit_entry(request, "user.name", caller.user_id, username)));
        return std::move(*changed);
      }));
  return http::json_response(200, json::to_text(to_json(user)));
}

Answer sessions(Services& services, const Request& request) {
  const auto found = TRY(read<std::vector<auth::Session>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<auth::Session>> {
        return TRY(auth::list_sessions(reader, user_of(services, request), services.store.now_ms()));
      }));
  bj::array items;
  for (const auth::Session& session : found) {
    bj::object item{
        {"id", session.id}, {"address", session.client->address}, {"client", session.client->program}};
    item["is_current"] = session.id == caller_of(request).credential;
    item["created_at"] = format_time(session.created_at_ms);
    item["last_used_at"] = format_time(session.last_used_at_ms);
    item["expires_at"] = format_time(session.expires_at_ms);
    items.push_back(std::move(item));
  }
  return http::json_response(200, page_json(std::move(items)));
}

Answer end_session(Services& services, const Request& request) {
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    if (!TRY(auth::end_session(transaction, user_of(services, request), request.parameters.at(0))))
      return fail(Problem(404, "there is no such session"));
    return true;
  }));
  return http::text_response(204, "application/json", "");
}

// ---- links

Answer link(Services& services, const Request& request, const std::string& resource) {
  const auto token = services.accounts.audio_token(caller_of(request), resource);
  bj::object body{{"token", token.token}, {"expires_at", format_time(token.expires_at_ms)}};
  body["url"] = fmt::format("{}{}?stream_token={}", services.base_path, resource, token.token);
  return http::json_response(201, json::to_text(body));
}

Answer link_to_file(Services& services, const Request& request) {
  const std::string& id = request.parameters.at(0);
  TRY(read<bool>(services, [&](store::Reader& reader) -> Outcome<bool> {
    if (!TRY(library::find_file(reader, user_of(services, request), id)))
      return fail(Problem(404, "there is no such file"));
    return true;
  }));
  return link(services, request, fmt::format("/api/v1/files/{}/audio", id));
}

Answer link_to_transcription(Services& services, const Request& request) {
  const std::string& id = request.parameters.at(0);
  TRY(read<bool>(services, [&](store::Reader& reader) -> Outcome<bool> {
    if (!TRY(library::find_transcription(reader, user_of(services, request), id)))
      return fail(Problem(404, "there is no such transcription"));
    return true;
  }));
  return link(services, request, fmt::format("/api/v1/transcriptions/{}/audio", id));
}

}  // namespace

void add_auth_routes(http::Router& router, Services& services) {
  const std::string base = "/api/v1/auth/";
  // Those that check or make a password.
  const auto add_slow = [&](const char* name, Bound handler) {
    router.add({.method = "POST", .pattern = base + name, .handler = bind(services, handler), .slow = true});
  };
  router.get(base + "registration-status", bind(services, registration_status));
  add_slow("register", register_first);
  add_slow("login", login);
  add_slow("change-password", change_password);
  add_slow("change-username", change_username);
  router.post(base + "refresh", bind(services, refresh));
  router.post(base + "logout", bind(services, logout));
  router.get(base + "me", bind(services, me));
  router.get(base + "sessions", bind(services, sessions));
  router.add({"DELETE", base + "sessions/{id}", bind(services, end_session)});
  router.post("/api/v1/files/{id}/audio-token", bind(services, link_to_file));
  router.post("/api/v1/transcriptions/{id}/audio-token", bind(services, link_to_transcription));
}

}  // namespace hansard::api::v1
