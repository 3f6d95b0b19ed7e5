#include "fetch/fetch.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include <fmt/format.h>

#include "base/test_server.h"

namespace hansard::fetch {
namespace {

using namespace std::chrono_literals;

struct Fetched {
  Result<Got> got = Got();
  std::string body;
};

const AddressRules& this_machine_too() {
  static const AddressRules rules(Networks::parse({"127.0.0.0/8", "::1"}).value());
  return rules;
}

Fetched fetch(const std::string& url, const AddressRules* rules, uint64_t most_bytes = 1 << 20,
              std::chrono::milliseconds time = 30s) {
  Fetched fetched;
  fetched.got = get({.url = url, .rules = rules, .most_bytes = most_bytes, .time = time},
                    [&](std::string_view bytes) -> Result<void> {
                      fetched.body += bytes;
                      return {};
                    },
                    {}, {});
  return fetched;
}

ErrorCode code_of(const Fetched& fetched) {
  EXPECT_FALSE(fetched.got);
  return fetched.got ? ErrorCode::internal : fetched.got.error().code;
}

std::string port_of(const TestServer& server) {
  return server.address().substr(server.address().rfind(':') + 1);
}

TEST(Fetch, BringsTheBodyWithItsName) {
  const TestServer server([](const TestRequest& request) -> TestResponse {
    TestResponse response{.headers = {{"Content-Type", "Audio/MPEG; charset=x"}}, .body = "sound"};
    if (request.path == "/plain")
      response.headers.emplace_back("Content-Disposition", "attachment; filename=a.mp3");
    if (request.path == "/quoted") {
      response.headers.emplace_back("content-disposition", R"(inline; filename="../a; b.mp3"; x=y)");
    }
    if (request.path == "/encoded") {
      response.headers.emplace_back("Content-Disposition",
                                    "attachment; filename=no.mp3; filename*=UTF-8''gr%C3%BC%C3%9Fe.mp3");
    }
    return response;
  });
  const auto name = [&](const std::string& path) {
    const Fetched fetched = fetch(server.address() + path, &this_machine_too());
    EXPECT_EQ(fetched.body, "sound");
    EXPECT_EQ(fetched.got->media_type, "audio/mpeg");
    EXPECT_EQ(fetched.got->size_bytes, 5U);
    return fetched.got->name;
  };
  EXPECT_EQ(name("/a/b%20c.mp3?token=secret#x"), "b c.mp3");
  EXPECT_EQ(name("/a/..%2Fd.mp3"), "d.mp3");
  EXPECT_EQ(name(""), "127.0.0.1");
  EXPECT_EQ(name("/plain"), "a.mp3");
  EXPECT_EQ(name("/quoted"), "a; b.mp3");
  EXPECT_EQ(name("/encoded"), "grüße.mp3");
}

TEST(Fetch, NoAddressOfThisMachineIsAskedInWhateverSpelling) {
  const TestServer server([](const TestRequest&) -> TestResponse { return {.body = "secret"}; });
  const std::string port = port_of(server);
  const AddressRules rules;
  for (const char* host : {"127.0.0.1",
                           "localhost",

                           "LOCALHOST",
                           "127.1",
                           "127.0.1",
                           "2130706433",
                           "0x7f000001",
                           "0x7f.1",
                           "017700000001",
                           "0177.0.0.1",
                           "0.0.0.0",
                           "0",
                           "[::1]",
                           "[::]",
                           "[::ffff:127.0.0.1]",
                           "[::ffff:7f00:1]",
                           "[0:0:0:0:0:0:0:1]",
                           "[64:ff9b::7f00:1]",
                           "[2002:7f00:1::]",
                           "user:word@127.0.0.1",
                           "169.254.169.254",
                           "[fe80::1]"}) {
    const Fetched fetched = fetch(fmt::format("http://{}:{}/", host, port), &rules);
    EXPECT_EQ(code_of(fetched), ErrorCode::address_refused) << host;
    EXPECT_EQ(fetched.body, "");
    EXPECT_EQ(fetched.got.error().message.find("word"), std::string::npos) << fetched.got.error().message;
  }
  EXPECT_TRUE(server.requests().empty());
  EXPECT_EQ(post({.url = server.address(), .rules = &rules, .body = "x", .time = 30s}, {}).error().code,
            ErrorCode::address_refused);
  EXPECT_TRUE(server.requests().empty());
  // Whoever asks from a machine of their own may.
  EXPECT_EQ(fetch(server.address(), nullptr).body, "secret");
}

TEST(Fetch, OnlyHttpIsAsked) {
  for (const char* url : {"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.org/a.mp3", "data:,x",
                          "example.org/a.mp3", "//example.org", "http://", "", "http://a b/",
                          "dict://127.0.0.1:1/", "HTTPX://example.org"}) {
    EXPECT_EQ(code_of(fetch(url, nullptr)), ErrorCode::invalid_request) << url;
  }
  EXPECT_EQ(code_of(fetch("http://example.org/" + std::string(5000, 'a'), nullptr)),
            ErrorCode::invalid_request);
  EXPECT_TRUE(check_url("HTTPS://example.org/a.mp3?b=c", nullptr));
}

TEST(Fetch, EveryRedirectionIsChecked) {
  const TestServer inner([](const TestRequest&) -> TestResponse { return {.body = "secret"}; });
  const TestServer outer([&](const TestRequest& request) -> TestResponse {
    const std::string to = request.path.substr(request.path.find('=') + 1);
    const auto left = static_cast<int>(std::strtol(to.c_str(), nullptr, 10));
    if (left > 0) return {.status = 302, .headers = {{"Location", fmt::format("/?to={}", left - 1)}}};
    if (to == "0") return {.body = "here"};
    return {.status = 307, .headers = {{"Location", to}}, .body = "over there"};
  });
  const AddressRules one(Networks::parse({"127.0.0.1"}).value());
  const auto through = [&](const std::string& to) { return fetch(outer.address() + "/?to=" + to, &one); };
  EXPECT_EQ(through("5").body, "here");
  EXPECT_EQ(code_of(through("6")), ErrorCode::unavailable);
  // The first address is allowed; where it leads is not.
  const std::string port = port_of(inner);
  for (const std::string host : {"127.0.0.2", "[::1]", "0.0.0.0", "0x7f000002", "[::ffff:127.0.0.2]"}) {
    EXPECT_EQ(code_of(through(fmt::format("http://{}:{}/", host, port))), ErrorCode::address_refused) << host;
  }
  for (const char* to : {"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/"}) {
    const Fetched fetched = through(to);
    EXPECT_EQ(code_of(fetched), ErrorCode::unavailable) << to;
    EXPECT_EQ(fetched.body, "");
  }
  EXPECT_TRUE(inner.requests().empty());
}

TEST(Fetch, ProxiesOfTheEnvironmentAreNotAskedUnderRules) {
  const TestServer proxy([](const TestRequest&) -> TestResponse { return {.body = "proxy"}; });
  const TestServer server([](const TestRequest&) -> TestResponse { return {.body = "server"}; });
  ::setenv("http_proxy", proxy.address().c_str(), 1);
  const Fetched under = fetch(server.address(), &this_machine_too());
  const Fetched without = fetch(server.address(), nullptr);
  ::unsetenv("http_proxy");
  EXPECT_EQ(under.body, "server");
  EXPECT_EQ(without.body, "proxy");
}

TEST(Fetch, EndsAtTheLimits) {
  const TestServer server([](const TestRequest& request) -> TestResponse {
    TestResponse response{.body = std::string(3 << 20, 'x')};
    if (request.path == "/announced") response.break_after = 0;
    if (request.path == "/silent") {
      response.break_after = 1000;
      response.silent_after = true;
    }
    if (request.path == "/cut") response.break_after = 1000;
    if (request.path == "/headers") {
      for (int i = 0; i < 5000; ++i) response.headers.emplace_back("X-More", std::string(100, 'x'));
    }
    return response;
  });
  const auto at = [&](const std::string& path, uint64_t most_bytes, std::chrono::milliseconds time = 30s) {
    return fetch(server.address() + path, &this_machine_too(), most_bytes, time);
  };
  EXPECT_EQ(at("/", 3 << 20).body.size(), 3U << 20);
  const Fetched large = at("/", 2 << 20);
  EXPECT_EQ(code_of(large), ErrorCode::too_large);
  EXPECT_EQ(large.got.error().message, "what 127.0.0.1 sends is larger than the 2 MB that are taken");
  EXPECT_EQ(large.body, "");  // the server had said so
  EXPECT_EQ(code_of(at("/cut", 4 << 20)), ErrorCode::network);
  EXPECT_EQ(code_of(at("/silent", 4 << 20, 300ms)), ErrorCode::network);
  EXPECT_EQ(code_of(at("/headers", 4 << 20)), ErrorCode::network);
}

TEST(Fetch, AStopEndsIt) {
  const TestServer server([](const TestRequest&) -> TestResponse {
    return {.body = "abc", .break_after = 1, .silent_after = true};
  });
  std::stop_source stop;
  const auto got = get(
      {.url = server.address(), .rules = &this_machine_too(), .most_bytes = 1000, .time = 1h},
      [&](std::string_view) -> Result<void> {
        stop.request_stop();
        return {};
      },
      {}, stop.get_token());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::canceled);
}

TEST(Fetch, WhatTheTakerSaysEndsIt) {
  const TestServer server([](const TestRequest&) -> TestResponse { return {.body = "abc"}; });
  const auto got =
      get({.url = server.address(), .rules = &this_machine_too(), .most_bytes = 1000, .time = 1h},
          [](std::string_view) { return fail(ErrorCode::insufficient_storage, "full"); }, {}, {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::insufficient_storage);
}

TEST(Fetch, RefusalsAreToldByKind) {
  const TestServer server([](const TestRequest& request) -> TestResponse {
    return {.status = std::atoi(request.path.c_str() + 1), .body = "<html>no</html>"};
  });
  for (const auto& [status, code] :
       {std::pair(401, ErrorCode::access_denied), std::pair(403, ErrorCode::access_denied),
        std::pair(404, ErrorCode::unavailable), std::pair(410, ErrorCode::unavailable),
        std::pair(429, ErrorCode::rate_limited), std::pair(500, ErrorCode::network),
        std::pair(503, ErrorCode::network), std::pair(204, ErrorCode::unavailable),
        std::pair(206, ErrorCode::unavailable), std::pair(304, ErrorCode::unavailable)}) {
    const Fetched fetched = fetch(fmt::format("{}/{}", server.address(), status), &this_machine_too());
    EXPECT_EQ(code_of(fetched), code) << status;
    EXPECT_EQ(fetched.body, "") << status;
  }
  // Nobody listens there.
  EXPECT_EQ(code_of(fetch("http://127.0.0.1:1/", &this_machine_too())), ErrorCode::network);
  EXPECT_EQ(code_of(fetch("http://no-such-host.invalid/", &this_machine_too())), ErrorCode::network);
}

TEST(Fetch, PostsAndTellsTheStatusAlone) {
  const TestServer server([](const TestRequest& request) -> TestResponse {
    if (request.path == "/moved") return {.status = 301, .headers = {{"Location", "/"}}};
    return {.status = request.path == "/" ? 200 : 503, .body = std::string(1 << 20, 'x')};
  });
  const auto to = [&](const std::string& path) {
    return post({.url = server.address() + path,
                 .rules = &this_machine_too(),
                 .headers = {"Content-Type: application/json", "X-Hansard-Test: 1"},
                 .body = R"({"a":1})",
                 .time = 30s},
                {})
        .value();
  };
  EXPECT_EQ(to("/"), 200);
  EXPECT_EQ(to("/away"), 503);
  EXPECT_EQ(to("/moved"), 301);
  ASSERT_EQ(server.requests().size(), 3U);
  const TestRequest request = server.requests().front();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.body, R"({"a":1})");
  EXPECT_EQ(request.header("content-type"), "application/json");
  EXPECT_EQ(request.header("x-hansard-test"), "1");
}

}  // namespace
}  // namespace hansard::fetch
