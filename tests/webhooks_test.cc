// Receivers on the loopback, which the configuration must allow, are told what happens.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <atomic>
#include <csignal>
#include <semaphore>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/test_server.h"
#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
using http::ClientResponse;

constexpr const char* kAllow = "HANSARD_FETCH_ALLOW=127.0.0.1";

class Webhooks : public ServerProgram {
 protected:
  static ClientResponse create(const Serving& server, const std::string& url, const bj::array& events,
                               std::string_view headers = {}) {
    return server.request("POST", "/api/v1/webhooks",
                          json::to_text(bj::object{{"url", url}, {"events", events}}), headers);
  }
  static ClientResponse upload(const Serving& server) {
    return server.request("POST", "/api/v1/files", http::form(wav(1600, [](size_t) { return 0.1; }), "a.wav"),
                          http::kFormHeader);
  }
  static bj::array deliveries(const Serving& server, const std::string& id, std::string_view query = {}) {
    return object(server.get(fmt::format("/api/v1/webhooks/{}/deliveries{}", id, query)))
        .at("items")
        .as_array();
  }
  // The newest delivery, once it is at its end.
  static bj::object ended(const Serving& server, const std::string& id) {
    for (;;) {
      const bj::array all = deliveries(server, id);
      if (!all.empty() && all.at(0).at("status") != "pending") return all.at(0).as_object();
      std::this_thread::yield();
    }
  }
  static std::string hmac(const std::string& secret, const std::string& text) {
    unsigned char tag[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), tag, &size);
    return fmt::format("{:02x}", fmt::join(tag, tag + size, ""));
  }
};

TEST_F(Webhooks, AReceiverIsToldWhatItAskedForAndCanTellWhoSaysIt) {
  const TestServer receiver([](const TestRequest&) -> TestResponse { return {.status = 204}; });
  Serving server = serve({kAllow});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string key = "Idempotency-Key: one\r\n";
  const bj::array events{"file.ready", "transcription.completed", "file.ready"};
  const ClientResponse made = create(server, receiver.address() + "/hook", events, key);
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string id = text(object(made), "id");
  const std::string secret = text(object(made), "secret");
  EXPECT_EQ(made.headers.at("location"), "/api/v1/webhooks/" + id);
  EXPECT_EQ(create(server, receiver.address() + "/hook", events, key).body, made.body);
  // The secret is told once.
  const ClientResponse list = server.get("/api/v1/webhooks");
  EXPECT_EQ(object(list).at("items").as_array().size(), 1U);
  EXPECT_EQ(list.body.find(secret), std::string::npos);

  const std::string file = text(object(upload(server)), "id");
  const bj::object delivery = ended(server, id);
  EXPECT_EQ(delivery.at("status"), "delivered");
  EXPECT_EQ(delivery.at("event"), "file.ready");
  EXPECT_EQ(delivery.at("response"), "204");
  ASSERT_EQ(receiver.requests().size(), 1U);
  const TestRequest request = receiver.requests()[0];
  const bj::object body = json::parse_object(request.body).value();
  EXPECT_EQ(body.at("event"), "file.ready");
  EXPECT_EQ(body.at("id"), delivery.at("event_id"));
  EXPECT_EQ(text(body.at("data").as_object(), "id"), file);
  const std::string signature = request.header("x-hansard-signature");
  const std::string time = signature.substr(2, signature.find(',') - 2);
  EXPECT_EQ(signature, fmt::format("t={},v1={}", time, hmac(secret, time + "." + request.body)));

  upload(server);
  ended(server, id);
  EXPECT_EQ(deliveries(server, id).size(), 2U);
  const bj::object page = object(server.get("/api/v1/webhooks/" + id + "/deliveries?limit=1"));
  const bj::array next = deliveries(server, id, "?limit=1&cursor=" + text(page, "next_cursor"));
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next.at(0).at("event_id"), delivery.at("event_id"));
  expect_problem(server.get("/api/v1/webhooks/" + id + "/deliveries?cursor=x"), 422, "UNPROCESSABLE",
                 "cursor");
  EXPECT_EQ(server.request("DELETE", "/api/v1/webhooks/" + id).status, 204);
  EXPECT_EQ(server.request("DELETE", "/api/v1/webhooks/" + id).status, 404);
  EXPECT_EQ(server.get("/api/v1/webhooks/" + id + "/deliveries").status, 404);
}

