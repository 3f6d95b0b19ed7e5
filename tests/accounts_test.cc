// Accounts as people and programs meet them: a server that wants to know who asks.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "base/limits.h"
#include "program.h"
#include "serving.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using http::Client;
using http::ClientResponse;

constexpr const char* kPassword = "correct horse";

bj::object object(const ClientResponse& response) {
  return json::parse_object(response.body).value_or(bj::object());
}
std::string text(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}
std::string error_text(const ClientResponse& response, std::string_view name) {
  const bj::object answer = object(response);
  const bj::value* error = answer.if_contains("error");
  return error != nullptr && error->is_object() ? text(error->get_object(), name) : "";
}
std::string bearer(const std::string& token) {
  return "Authorization: Bearer " + token + "\r\n";
}
std::string body_of(const bj::object& body) {
  return json::to_text(body);
}

// Someone who has logged in.
struct Person {
  std::string id;
  std::string access;
  std::string refresh;
  std::string header() const { return bearer(access); }
};

class Accounts : public Program {
 protected:
  Serving serve(const std::vector<std::string>& more = {}, const std::string& data = "data") const {
    std::vector<std::string> environment{fmt::format("PATH={}", std::getenv("PATH")),
                                         fmt::format("HOME={}", (folder_ / "home").string()),
                                         fmt::format("HANSARD_DATA_DIR={}", (folder_ / data).string()),
                                         "HANSARD_MODEL_PATH=none",
                                         "SPEECH_ENGINE_AUTO_DOWNLOAD=false",
                                         "LC_ALL=C.UTF-8"};
    environment.insert(environment.end(), more.begin(), more.end());
    if (more.empty() || !more.front().starts_with("HANSARD_AUTH="))
      environment.emplace_back("HANSARD_AUTH=required");
    return {HANSARD_BINARY_DIR "/bin/hansard", folder_ / (data + ".log"), environment};
  }
  static Person person_of(const ClientResponse& response) {
    const bj::object answer = object(response);
    const bj::value* user = answer.if_contains("user");
    if (user == nullptr) return {};
    return {text(user->as_object(), "id"), text(answer, "access_token"), text(answer, "refresh_token")};
  }
  static Person register_first(const Serving& server, const std::string& name = "ada") {
    return person_of(server.request(
        "POST", "/api/v1/auth/register",
        body_of({{"username", name}, {"password", kPassword}, {"confirm_password", kPassword}})));
  }
  static ClientResponse try_login(const Serving& server, const std::string& name,
                                  const std::string& password = kPassword) {
    return server.request("POST", "/api/v1/auth/login",
                          body_of({{"username", name}, {"password", password}}));
  }
  static Person add_user(const Serving& server, const Person& admin, const std::string& name) {
    const auto made = server.request("POST", "/api/v1/admin/users",
                                     body_of({{"username", name}, {"password", kPassword}}), admin.header());
    EXPECT_EQ(made.status, 201) << made.body;
    return person_of(try_login(server, name));
  }
  // A key of this person: its row, with the secret as "key".
  static bj::object add_key(const Serving& server, const Person& person,
                            bj::array scopes = {"read", "write"}) {
    const auto made = server.request("POST", "/api/v1/api-keys",
                                     body_of({{"name", "script"}, {"scopes", scopes}}), person.header());
    EXPECT_EQ(made.status, 201) << made.body;
    return object(made);
  }
  static std::string upload(const Serving& server, const std::string& header) {
    const auto made =
        server.request("POST", "/api/v1/files", http::form(wav(16'000, [](size_t) { return 0.0; }), "a.wav"),
                       std::string(http::kFormHeader) + header);
    EXPECT_EQ(made.status, 201) << made.body;
    return text(object(made), "id");
  }
};

TEST_F(Accounts, TheFirstToRegisterHasWhatWasThereAndIsTheLastToDoSo) {
  std::string file;
  {
    Serving server = serve({"HANSARD_AUTH=none"});
    ASSERT_TRUE(server.listens()) << server.log();
    file = upload(server, "");
    EXPECT_EQ(text(object(server.get("/api/v1/auth/me")), "role"), "admin");
    server.child().kill(SIGKILL);
    server.child().wait();
  }
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  EXPECT_EQ(server.get("/api/v1/files/" + file).status, 401);
  EXPECT_EQ(server.get("/api/v1/auth/registration-status").body, R"({"registration_enabled":true})");

  const auto attempt = [&](bj::object body, const std::string& headers = "") {
    return server.request("POST", "/api/v1/auth/register", json::to_text(body), headers);
  };
  const bj::object good{{"username", "ada"}, {"password", kPassword}, {"confirm_password", kPassword}};
  for (const auto& [name, value] : {std::pair("username", "two words"), std::pair("password", "short"),
                                    std::pair("confirm_password", "something else")}) {
    bj::object wrong = good;
    wrong[name] = value;
    if (std::string_view(name) == "password") wrong["confirm_password"] = value;
    const auto refused = attempt(wrong);
    EXPECT_EQ(refused.status, 422) << name;
    EXPECT_EQ(error_text(refused, "field"), name);
  }
  // Whoever may be elsewhere needs the code; so does a page of elsewhere in a browser of this machine.
  for (const char* header : {"X-Forwarded-For: 203.0.113.5\r\n", "Origin: https://evil.example\r\n",
                             "Origin: http://localhost:1\r\n", "Sec-Fetch-Site: cross-site\r\n",
                             "Sec-Fetch-Site: same-site\r\n"}) {
    EXPECT_EQ(attempt(good, header).status, 403) << header;
  }
  bj::object with_code = good;
  with_code["setup_code"] = "0123456789abcdef";
  EXPECT_EQ(attempt(with_code, "X-Forwarded-For: 203.0.113.5\r\n").status, 403);
  constexpr std::string_view kSays = "needs the setup code ";
  const std::string log = server.log();
  const size_t at = log.find(kSays);
  ASSERT_NE(at, std::string::npos) << log;
  with_code["setup_code"] = log.substr(at + kSays.size(), 16);
  const auto made = attempt(with_code, "X-Forwarded-For: 203.0.113.5\r\n");
  ASSERT_EQ(made.status, 201) << made.body;
  const Person ada = person_of(made);
  EXPECT_EQ(server.request("GET", "/api/v1/files/" + file, {}, ada.header()).status, 200);
  EXPECT_EQ(attempt(good).status, 409);
  EXPECT_EQ(server.get("/api/v1/auth/registration-status").body, R"({"registration_enabled":false})");
}

TEST_F(Accounts, TheServersOwnPageOnThisMachineMakesTheFirstWithoutTheCode) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const bj::object ada{{"username", "ada"}, {"password", kPassword}, {"confirm_password", kPassword}};
  const auto made = server.request("POST", "/api/v1/auth/register", json::to_text(ada),
                                   "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n");
  EXPECT_EQ(made.status, 201) << made.body;
}

TEST_F(Accounts, APersonComesInGoesOnAndLeaves) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const Person ada = register_first(server);
  const bj::object me = object(server.request("GET", "/api/v1/auth/me", {}, ada.header()));
  EXPECT_EQ(text(me, "username"), "ada");
  EXPECT_EQ(text(me, "role"), "admin");

