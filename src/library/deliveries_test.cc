// Receivers are real servers on the loopback.

#include "library/deliveries.h"

#include <atomic>

#include <fmt/format.h>

#include "base/json.h"
#include "base/test_server.h"
#include "library/kept_library_test.h"
#include "library/webhooks.h"

namespace hansard::library {
namespace {

using namespace std::chrono_literals;

class DeliveriesTest : public KeptLibrary {
 protected:
  ~DeliveriesTest() override { relay_.tell({}); }

  void start(std::chrono::milliseconds time = 30s, std::chrono::milliseconds backoff = 1ms) {
    deliveries_ = std::make_unique<Deliveries>(
        *store_, Deliveries::Options{.rules = rules_, .time = time, .backoff = backoff});
    relay_.tell([this](const store::Notice& notice) { deliveries_->notice(notice); });
    deliveries_->start();
  }
  Webhook hook(const std::string& url, const std::vector<std::string>& events = {"file.ready"}) const {
    Webhook made;
    write([&](store::Transaction& transaction) -> Result<void> {
      made = TRY(add_webhook(transaction, "ann", url, events));
      return {};
    });
    return made;
  }
  void happen(std::string_view name, std::string_view subject = "file_1",
              std::string_view user = "ann") const {
    write([&](store::Transaction& transaction) -> Result<void> {
      return jobs::add_event(transaction, user, name, subject, fmt::format(R"({{"id":"{}"}})", subject));
    });
  }
  std::vector<Delivery> deliveries(const Webhook& webhook) const {
    std::vector<Delivery> found;
    read([&](store::Reader& reader) -> Result<void> {
      found = TRY(list_deliveries(reader, webhook.id, Page::first({SortBy::created_at, true}, 200)));
      return {};
    });
    return found;
  }
  // Deliveries that are at an end are written down by the threads of the worker, which tell nobody.
  std::vector<Delivery> ended(const Webhook& webhook) const {
    for (;;) {
      std::vector<Delivery> all = deliveries(webhook);
      if (std::none_of(all.begin(), all.end(), [](const Delivery& one) { return one.status == "pending"; }))
        return all;
      std::this_thread::yield();
    }
  }

  fetch::AddressRules rules_{Networks::parse({"127.0.0.1"}).value()};
  std::unique_ptr<Deliveries> deliveries_;
};

TEST(WebhookSignature, IsThatOfTheStandard) {
  // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
  EXPECT_EQ(sign("secret", 1700000000, "{}"),
            "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163");
}

TEST_F(DeliveriesTest, AReceiverHearsWhatItWantsSigned) {
  const TestServer receiver([](const TestRequest&) -> TestResponse { return {.status = 204}; });
  const Webhook webhook = hook(receiver.address() + "/hook?a=b", {"file.ready", "transcription.completed"});
  start();
  happen("file.updated");
  happen("file.ready", "file_2");
  const std::vector<Delivery> all = ended(webhook);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].status, "delivered");
  EXPECT_EQ(all[0].event, "file.ready");
  EXPECT_EQ(all[0].tries, 1);
  EXPECT_EQ(all[0].response, "204");
  EXPECT_EQ(all[0].next_try_at_ms, std::nullopt);
  ASSERT_EQ(receiver.requests().size(), 1U);
  const TestRequest request = receiver.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/hook?a=b");
  EXPECT_EQ(request.header("content-type"), "application/json");
  EXPECT_EQ(request.header("x-hansard-event"), "file.ready");
  const json::bj::object body = json::parse_object(request.body).value();
  EXPECT_EQ(body.at("id"), all[0].event_id);
  EXPECT_EQ(body.at("event"), "file.ready");
  EXPECT_EQ(body.at("data"), (json::bj::object{{"id", "file_2"}}));
  const std::string signature = request.header("x-hansard-signature");
  const int64_t time_s = std::stoll(signature.substr(2));
  EXPECT_EQ(signature, sign(webhook.secret, time_s, request.body));
  EXPECT_NE(signature, sign(webhook.secret + "x", time_s, request.body));
}

TEST_F(DeliveriesTest, OnesEventsAreNotForAnother) {
  add_user("bob");
  const Webhook webhook = hook("http://127.0.0.1:1/");
  happen("file.ready", "file_1", "bob");
  EXPECT_TRUE(deliveries(webhook).empty());
}