TEST_F(Webhooks, WhatIsWrongWithOneIsSaid) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const bj::array ready{"file.ready"};
  for (const char* url :
       {"http://127.0.0.1/", "http://0x7f000001/", "http://[::1]/", "http://169.254.169.254/",
        "http://192.168.1.1/", "ftp://example.org/", "example.org", ""}) {
    expect_problem(create(server, url, ready), 422, "UNPROCESSABLE", "url");
  }
  const std::string good = "https://receiver.example/";
  for (const bj::array& events :
       {bj::array{}, bj::array{"file.gone"}, bj::array{7}, bj::array{"file.ready", "*"}}) {
    expect_problem(create(server, good, events), 422, "UNPROCESSABLE", "events");
  }
  expect_problem(server.request("POST", "/api/v1/webhooks", R"({"url":"https://receiver.example/"})"), 422,
                 "UNPROCESSABLE", "events");
  expect_problem(server.request("POST", "/api/v1/webhooks", R"({"name":"a"})"), 400, "INVALID_REQUEST",
                 "name");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(create(server, good, ready).status, 201);
  expect_problem(create(server, good, ready), 409, "CONFLICT");
}

TEST_F(Webhooks, ANameThatStandsForWhatIsNotPublicIsNotTold) {
  const TestServer secret([](const TestRequest&) -> TestResponse { return {}; });
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string port = secret.address().substr(secret.address().rfind(':') + 1);
  const std::string id = text(object(create(server, "http://localhost:" + port + "/", {"file.ready"})), "id");
  upload(server);
  EXPECT_EQ(ended(server, id).at("status"), "failed");
  EXPECT_TRUE(secret.requests().empty());
}

TEST_F(Webhooks, OneThatNeverAnswersSlowsNothingAndIsToldAfterARestart) {
  std::atomic<bool> silent = true;
  std::counting_semaphore<> asked(0);
  const TestServer receiver([&](const TestRequest&) -> TestResponse {
    asked.release();
    if (silent) return {.body = "x", .break_after = 0, .silent_after = true};
    return {};
  });
  const TestServer quick([](const TestRequest&) -> TestResponse { return {}; });
  std::string id;
  {
    Serving server = serve({kAllow});
    ASSERT_TRUE(server.listens()) << server.log();
    id = text(object(create(server, receiver.address(), {"file.ready"})), "id");
    const std::string other = text(object(create(server, quick.address(), {"file.ready"})), "id");
    upload(server);
    asked.acquire();
    for (int i = 0; i < 5; ++i) upload(server);
    EXPECT_EQ(ended(server, other).at("status"), "delivered");
    EXPECT_EQ(deliveries(server, id).size(), 6U);
    EXPECT_FALSE(asked.try_acquire()) << "one thing at a time";
    server.child().kill(SIGKILL);
    server.child().wait();
  }
  silent = false;
  Serving server = serve({kAllow});
  ASSERT_TRUE(server.listens()) << server.log();
  EXPECT_EQ(ended(server, id).at("status"), "delivered");
  EXPECT_EQ(deliveries(server, id).size(), 6U);
}

TEST_F(Webhooks, AServerThatStopsDoesNotWaitForThem) {
  std::counting_semaphore<> asked(0);
  const TestServer receiver([&](const TestRequest&) -> TestResponse {
    asked.release();
    return {.body = "x", .break_after = 0, .silent_after = true};
  });
  Serving server = serve({kAllow});
  ASSERT_TRUE(server.listens()) << server.log();
  create(server, receiver.address(), {"file.ready"});
  upload(server);
  asked.acquire();
  server.child().kill(SIGTERM);
  const auto ended = server.child().wait_for(std::chrono::seconds(8));
  ASSERT_TRUE(ended) << "it waited for a receiver";
  EXPECT_TRUE(ended->ok());
}

}  // namespace
}  // namespace hansard