  const auto refresh = [&](const std::string& token) {
    return server.request("POST", "/api/v1/auth/refresh", body_of({{"refresh_token", token}}));
  };
  const Person again = person_of(refresh(ada.refresh));
  EXPECT_EQ(again.id, ada.id);
  EXPECT_NE(again.refresh, ada.refresh);
  EXPECT_EQ(server.request("GET", "/api/v1/auth/me", {}, again.header()).status, 200);
  const Person elsewhere = person_of(try_login(server, "ADA"));
  const bj::object sessions = object(server.request("GET", "/api/v1/auth/sessions", {}, ada.header()));
  EXPECT_EQ(sessions.at("items").as_array().size(), 2U);

  const auto change = [&](const char* current) {
    return server.request("POST", "/api/v1/auth/change-password",
                          body_of({{"current_password", current},
                                   {"new_password", "battery staple"},
                                   {"confirm_password", "battery staple"}}),
                          ada.header());
  };
  EXPECT_EQ(change("wrong horse").status, 401);
  EXPECT_EQ(change(kPassword).body, R"({"ok":true})");
  EXPECT_EQ(server.request("GET", "/api/v1/auth/me", {}, elsewhere.header()).status, 401);
  EXPECT_EQ(refresh(elsewhere.refresh).status, 401);
  EXPECT_EQ(try_login(server, "ada").status, 401);
  const auto renamed =
      server.request("POST", "/api/v1/auth/change-username",
                     body_of({{"new_username", "lovelace"}, {"password", "battery staple"}}), ada.header());
  EXPECT_EQ(text(object(renamed), "username"), "lovelace") << renamed.body;
  EXPECT_EQ(try_login(server, "lovelace", "battery staple").status, 200);

  EXPECT_EQ(server.request("POST", "/api/v1/auth/logout", body_of({{"refresh_token", again.refresh}})).body,
            R"({"ok":true})");
  EXPECT_EQ(server.request("GET", "/api/v1/auth/me", {}, ada.header()).status, 401);
}

