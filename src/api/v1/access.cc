#include "api/v1/access.h"

#include <algorithm>
#include <array>

#include "auth/accounts.h"

namespace hansard::api::v1 {
namespace {

using auth::Identity;
using http::Outcome;
using http::Problem;
using http::Request;
using http::Route;

// What anyone may ask.
constexpr std::array<std::string_view, 9> kOpen{"/health",
                                                "/docs",
                                                "/openapi.json",
                                                "/api/v1/health",
                                                "/api/v1/ready",
                                                "/api/v1/auth/registration-status",
                                                "/api/v1/auth/register",
                                                "/api/v1/auth/login",
                                                "/api/v1/auth/refresh"};
// Refresh tokens say whose they are.
constexpr std::string_view kLogout = "/api/v1/auth/logout";
// What a link to one recording opens.
constexpr std::array<std::string_view, 2> kAudio{"/api/v1/files/{id}/audio",
                                                 "/api/v1/transcriptions/{id}/audio"};
// For people, not for their programs: whoever finds a key must not make more of it.
constexpr std::array<std::string_view, 3> kPeople{"/api/v1/admin", "/api/v1/api-keys", "/api/v1/auth"};
constexpr std::string_view kMe = "/api/v1/auth/me";
constexpr std::string_view kAdmin = "/api/v1/admin";
// Of the caller, unless an admin asks for more.
constexpr std::string_view kQueue = "/api/v1/admin/queue";
// Models are the installation's.
constexpr std::string_view kModels = "/api/v1/models";

template <typename List>
bool holds(const List& list, std::string_view pattern) {
  return std::find(list.begin(), list.end(), pattern) != list.end();
}

bool is_below(std::string_view pattern, std::string_view folder) {
  return pattern.starts_with(folder) && (pattern.size() == folder.size() || pattern[folder.size()] == '/');
}

bool is_open(std::string_view pattern) {
  return holds(kOpen, pattern) || pattern == kLogout || is_below(pattern, "/docs");
}

bool is_for_people(std::string_view pattern) {
  return pattern != kMe && std::any_of(kPeople.begin(), kPeople.end(), [&](std::string_view folder) {
           return is_below(pattern, folder) || pattern.starts_with(std::string(folder) + ":");
         });
}

bool is_for_admins(const Route& route) {
  if (is_below(route.pattern, kModels)) return route.method != "GET";
  return is_below(route.pattern, kAdmin) && route.pattern != kQueue;
}

// Making a link to a recording reads it.
bool changes_something(const Route& route) {
  return route.method != "GET" && !route.pattern.ends_with("/audio-token");
}

std::string resource_of(const Route& route, const Request& request) {
  std::string resource = route.pattern;
  const size_t open = resource.find('{');
  return resource.replace(open, resource.find('}') + 1 - open, request.parameters.at(0));
}

// The same words whatever was wrong.
tl::unexpected<Problem> unknown_caller() {
  Problem problem(401,
                  "say who you are: Authorization: Bearer with an access token, or X-API-Key with a key");
  problem.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"hansard\"");
  return fail(std::move(problem));
}

Outcome<void> check_rights(const Route& route, const Identity& identity) {
  const bool person = identity.by == Identity::By::session || identity.by == Identity::By::nobody;
  if (!person && is_for_people(route.pattern)) {
    return fail(Problem(403, "keys of programs do not reach this; log in"));
  }
  if (identity.role != auth::Role::admin && is_for_admins(route))
    return fail(Problem(403, "this is for admins"));
  if (!identity.can_write && changes_something(route)) return fail(Problem(403, "this key may read alone"));
  return {};
}

}  // namespace

http::Guard make_guard(Services& services) {
  return [&services](const Route& route, Request& request) -> Outcome<void> {
    if (is_open(route.pattern)) return {};
    auth::Credentials credentials{.api_key = request.header("x-api-key"),
                                  .authorization = request.header("authorization")};
    std::optional<std::string> token;
    std::string resource;
    if (route.method == "GET" && holds(kAudio, route.pattern)) {
      token = request.query_value("stream_token");
      resource = resource_of(route, request);
      if (token) credentials.audio_token = *token;
      credentials.resource = resource;
    }
    const auto identity = TRY(services.accounts.identify(credentials));
    if (!identity) return unknown_caller();
    TRY(check_rights(route, *identity));
    request.caller = *identity;
    return {};
  };
}

const Identity& caller_of(const Request& request) {
  return std::any_cast<const Identity&>(request.caller);
}

auth::Client client_of(const Request& request) {
  constexpr size_t kLongest = 200;
  return {.address = request.peer,
          .program = std::string(request.header("user-agent").value_or("").substr(0, kLongest))};
}

}  // namespace hansard::api::v1