TEST_F(DeliveriesTest, OneThatIsNotTakenIsTriedAgain) {
  std::atomic<int> asked = 0;
  const TestServer receiver([&](const TestRequest&) -> TestResponse {
    const int before = asked++;
    if (before == 0) return {.status = 503};
    if (before == 1) return {.status = 302, .headers = {{"Location", "/elsewhere"}}};
    return {};
  });
  const Webhook webhook = hook(receiver.address());
  start();
  happen("file.ready");
  const std::vector<Delivery> all = ended(webhook);
  EXPECT_EQ(all[0].status, "delivered");
  EXPECT_EQ(all[0].tries, 3);
  EXPECT_EQ(receiver.count("/elsewhere"), 0);
}

TEST_F(DeliveriesTest, OneThatNeverAnswersHoldsUpNobodyElse) {
  const TestServer silent([](const TestRequest&) -> TestResponse {
    return {.body = "x", .break_after = 0, .silent_after = true};
  });
  const TestServer receiver([](const TestRequest&) -> TestResponse { return {}; });
  std::vector<Webhook> slow;
  for (size_t i = 0; i < limits::kDeliveriesOfUserAtOnce - 1; ++i) slow.push_back(hook(silent.address()));
  const Webhook quick = hook(receiver.address());
  start(1h);
  for (int i = 0; i < 20; ++i) happen("file.ready");
  EXPECT_EQ(ended(quick).size(), 20U);
  EXPECT_EQ(deliveries(slow[0]).size(), 20U);
  EXPECT_LE(silent.requests().size(), slow.size());  // one thing at a time
}

TEST_F(DeliveriesTest, AfterAFailureEverythingForThatReceiverWaits) {
  const TestServer receiver([](const TestRequest&) -> TestResponse { return {.status = 500}; });
  const Webhook webhook = hook(receiver.address());
  happen("file.ready");
  happen("file.ready");
  start(30s, 1h);
  for (;;) {
    const auto all = deliveries(webhook);
    if (all[0].next_try_at_ms == all[1].next_try_at_ms && all[1].tries == 1) break;
    std::this_thread::yield();
  }
  const auto all = deliveries(webhook);
  EXPECT_EQ(all[0].tries, 0);
  EXPECT_EQ(all[1].response, "500");
  EXPECT_GT(all[0].next_try_at_ms.value_or(0), store_->now_ms() + 3'000'000);
  EXPECT_EQ(receiver.requests().size(), 1U);
}

TEST_F(DeliveriesTest, AfterADayItIsGivenUp) {
  static constexpr store::Statement kAge{"test.age",
                                         "UPDATE webhook_deliveries SET created_at = created_at - $1"};
  const Webhook webhook = hook("http://127.0.0.1:1/");
  happen("file.ready");
  write([](store::Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kAge, limits::kDeliveryAge.count()));
    return {};
  });
  start();
  const auto all = ended(webhook);
  EXPECT_EQ(all[0].status, "failed");
  EXPECT_EQ(all[0].response, "127.0.0.1: Couldn't connect to server");
}

TEST_F(DeliveriesTest, WhatIsNotPublicIsNotTold) {
  const Webhook webhook = hook("http://localhost.localdomain@127.0.0.2:1/");
  start();
  happen("file.ready");
  const auto all = ended(webhook);
  EXPECT_EQ(all[0].status, "failed");
  EXPECT_EQ(all[0].tries, 1);
}

TEST_F(DeliveriesTest, ARestartTellsWhatWasNotTold) {
  const Webhook webhook = hook("http://127.0.0.1:1/");
  happen("file.ready");
  start(30s, 1h);
  while (deliveries(webhook)[0].tries == 0) std::this_thread::yield();
  deliveries_.reset();
  EXPECT_EQ(deliveries(webhook)[0].status, "pending");
  const TestServer receiver([](const TestRequest&) -> TestResponse { return {}; });
  static constexpr store::Statement kMove{"test.move", "UPDATE webhooks SET url = $1"};
  static constexpr store::Statement kNow{"test.now", "UPDATE webhook_deliveries SET available_at = 0"};
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kMove, receiver.address()));
    TRY(transaction.change(kNow));
    return {};
  });
  start();
  EXPECT_EQ(ended(webhook)[0].status, "delivered");
}

TEST_F(DeliveriesTest, ADeletedWebhookIsToldNothing) {
  const Webhook webhook = hook("http://127.0.0.1:1/");
  happen("file.ready");
  write([&](store::Transaction& transaction) -> Result<void> {
    EXPECT_FALSE(TRY(remove_webhook(transaction, "bob", webhook.id)));
    EXPECT_TRUE(TRY(remove_webhook(transaction, "ann", webhook.id)));
    return {};
  });
  EXPECT_TRUE(deliveries(webhook).empty());
}

}  // namespace
}  // namespace hansard::library