TEST_F(Accounts, WhateverIsWrongTheAnswerIsTheSame) {
  Serving server = serve();
  Serving other = serve({}, "other");
  ASSERT_TRUE(server.listens() && other.listens());
  const Person ada = register_first(server);
  const Person stranger = register_first(other);
  const Person bob = add_user(server, ada, "bob");
  const Person eve = add_user(server, ada, "eve");
  const std::string key = text(add_key(server, ada), "key");
  const bj::object revoked = add_key(server, ada);
  EXPECT_EQ(server.request("DELETE", "/api/v1/api-keys/" + text(revoked, "id"), {}, ada.header()).status,
            204);
  EXPECT_EQ(
      server.request("PATCH", "/api/v1/admin/users/" + bob.id, R"({"disabled":true})", ada.header()).status,
      200);
  EXPECT_EQ(server.request("DELETE", "/api/v1/admin/users/" + eve.id, {}, ada.header()).status, 204);
  const std::string file = upload(server, ada.header());
  const std::string link = text(
      object(server.request("POST", "/api/v1/files/" + file + "/audio-token", {}, ada.header())), "token");
  ASSERT_FALSE(link.empty());

  const std::string claims = ada.access.substr(ada.access.find('.') + 1);
  const std::string unsigned_token =
      "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + claims.substr(0, claims.find('.')) + ".";
  std::string of_other_key = stranger.access;
  std::string expected;
  for (const std::string& headers :
       {std::string(), bearer("x"), bearer(unsigned_token), bearer(ada.access + "A"), bearer(of_other_key),
        bearer(ada.refresh), bearer(link), bearer(bob.access), bearer(eve.access),
        bearer(text(revoked, "key")), bearer(key + "A"), "X-API-Key: " + text(revoked, "key") + "\r\n",
        "X-API-Key: " + ada.access + "\r\n", std::string("X-API-Key: \r\n"),
        std::string("Authorization: Basic YWRhOmFkYQ==\r\n"),
        std::string("Cookie: access_token=") + ada.access + "\r\n"}) {
    const auto response = server.request("GET", "/api/v1/files", {}, headers + "X-Request-ID: same\r\n");
    EXPECT_EQ(response.status, 401) << headers;
    EXPECT_EQ(response.headers.at("www-authenticate"), "Bearer realm=\"hansard\"");
    if (expected.empty()) expected = response.body;
    EXPECT_EQ(response.body, expected) << headers;
  }
  EXPECT_EQ(server.get("/api/v1/files?access_token=" + ada.access).status, 401);
  EXPECT_EQ(server.get("/api/v1/files?stream_token=" + link).status, 401);
  EXPECT_EQ(server.request("GET", "/api/v1/files", {}, bearer(key)).status, 200);

  // And the same whether a user is not there, is disabled, or has another password.
  expected.clear();
  for (const auto& [name, password] : {std::pair("ada", "wrong horse"), std::pair("nobody", kPassword),
                                       std::pair("bob", kPassword), std::pair("eve", kPassword)}) {
    const auto response =
        server.request("POST", "/api/v1/auth/login", body_of({{"username", name}, {"password", password}}),
                       "X-Request-ID: same\r\n");
    EXPECT_EQ(response.status, 401) << name;
    if (expected.empty()) expected = response.body;
    EXPECT_EQ(response.body, expected) << name;
  }
  // A refused upload is told so before its body.
  Client client(server.port());
  client.send(
      "POST /api/v1/files HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: "
      "100000000\r\n" +
      std::string(http::kFormHeader) + "\r\n");
  EXPECT_EQ(client.receive().status, 401);
}

TEST_F(Accounts, KeysOfProgramsDoWhatTheyAreForAndNoMore) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const Person ada = register_first(server);
  const bj::object full = add_key(server, ada);
  const bj::object reading = add_key(server, ada, {"read"});
  const std::string full_header = "X-API-Key: " + text(full, "key") + "\r\n";
  const std::string reading_header = "X-API-Key: " + text(reading, "key") + "\r\n";
  const std::string file = upload(server, full_header);

  EXPECT_EQ(server.request("GET", "/api/v1/files/" + file, {}, reading_header).status, 200);
  EXPECT_EQ(server.request("PATCH", "/api/v1/files/" + file, R"({"title":"b"})", reading_header).status, 403);
  EXPECT_EQ(server.request("DELETE", "/api/v1/files/" + file, {}, reading_header).status, 403);
  EXPECT_EQ(server
                .request("POST", "/api/v1/files", http::form("RIFF", "a.wav"),
                         std::string(http::kFormHeader) + reading_header)
                .status,
            403);
  EXPECT_EQ(server.request("PATCH", "/api/v1/files/" + file, R"({"title":"b"})", full_header).status, 200);

  for (const char* route : {"GET /api/v1/api-keys", "POST /api/v1/api-keys", "GET /api/v1/admin/users",
                            "POST /api/v1/admin/users", "GET /api/v1/admin/audit", "GET /api/v1/admin/queue",
                            "GET /api/v1/auth/sessions", "POST /api/v1/auth/change-password",
                            "POST /api/v1/auth/change-username"}) {
    const std::string line(route);
    const size_t space = line.find(' ');
    EXPECT_EQ(server
                  .request(line.substr(0, space), line.substr(space + 1),
                           line.starts_with("POST") ? "{}" : "", full_header)
                  .status,
              403)
        << route;
  }
  EXPECT_EQ(text(object(server.request("GET", "/api/v1/auth/me", {}, full_header)), "username"), "ada");

  // The list shows no secret, and when a key was used.
  const auto list = server.request("GET", "/api/v1/api-keys", {}, ada.header());
  EXPECT_EQ(list.body.find(text(full, "key")), std::string::npos);
  EXPECT_FALSE(text(object(list).at("items").at(0).as_object(), "last_used_at").empty());
  for (const auto& [field, body] :
       {std::pair("scopes", R"({"name":"a","scopes":["admin"]})"),
        std::pair("scopes", R"({"name":"a","scopes":[]})"),
        std::pair("expires_at", R"({"name":"a","expires_at":"2020-01-01T00:00:00Z"})"),
        std::pair("name", "{}")}) {
    const auto refused = server.request("POST", "/api/v1/api-keys", body, ada.header());
    EXPECT_EQ(refused.status, 422) << body;
    EXPECT_EQ(error_text(refused, "field"), field);
  }
}

TEST_F(Accounts, ALinkOpensOneRecordingForReading) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const Person ada = register_first(server);
  const std::string file = upload(server, ada.header());
  const std::string second = upload(server, ada.header());
  const auto made = server.request("POST", "/api/v1/files/" + file + "/audio-token", {}, ada.header());
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string url = text(object(made), "url");
  EXPECT_EQ(server.get(url).body.substr(0, 4), "RIFF");
  EXPECT_EQ(server.request("GET", url, {}, "Range: bytes=0-3\r\n").status, 206);
  Client head(server.port());
  head.send("HEAD " + url + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(head.receive(true).status, 200);
  const std::string query = url.substr(url.find('?'));
  EXPECT_EQ(server.get("/api/v1/files/" + second + "/audio" + query).status, 401);
  EXPECT_EQ(server.get("/api/v1/files/" + file + query).status, 401);
  EXPECT_EQ(server.request("DELETE", "/api/v1/files/" + file + query).status, 401);
  EXPECT_EQ(server.log().find(query.substr(14)), std::string::npos) << "queries are not logged";
}

TEST_F(Accounts, AnothersThingsAreNotThere) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const Person ada = register_first(server);
  const Person bob = add_user(server, ada, "bob");
  const std::string file = upload(server, ada.header());
  const auto submitted =
      server.request("POST", "/api/v1/transcriptions", body_of({{"file_id", file}}), ada.header());
  const std::string job = text(object(submitted), "id");
  ASSERT_FALSE(job.empty()) << submitted.body;
  const std::string profile =
      text(object(server.request("POST", "/api/v1/profiles", R"({"name":"mine"})", ada.header())), "id");
  const std::string key = text(add_key(server, ada), "id");
  const std::string session = text(
      object(server.request("GET", "/api/v1/auth/sessions", {}, ada.header())).at("items").at(0).as_object(),
      "id");
  const std::string parts = text(
      object(server.request("POST", "/api/v1/uploads", R"({"name":"a.wav","size_bytes":100})", ada.header())),
      "id");
  const std::string hook =
      text(object(server.request("POST", "/api/v1/webhooks",
                                 R"({"url":"https://example.org/","events":["file.ready"]})", ada.header())),
           "id");
  ASSERT_FALSE(profile.empty() || key.empty() || session.empty() || parts.empty() || hook.empty());

  const std::map<std::string, std::string> ids{{"FILE", file}, {"JOB", job},         {"PROFILE", profile},
                                               {"KEY", key},   {"SESSION", session}, {"UPLOAD", parts},
                                               {"HOOK", hook}};
  for (const char* route :
       {"GET /files/FILE",
        "PATCH /files/FILE {\"title\":\"x\"}",
        "DELETE /files/FILE",
        "DELETE /files/FILE?purge=true",
        "POST /files/FILE:restore",
        "GET /files/FILE/audio",
        "POST /files/FILE/audio-token",
        "POST /transcriptions {\"file_id\":\"FILE\"}",
        "GET /transcriptions/JOB",
        "PATCH /transcriptions/JOB {\"title\":\"x\"}",
        "DELETE /transcriptions/JOB",
        "POST /transcriptions/JOB:cancel",
        "POST /transcriptions/JOB:stop",
        "POST /transcriptions/JOB:retry",
        "GET /transcriptions/JOB/transcript",
        "GET /transcriptions/JOB/transcript?partial=true",
        "PATCH /transcriptions/JOB/transcript {\"segments\":[{\"id\":\"x\",\"text\":\"x\"}]}",
        "POST /transcriptions/JOB/transcript:split {\"segment\":\"x\",\"word\":1}",
        "POST /transcriptions/JOB/transcript:join {\"segments\":[\"x\",\"y\"]}",
        "POST /transcriptions/JOB/transcript:restore {\"version\":1}",
        "GET /transcriptions/JOB/transcript/versions",
        "PATCH /transcriptions/JOB/speakers {\"SPEAKER_00\":\"x\"}",
        "POST /transcriptions/JOB/speakers:merge {\"from\":\"x\",\"into\":\"y\"}",
        "GET /transcriptions/JOB/executions",
        "GET /transcriptions/JOB/logs",
        "GET /transcriptions/JOB/audio",
        "GET /transcriptions/JOB/events",
        "POST /transcriptions/JOB/audio-token",
        "GET /profiles/PROFILE",
        "PATCH /profiles/PROFILE {\"name\":\"x\"}",
        "DELETE /profiles/PROFILE",
        "POST /profiles/PROFILE:set-default",
        "DELETE /webhooks/HOOK",
        "GET /webhooks/HOOK/deliveries",
        "DELETE /api-keys/KEY",
        "DELETE /auth/sessions/SESSION",
        "GET /uploads/UPLOAD",
        "DELETE /uploads/UPLOAD",
        "POST /uploads/UPLOAD:complete",
        "PUT /uploads/UPLOAD/parts/1 x"}) {
    std::string line(route);
    for (const auto& [word, id] : ids) {
      if (const size_t at = line.find(word); at != std::string::npos) line.replace(at, word.size(), id);
    }
    const size_t first = line.find(' ');
    const size_t second = std::min(line.find(' ', first + 1), line.size());
    const std::string body = line.substr(std::min(second + 1, line.size()));
    const auto response = server.request(
        line.substr(0, first), "/api/v1" + line.substr(first + 1, second - first - 1), body, bob.header());
    EXPECT_EQ(response.status, 404) << route << "\n" << response.body;
  }
  EXPECT_EQ(server
                .request("POST", "/api/v1/transcriptions",
                         body_of({{"file_id", file}, {"profile_id", profile}}), bob.header())
                .status,
            422);
  EXPECT_EQ(
      server.request("PATCH", "/api/v1/settings", body_of({{"default_profile_id", profile}}), bob.header())
          .status,
      422);
  for (const char* list : {"files", "transcriptions", "profiles", "api-keys", "webhooks", "search?q=a"}) {
    EXPECT_EQ(object(server.request("GET", std::string("/api/v1/") + list, {}, bob.header()))
                  .at("items")
                  .as_array()
                  .size(),
              0U)
        << list;
  }
  EXPECT_EQ(
      object(server.request("GET", "/api/v1/admin/queue", {}, bob.header())).at("failed").to_number<int>() +
          object(server.request("GET", "/api/v1/admin/queue", {}, bob.header()))
              .at("queued")
              .to_number<int>(),
      0);
  // By the routes of others, too.
  const std::string other =
      text(object(server.request("POST", "/transcribe",
                                 http::form(wav(16'000, [](size_t) { return 0.0; }), "a.wav"),
                                 std::string(http::kFormHeader) + ada.header())),
           "id");
  EXPECT_EQ(server.request("GET", "/jobs/" + other, {}, ada.header()).status, 200);
  EXPECT_EQ(server.request("GET", "/jobs/" + other, {}, bob.header()).status, 404);
  EXPECT_EQ(server.request("POST", "/jobs/" + other + "/retry", {}, bob.header()).status, 404);
  EXPECT_EQ(server.request("GET", "/jobs", {}, bob.header()).body, "[]");
  Client events(server.port());
  events.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + bob.header() + "\r\n");
  EXPECT_EQ(events.read_until("id: ").find(job), std::string::npos);

  // What is an admin's.
  for (const char* route : {"GET /admin/users", "POST /admin/users", "PATCH /admin/users/x",
                            "DELETE /admin/users/x", "GET /admin/audit", "GET /admin/queue?scope=all"}) {
    const std::string line(route);
    const size_t space = line.find(' ');
    EXPECT_EQ(server
                  .request(line.substr(0, space), "/api/v1" + line.substr(space + 1),
                           line[0] == 'P' ? "{}" : "", bob.header())
                  .status,
              403)
        << route;
  }
  EXPECT_EQ(server.request("PATCH", "/api/v1/settings", R"({"max_upload_size_mb":1})", bob.header()).status,
            403);
  // And Ada has everything still.
  EXPECT_EQ(server.request("GET", "/api/v1/files/" + file, {}, ada.header()).status, 200);
  EXPECT_EQ(server.request("GET", "/api/v1/transcriptions/" + job, {}, ada.header()).status, 200);
  EXPECT_EQ(server.request("GET", "/api/v1/auth/me", {}, ada.header()).status, 200);
}

TEST_F(Accounts, OptionsAreTheRequestsThenTheProfilesThenTheDefaults) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  server.ask_with(register_first(server).header());
  const auto profile = [&](const char* body) {
    const auto made = server.request("POST", "/api/v1/profiles", body);
    EXPECT_EQ(made.status, 201) << made.body;
    return object(made);
  };
  const bj::object first =
      profile(R"({"name":"German","options":{"language":"de","beam_size":5,"min_speakers":2}})");
  const bj::object second = profile(R"({"name":"Fast","options":{"diarization":false}})");
  EXPECT_TRUE(first.at("is_default").as_bool());
  EXPECT_FALSE(second.at("is_default").as_bool());
  const std::string file = upload(server, "");
  const auto options_of = [&](bj::object body) {
    body["file_id"] = file;
    const auto made = server.request("POST", "/api/v1/transcriptions", json::to_text(body));
    EXPECT_EQ(made.status, 202) << made.body;
    return object(server.get("/api/v1/transcriptions/" + text(object(made), "id"))).at("options").as_object();
  };
  bj::object options = options_of({{"options", {{"language", "en"}, {"num_speakers", 3}}}});
  EXPECT_EQ(options.at("language"), "en");
  EXPECT_EQ(options.at("beam_size"), 5);
  EXPECT_EQ(options.at("num_speakers"), 3);
  EXPECT_FALSE(options.contains("min_speakers"));
  EXPECT_EQ(options.at("model"), "whisper-base") << "defaults are written down too";
  options = options_of({{"profile_id", second.at("id")}});
  EXPECT_EQ(options.at("diarization"), false);
  EXPECT_EQ(options.at("language"), "auto");

  // What is said of it can be taken away again.
  const std::string path = "/api/v1/profiles/" + text(second, "id");
  for (const auto& [body, left] :
       {std::pair(R"({"description":"For drafts"})", "For drafts"),
        std::pair(R"({"name":"Fast"})", "For drafts"), std::pair(R"({"description":null})", "")}) {
    EXPECT_EQ(text(object(server.request("PATCH", path, body)), "description"), left) << body;
  }

  // One is the default, whatever happens.
  const auto defaults = [&] {
    std::string names;
    const bj::object listed = object(server.get("/api/v1/profiles"));
    for (const bj::value& item : listed.at("items").as_array()) {
      if (item.at("is_default").as_bool()) names += item.at("name").as_string();
    }
    return names;
  };
  EXPECT_EQ(defaults(), "German");
  EXPECT_EQ(server.request("POST", "/api/v1/profiles/" + text(second, "id") + ":set-default").status, 200);
  EXPECT_EQ(defaults(), "Fast");
  EXPECT_EQ(text(object(server.get("/api/v1/settings")), "default_profile_id"), text(second, "id"));
  EXPECT_EQ(server.request("DELETE", "/api/v1/profiles/" + text(second, "id")).status, 204);
  EXPECT_EQ(defaults(), "German");
  for (const auto& [field, body] :
       {std::pair("name", "{}"),
        std::pair("options.language", R"({"name":"a","options":{"language":"klingon"}})"),
        std::pair("options.model", R"({"name":"a","options":{"model":"gigantic"}})")}) {
    const auto refused = server.request("POST", "/api/v1/profiles", body);
    EXPECT_EQ(refused.status, 422) << body;
    EXPECT_EQ(error_text(refused, "field"), field);
  }

  // A ready file is transcribed by itself where that is wanted, by the default profile.
  const auto count = [&] {
    return object(server.get("/api/v1/transcriptions")).at("items").as_array().size();
  };
  const size_t before = count();
  upload(server, "");
  EXPECT_EQ(count(), before);
  EXPECT_EQ(server.request("PATCH", "/api/v1/settings", R"({"auto_transcription_enabled":true})").status,
            200);
  const std::string automatic = upload(server, "");
  const bj::object newest =
      object(server.get("/api/v1/transcriptions?limit=1")).at("items").at(0).as_object();
  EXPECT_EQ(count(), before + 1);
  EXPECT_EQ(text(newest, "file_id"), automatic);
  EXPECT_EQ(newest.at("options").at("language"), "de");

  EXPECT_EQ(server.request("PATCH", "/api/v1/settings", R"({"max_upload_size_mb":1})").status, 200);
  EXPECT_EQ(
      server
          .request("POST", "/api/v1/files", http::form(std::string(2 << 20, 'x'), "a.wav"), http::kFormHeader)
          .status,
      413);
  EXPECT_EQ(server.request("PATCH", "/api/v1/settings", R"({"local_only":false})").status, 422);
}

TEST_F(Accounts, AUserWhoIsDeletedLeavesNothingBehind) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const Person ada = register_first(server);
  const Person bob = add_user(server, ada, "bob");
  const std::string file = upload(server, bob.header());
  EXPECT_EQ(
      server.request("POST", "/api/v1/transcriptions", body_of({{"file_id", file}}), bob.header()).status,
      202);
  server.request("POST", "/api/v1/profiles", R"({"name":"mine"})", bob.header());
  const auto blobs = [&] { return listing(folder_ / "data/blobs/files").size(); };
  EXPECT_EQ(blobs(), 1U);
  EXPECT_EQ(server.request("DELETE", "/api/v1/admin/users/" + ada.id, {}, ada.header()).status, 409)
      << "the last admin";
  EXPECT_EQ(server.request("DELETE", "/api/v1/admin/users/" + bob.id, {}, ada.header()).status, 204);
  EXPECT_EQ(blobs(), 0U);
  EXPECT_EQ(server.request("GET", "/api/v1/auth/me", {}, bob.header()).status, 401);
  EXPECT_EQ(server.request("DELETE", "/api/v1/admin/users/" + bob.id, {}, ada.header()).status, 404);
  EXPECT_EQ(object(server.request("GET", "/api/v1/admin/queue?scope=all", {}, ada.header())).at("failed"), 0);
}

TEST_F(Accounts, WhoDidWhatIsWrittenDown) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const Person ada = register_first(server);
  const std::string key = text(add_key(server, ada), "key");
  const std::string key_header = "X-API-Key: " + key + "\r\n";
  const std::string file = upload(server, key_header);
  const std::string job =
      text(object(server.request("POST", "/api/v1/transcriptions", body_of({{"file_id", file}}), key_header)),
           "id");
  const std::string base = "/api/v1/transcriptions/" + job + "/transcript?partial=true";
  EXPECT_EQ(server.request("GET", base + "&format=srt", {}, key_header).status, 200);
  EXPECT_EQ(server.request("GET", base, {}, ada.header()).status, 200);
  EXPECT_EQ(
      server.request("PATCH", "/api/v1/admin/users/" + ada.id, R"({"role":"user"})", ada.header()).status,
      409);
  add_user(server, ada, "bob");

  const bj::object audit = object(server.request("GET", "/api/v1/admin/audit", {}, ada.header()));
  std::vector<std::string> actions;
  for (const bj::value& item : audit.at("items").as_array())
    actions.emplace_back(item.at("action").as_string());
  EXPECT_EQ(actions, (std::vector<std::string>{"auth.login", "user.create", "transcript.read",
                                               "transcript.export", "api_key.create", "user.register"}));
  const bj::object exported = audit.at("items").at(3).as_object();
  EXPECT_EQ(text(exported, "user_id"), ada.id);
  EXPECT_EQ(text(exported, "subject"), job);
  EXPECT_EQ(text(exported, "detail"), "srt");
  EXPECT_TRUE(text(exported, "credential").starts_with("key_"));
  EXPECT_NE(server.log().find(R"({"audit":"transcript.export")"), std::string::npos);
  const bj::object page = object(server.request("GET", "/api/v1/admin/audit?limit=2", {}, ada.header()));
  const bj::object next = object(server.request(
      "GET", "/api/v1/admin/audit?limit=2&cursor=" + text(page, "next_cursor"), {}, ada.header()));
  EXPECT_EQ(next.at("items").at(0).at("action"), "transcript.read");

  // No secret is anywhere but with its owner.
  std::string kept = server.log();
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "data")) {
    if (entry.is_regular_file()) kept += read_file(entry.path(), 64 << 20).value_or("");
  }
  for (const std::string& secret : {key, ada.access, ada.refresh, std::string(kPassword)}) {
    EXPECT_EQ(kept.find(secret), std::string::npos) << secret;
  }
  struct stat keys = {};
  ASSERT_EQ(::stat((folder_ / "data/token-keys.json").c_str(), &keys), 0);
  EXPECT_EQ(keys.st_mode & 0777U, 0600U);
}

TEST_F(Accounts, PagesOfOthersAskOnlyWhereTheConfigurationSaysSo) {
  Serving server = serve({"HANSARD_AUTH=required", "HANSARD_CORS_ORIGINS=https://app.example.org"});
  ASSERT_TRUE(server.listens()) << server.log();
  const Person ada = register_first(server);
  const std::string preflight =
      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n";
  const auto allowed =
      server.request("OPTIONS", "/api/v1/files", {}, "Origin: https://app.example.org\r\n" + preflight);
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.headers.at("access-control-allow-origin"), "https://app.example.org");
  EXPECT_NE(allowed.headers.at("access-control-allow-headers").find("Authorization"), std::string::npos);
  EXPECT_FALSE(allowed.headers.contains("access-control-allow-credentials"));
  const auto refused =
      server.request("OPTIONS", "/api/v1/files", {}, "Origin: https://evil.example\r\n" + preflight);
  EXPECT_FALSE(refused.headers.contains("access-control-allow-origin"));
  const auto answer =
      server.request("GET", "/api/v1/files", {}, ada.header() + "Origin: https://app.example.org\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("access-control-allow-origin"), "https://app.example.org");
  for (const auto& response :
       {answer, server.get("/api/v1/files"), server.get("/nothing"), server.get("/api/v1/health")}) {
    EXPECT_EQ(response.headers.at("x-content-type-options"), "nosniff");
    EXPECT_EQ(response.headers.at("x-frame-options"), "DENY");
    EXPECT_EQ(response.headers.at("referrer-policy"), "no-referrer");
    EXPECT_TRUE(response.headers.contains("content-security-policy"));
  }
}

TEST_F(Accounts, AStreamEndsSoonAfterItsUserIsDisabled) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const Person ada = register_first(server);
  const Person bob = add_user(server, ada, "bob");
  Client events(server.port());
  events.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + bob.header() + "\r\n");
  EXPECT_NE(events.read_until("retry: ").find("200 OK"), std::string::npos);
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(
      server.request("PATCH", "/api/v1/admin/users/" + bob.id, R"({"disabled":true})", ada.header()).status,
      200);
  events.read_until("never: the stream ends");
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(30));
}

TEST_F(Accounts, ManyWrongLoginsSlowNobody) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  register_first(server);
  http::Client::show_to(nullptr);  // looking at answers would be part of their time
  constexpr int kLogins = 1000;
  constexpr int kThreads = 32;
  const auto p99_ms = [&](const std::function<bool()>& goes_on) {
    std::vector<double> times;
    Client client(server.port());
    while (goes_on() || times.size() < 200) {
      const auto began = std::chrono::steady_clock::now();
      EXPECT_EQ(client.request("GET", "/api/v1/ready").status, 200);
      times.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::sort(times.begin(), times.end());
    return times[times.size() * 99 / 100];
  };
  const double idle_ms = p99_ms([] { return false; });
  std::atomic<int> left = kLogins;
  std::atomic<int> wrong = 0;
  std::atomic<int> slowed = 0;
  std::vector<std::jthread> guessers;
  for (int i = 0; i < kThreads; ++i) {
    guessers.emplace_back([&] {
      for (int n = --left; n >= 0; n = --left) {
        // Many hundreds each second: no more, so that the guessers do not take the processor from who
        // measures.
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        const int status = try_login(server, fmt::format("user{}", n), "wrong horse").status;
        (status == 401 ? wrong : slowed) += status == 401 || status == 429 ? 1 : 0;
      }
    });
  }
  const double busy_ms = p99_ms([&] { return left > 0; });
  guessers.clear();
  fmt::print(
      "ready under {} wrong logins ({} looked at, {} told to wait): p99 {:.1f} ms, {:.1f} ms when idle\n",
      kLogins, wrong.load(), slowed.load(), busy_ms, idle_ms);
  EXPECT_EQ(wrong + slowed, kLogins);
  EXPECT_LE(wrong, limits::kAttemptsOfAddress);
  // A sanitizer's server takes so many times as long.
  if (!kSanitized) EXPECT_LT(busy_ms, std::max(20.0, 3 * idle_ms));
}

TEST_F(Accounts, TheOwnerOfTheMachineMakesAccountsWhetherAServerRunsOrNot) {
  const std::string word = std::string(kPassword) + "\n";
  ProgramResult made = run({"users", "add", "ada"}, {}, word);
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(run({"users", "add", "ADA"}, {}, word).exit_code, 5);
  EXPECT_EQ(run({"users", "add", "bob"}, {}, "short\n").exit_code, 2);
  EXPECT_EQ(run({"users", "add", "two words"}, {}, word).exit_code, 2);
  EXPECT_EQ(run({"users", "disable", "nobody"}).exit_code, 3);
  EXPECT_NE(run({"users", "disable", "ada"}).err.find("last admin"), std::string::npos);
  EXPECT_NE(run({"users", "list"}).out.find("admin"), std::string::npos) << "the first is an admin";

  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  EXPECT_EQ(server.log().find("setup code"), std::string::npos);
  EXPECT_EQ(server.get("/api/v1/auth/registration-status").body, R"({"registration_enabled":false})");
  const Person ada = person_of(try_login(server, "ada"));
  EXPECT_EQ(run({"users", "add", "bob"}, {}, word).exit_code, 0);
  EXPECT_EQ(run({"users", "add", "bob"}, {}, word).exit_code, 5);
  const Person bob = person_of(try_login(server, "bob"));
  EXPECT_EQ(server.request("GET", "/api/v1/auth/me", {}, bob.header()).status, 200);
  EXPECT_EQ(server.request("GET", "/api/v1/admin/users", {}, bob.header()).status, 403);
  EXPECT_EQ(run({"users", "reset-password", "bob"}, {}, "battery staple\n").exit_code, 0);
  EXPECT_EQ(server.request("GET", "/api/v1/auth/me", {}, bob.header()).status, 401);
  EXPECT_EQ(try_login(server, "bob").status, 401);
  EXPECT_EQ(run({"users", "disable", "bob"}).exit_code, 0);
  EXPECT_EQ(try_login(server, "bob", "battery staple").status, 401);
  EXPECT_NE(run({"users", "list"}).out.find("disabled"), std::string::npos);
  EXPECT_EQ(run({"users", "enable", "bob"}).exit_code, 0);
  EXPECT_EQ(try_login(server, "bob", "battery staple").status, 200);

  // And programs ask with a key.
  const std::string url = fmt::format("HANSARD_URL=http://127.0.0.1:{}", server.port());
  const ProgramResult unknown = run({"jobs", "list"}, {url});
  EXPECT_NE(unknown.exit_code, 0);
  EXPECT_NE(unknown.err.find("HANSARD_API_KEY"), std::string::npos) << unknown.err;
  const std::string key = text(add_key(server, ada), "key");
  const ProgramResult submitted =
      run({"submit", write("a.wav", wav(16'000, [](size_t) { return 0.0; })).string()},
          {url, "HANSARD_API_KEY=" + key});
  EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_NE(run({"jobs", "list"}, {url, "HANSARD_API_KEY=" + key}).out.find(submitted.out.substr(0, 10)),
            std::string::npos);
  EXPECT_EQ(run({"config", "show"}, {"HANSARD_API_KEY=" + key}).out.find(key), std::string::npos);
}

}  // namespace
}  // namespace hansard
