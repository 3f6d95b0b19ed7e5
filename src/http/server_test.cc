#include "http/server.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "http/multipart.h"
#include "http/range.h"
#include "http/test_client.h"

namespace hansard::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

// Counts bytes; refuses when it has had more than `most`.
class CountingReceiver : public Receiver {
 public:
  explicit CountingReceiver(uint64_t most) : most_(most) {}
  Outcome<void> take(std::string_view bytes) override {
    count += bytes.size();
    if (count > most_) return fail(Problem(413, "too much"));
    return {};
  }
  Outcome<void> finish() override { return {}; }
  uint64_t count = 0;

 private:
  uint64_t most_;
};

// Reads a form and keeps nothing of it.
class FormReceiver : public Receiver, private PartHandler {
 public:
  explicit FormReceiver(std::string boundary) : parser_(std::move(boundary), *this) {}
  Outcome<void> take(std::string_view bytes) override { return parser_.take(bytes); }
  Outcome<void> finish() override { return parser_.finish(); }

 private:
  Outcome<void> begin(const Part&) override { return {}; }
  Outcome<void> data(std::string_view) override { return {}; }
  Outcome<void> end() override { return {}; }
  MultipartParser parser_;
};

// A stream that a test feeds.
class FedSource : public EventSource {
 public:
  Next next() override {
    const std::lock_guard lock(mutex_);
    return {std::exchange(text_, {}), ended_};
  }
  void on_ready(std::function<void()> wake) override {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
    wake_();
  }
  void feed(std::string_view text, bool ends) {
    const std::lock_guard lock(mutex_);
    text_ += text;
    ended_ = ends;
    if (wake_) wake_();
  }

 private:
  std::mutex mutex_;
  std::string text_;
  bool ended_ = false;
  std::function<void()> wake_;
};

// An answer that a test gives.
class FedAnswer : public Awaited {
 public:
  std::optional<Answer> next() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(answer_, std::nullopt);
  }
  void on_ready(std::function<void()> wake) override {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
    wake_();
  }
  void give(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
    if (wake_) wake_();
  }

 private:
  std::mutex mutex_;
  std::optional<Answer> answer_;
  std::function<void()> wake_;
};

class HttpServer : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    options.port = 0;
    Router router;
    router.get("/echo", [](Request& request) {
      return Answer(json_response(200, request.query_value("text").value_or("")));
    });
    router.post("/echo", [](Request& request) { return Answer(json_response(200, request.body)); });
    router.get("/long", [](Request& request) {
      const auto known = request.header("if-none-match");
      const bool unchanged = known && names_etag(*known, "\"long\"");
      Response response =
          text_response(unchanged ? 304 : 200, "text/plain", unchanged ? "" : std::string(100'000, 'x'));
      return Answer(std::move(response.with("ETag", "\"long\"")));
    });
    Route slow{"GET", "/slow", [this](Request&) {
                 slow_began_.release();
                 slow_may_end_.acquire();
                 return Answer(json_response(200, "slow"));
               }};
    slow.slow = true;
    router.add(std::move(slow));
    router.get("/peer",
               [](Request& request) { return Answer(text_response(200, "text/plain", request.peer)); });
    const auto policy = [](Request&) {
      const int policy = ::sched_getscheduler(0);
      int of_started = -1;
      std::thread([&] { of_started = ::sched_getscheduler(0); }).join();
      EXPECT_EQ(of_started, SCHED_OTHER);
      return Answer(json_response(200, (policy & ~SCHED_RESET_ON_FORK) == SCHED_RR ? "first" : "in turn"));
    };
    router.get("/policy", policy);
    Route slow_policy{"GET", "/slow-policy", policy};
    slow_policy.slow = true;
    router.add(std::move(slow_policy));
    router.get("/made", [](Request&) {
      Response response = json_response(200, "{}");
      return Answer(std::move(response.with("Location", "/echo")));
    });
    router.get("/throws", [](Request&) -> Answer { throw std::runtime_error("secret of /var/lib"); });
    router.get("/file", [this](Request& request) {
      return file_answer(request, UniqueFd(::dup(file_.get())), 100'000, "audio/wav", "\"tag\"", 0);
    });
    router.get("/large", [this](Request& request) {
      large_asked_ = true;
      const UniqueFd file = open_unnamed_file(folder_).value();
      EXPECT_EQ(::ftruncate(file.get(), 64 << 20), 0);
      return file_answer(request, UniqueFd(::dup(file.get())), 64 << 20, "audio/wav", "\"large\"", 0);
    });
    router.get("/events", [this](Request&) {
      Response response;
      response.with("Content-Type", "text/event-stream");
      response.body = source_;
      return Answer(std::move(response));
    });
    Route later{"GET", "/later", [this](Request&) {
                  Response response;
                  response.body = later_;
                  ++waiting_;
                  return Answer(std::move(response));
                }};
    later.refusal = [](const Problem& problem, std::string_view id) {
      return json_response(problem.status + 1, problem.message + " " + std::string(id));
    };
    router.add(std::move(later));
    Route count{"POST", "/count", [](Request& request) {
                  auto& receiver = dynamic_cast<CountingReceiver&>(*request.receiver);
                  return Answer(json_response(200, std::to_string(receiver.count)));
                }};
    count.receive = [](Request& request) -> Outcome<std::shared_ptr<Receiver>> {
      if (request.content_length.value_or(0) > 50'000'000) return fail(Problem(413, "too large"));
      return std::make_shared<CountingReceiver>(20'000'000);
    };
    router.add(std::move(count));
    if (guard_) router.set_guard(guard_);
    if (fallback_) router.set_fallback(fallback_);
    Route form{"POST", "/form", [](Request&) { return Answer(json_response(200, "{}")); }};
    form.receive = [](Request& request) -> Outcome<std::shared_ptr<Receiver>> {
      return std::make_shared<FormReceiver>(
          TRY(multipart_boundary(request.header("content-type").value_or(""))));
    };
    router.add(std::move(form));
    file_ = open_unnamed_file(folder_).value();
    std::string bytes;
    for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>('a' + i % 26);
    ASSERT_TRUE(write_all(file_.get(), bytes));
    server_ = std::move(Server::open(options, std::move(router)).value());
    server_->start();
  }
  Client client() const { return Client(server_->port()); }
  ClientResponse get(std::string_view target, std::string_view headers = {}) const {
    return client().request("GET", target, {}, headers);
  }
  // Sends bytes as they are.
  ClientResponse raw(std::string_view bytes) const {
    Client one = client();
    one.send(bytes);
    return one.receive();
  }
  static std::string code(const ClientResponse& response) {
    const auto body = json::parse_object(response.body);
    if (!body || !body->contains("error")) return "(no error) " + response.body;
    const auto& error = body->at("error").as_object();
    EXPECT_EQ(std::string(error.at("request_id").as_string()), response.headers.at("x-request-id"));
    EXPECT_TRUE(error.contains("message") && error.contains("field"));
    return std::string(error.at("code").as_string());
  }

  const TemporaryFolder folder_;
  UniqueFd file_;
  std::atomic<bool> large_asked_ = false;
  std::shared_ptr<FedSource> source_ = std::make_shared<FedSource>();
  std::shared_ptr<FedAnswer> later_ = std::make_shared<FedAnswer>();
  std::atomic<int> waiting_ = 0;
  std::counting_semaphore<> slow_began_{0};
  std::counting_semaphore<> slow_may_end_{0};
  Guard guard_;
  Handler fallback_;
  std::unique_ptr<Server> server_;
};

TEST_F(HttpServer, SlowRoutesHoldNobodyElseUp) {
  start();
  constexpr int kMany = limits::kHttpSlowWorkers + limits::kHttpWorkers;
  std::vector<Client> waiting;
  for (int i = 0; i < kMany; ++i) {
    waiting.push_back(client());
    waiting.back().send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  for (int i = 0; i < limits::kHttpSlowWorkers; ++i) slow_began_.acquire();
  EXPECT_EQ(get("/echo?text=quick").body, "quick");
  slow_may_end_.release(kMany);
  for (Client& one : waiting) EXPECT_EQ(one.receive().body, "slow");
}

TEST_F(HttpServer, ComesBeforeOrdinaryProcessesWhereItMayButNotForSlowRoutes) {
  bool may = false;
  std::thread([&] {
    sched_param parameters{};
    parameters.sched_priority = 1;
    may = ::sched_setscheduler(0, SCHED_RR, &parameters) == 0;
  }).join();
  start();
  EXPECT_EQ(get("/policy").body, may ? "first" : "in turn");
  EXPECT_EQ(get("/slow-policy").body, "in turn");
}

TEST_F(HttpServer, AnswersOneRequestAfterTheOtherOnOneConnection) {
  start();
  Client one = client();
  EXPECT_EQ(one.request("GET", "/echo?text=a%20b+c").body, "a b c");
  EXPECT_EQ(one.request("POST", "/echo", "body").body, "body");
  const ClientResponse head = one.request("HEAD", "/echo?text=abc");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), "3");
  EXPECT_EQ(one.request("GET", "/echo?text=x").body, "x");
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrder) {
  start();
  Client one = client();
  std::string all;
  for (int i = 0; i < 20; ++i) {
    all += fmt::format("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{:02}", i);
  }
  one.send(all);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(one.receive().body, fmt::format("{:02}", i));
}

TEST_F(HttpServer, EchoesARequestIdAndMakesOneOtherwise) {
  start();
  EXPECT_EQ(get("/echo", "X-Request-ID: mine-1\r\n").headers.at("x-request-id"), "mine-1");
  const std::string made = get("/echo", "X-Request-ID: with space\r\n").headers.at("x-request-id");
  EXPECT_TRUE(made.starts_with("req_")) << made;
  EXPECT_TRUE(get("/echo", "X-Request-ID: " + std::string(129, 'x') + "\r\n")
                  .headers.at("x-request-id")
                  .starts_with("req_"));
}

TEST_F(HttpServer, EachRefusalHasItsCode) {
  start();
  EXPECT_EQ(code(get("/nothing")), "NOT_FOUND");
  const ClientResponse method = client().request("DELETE", "/echo");
  EXPECT_EQ(code(method), "METHOD_NOT_ALLOWED");
  EXPECT_EQ(method.headers.at("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(code(get("/echo?text=%zz")), "INVALID_REQUEST");
  EXPECT_EQ(code(get("/echo?text=" + std::string(9000, 'x'))), "URI_TOO_LONG");
  EXPECT_EQ(code(get("/echo", "X-Long: " + std::string(40'000, 'x') + "\r\n")), "HEADERS_TOO_LARGE");
  EXPECT_EQ(code(client().request("POST", "/echo", std::string(2 << 20, 'x'))), "PAYLOAD_TOO_LARGE");
  EXPECT_EQ(code(client().request("POST", "/count")), "INVALID_REQUEST");
  EXPECT_EQ(code(raw("GET /echo HTTP/1.1\r\n\r\n")), "INVALID_REQUEST");
  EXPECT_EQ(code(raw("GET /echo HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")), "MISDIRECTED");
  EXPECT_EQ(code(get("/echo", "Origin: http://elsewhere.example\r\n")), "FORBIDDEN");
  EXPECT_EQ(code(get("/echo", "Origin: null\r\n")), "FORBIDDEN");
  EXPECT_EQ(code(get("/echo", "Sec-Fetch-Site: cross-site\r\n")), "FORBIDDEN");
  EXPECT_EQ(get("/echo", "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n").status, 200);
}

TEST_F(HttpServer, WhatIsNoHttpIsRefused) {
  start();
  for (const char* bytes :
       {"garbage\r\n\r\n", "GET /echo\r\n\r\n", "GET /echo HTTP/1.1\r\nHost localhost\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: "
        "chunked\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    const ClientResponse response = raw(bytes);
    EXPECT_EQ(response.status, 400) << bytes;
    EXPECT_EQ(code(response), "INVALID_REQUEST") << bytes;
    EXPECT_EQ(response.headers.at("connection"), "close");
  }
}

// What one server takes for the end of a request, or for its host, another must not see differently.
TEST_F(HttpServer, ARequestThatCouldHideAnotherIsRefusedAndTheConnectionEnds) {
  start();
  const std::string hidden = "GET /echo?text=hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (const char* headers : {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                              "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                              "Transfer-Encoding: identity\r\n",
                              "Transfer-Encoding: xchunked\r\n",
                              "Transfer-Encoding: gzip, chunked\r\n",
                              "Transfer-Encoding: chunked, identity\r\n",
                              "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                              "Transfer-Encoding: \x0b"
                              "chunked\r\n",
                              "Content-Length: 5\r\nContent-Length: 6\r\n",
                              "Content-Length: 5\r\nContent-Length: 5\r\n",
                              "Content-Length: 5, 5\r\n",
                              "Content-Length: +5\r\n",
                              "Content-Length: 0x5\r\n",
                              "Content-Length: 5 5\r\n",
                              "Content-Length: 99999999999999999999\r\n",
                              "Content-Length : 5\r\n",
                              "Content-Length\r\n",
                              "Host: other\r\n",
                              "X-One: a\x01z\r\n",
                              "X-One: a\nContent-Length: 5\r\n",
                              "X-One: a\rContent-Length: 5\r\n",
                              ": empty\r\n"}) {
    Client one = client();
    one.send(fmt::format("POST /echo HTTP/1.1\r\nHost: localhost\r\n{}\r\n0\r\n\r\n{}", headers, hidden));
    one.shutdown_sending();
    const ClientResponse response = one.receive();
    EXPECT_EQ(response.status, 400) << headers;
    EXPECT_EQ(response.headers.at("connection"), "close") << headers;
    EXPECT_EQ(one.read_until("never"), "") << headers;
  }
  EXPECT_EQ(raw("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status, 400);
  EXPECT_EQ(raw("GET /echo HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"s).status, 400);
}

TEST_F(HttpServer, ChunksThatAreNoneEndTheConnection) {
  start();
  for (const char* chunks : {"zz\r\nab\r\n", "2\r\nabc\r\n0\r\n\r\n", "-1\r\n", "ffffffffffffffffff\r\n",
                             "2\r\nab0\r\n\r\n", "0x2\r\nab\r\n0\r\n\r\n"}) {
    for (const char* path : {"/echo", "/count"}) {
      Client one = client();
      one.send(fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                           path, chunks));
      one.shutdown_sending();
      EXPECT_EQ(code(one.receive()), "INVALID_REQUEST") << chunks;
      EXPECT_EQ(one.read_until("never"), "") << chunks;
    }
  }
  // What may be there is read: extensions and trailers.
  EXPECT_EQ(raw("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n"
                "2;name=value\r\nab\r\n0\r\nX-Trailer: 1\r\n\r\n")
                .body,
            "ab");
}

TEST_F(HttpServer, ALengthThatLiesCostsTheConnectionAlone) {
  start();
  // Too short: what is left over is no request.
  Client one = client();
  one.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabcdef\r\n\r\n");
  EXPECT_EQ(one.receive().body, "abc");
  EXPECT_EQ(code(one.receive()), "INVALID_REQUEST");
  EXPECT_EQ(one.read_until("never"), "");
  // Too long: the body breaks off.
  for (const char* path : {"/echo", "/count"}) {
    Client other = client();
    other.send(fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc", path));
    other.shutdown_sending();
    EXPECT_EQ(code(other.receive()), "INVALID_REQUEST");
  }
}

TEST_F(HttpServer, AnAddressWithAHostIsThatHosts) {
  start();
  EXPECT_EQ(raw("GET http://localhost/echo?text=a HTTP/1.1\r\nHost: localhost\r\n\r\n").body, "a");
  EXPECT_EQ(code(raw("GET http://elsewhere.example/echo HTTP/1.1\r\nHost: localhost\r\n\r\n")),
            "MISDIRECTED");
  EXPECT_EQ(code(raw("GET localhost/echo HTTP/1.1\r\nHost: localhost\r\n\r\n")), "INVALID_REQUEST");
  EXPECT_EQ(code(raw("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")), "INVALID_REQUEST");
}

TEST_F(HttpServer, OptionsSaysWhatAnAddressTakesAndHeadHasNoBody) {
  start();
  const ClientResponse options = client().request("OPTIONS", "/echo");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.headers.at("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(code(client().request("OPTIONS", "/nothing")), "NOT_FOUND");
  // A preflight of another origin is told nothing.
  EXPECT_EQ(code(client().request("OPTIONS", "/echo", {}, "Origin: http://elsewhere.example\r\n")),
            "FORBIDDEN");
  EXPECT_EQ(code(client().request("POST", "/echo", "x", "Content-Encoding: gzip\r\n")), "UNSUPPORTED_MEDIA");
  Client one = client();
  for (const auto& [target, status, length] : {std::tuple("/echo?text=abc", 200, "3"),
                                               {"/long", 200, "100000"},
                                               {"/file", 200, "100000"},
                                               {"/nothing", 404, ""},
                                               {"/count", 405, ""}}) {
    const ClientResponse head = one.request("HEAD", target);
    EXPECT_EQ(head.status, status) << target;
    if (status == 200) {
      EXPECT_EQ(head.headers.at("content-length"), length) << target;
    }
  }
  EXPECT_EQ(one.request("GET", "/echo?text=still").body, "still");
  one.send("HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(one.read_until("never").ends_with("\r\n\r\n"));
}

TEST_F(HttpServer, AHandlerThatThrowsTellsTheClientNothing) {
  start();
  const ClientResponse response = get("/throws");
  EXPECT_EQ(code(response), "INTERNAL");
  EXPECT_EQ(response.body.find("/var"), std::string::npos);
}

TEST_F(HttpServer, TheGuardIsAskedOnceAndBeforeTheBody) {
  std::atomic<int> asked = 0;
  guard_ = [&](const Route& route, Request& request) -> Outcome<void> {
    ++asked;
    if (!request.header("authorization")) return fail(Problem(401, "say who you are"));
    request.caller = route.pattern;
    return {};
  };
  start();
  EXPECT_EQ(get("/echo?text=a").status, 401);
  EXPECT_EQ(client().request("GET", "/echo?text=a", {}, "Authorization: a\r\n").body, "a");
  EXPECT_EQ(client().request("POST", "/echo", "body", "Authorization: a\r\n").body, "body");
  EXPECT_EQ(client().request("POST", "/count", "four", "Authorization: a\r\n").body, "4");
  EXPECT_EQ(asked, 4);
  // Neither the body nor the word to send it.
  Client refused = client();
  refused.send(
      "POST /count HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_EQ(refused.receive().status, 401);
  // What is not there, or is only asked for, is nobody's.
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(client().request("OPTIONS", "/echo").status, 204);
  EXPECT_EQ(asked, 5);
}

TEST_F(HttpServer, PagesOfNamedOriginsMayAskAndNoOthers) {
  start({.refuse_foreign_origins = true, .cors_origins = {"https://app.example.org"}});
  const auto ask = [&](std::string_view method, const std::string& origin) {
    return client().request(method, "/echo", {},
                            "Origin: " + origin + "\r\nAccess-Control-Request-Method: POST\r\n");
  };
  const ClientResponse preflight = ask("OPTIONS", "https://app.example.org");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.at("access-control-allow-origin"), "https://app.example.org");
  EXPECT_TRUE(preflight.headers.contains("access-control-allow-methods"));
  EXPECT_EQ(preflight.headers.at("vary"), "Origin");
  const ClientResponse answer = ask("GET", "https://app.example.org");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("access-control-allow-origin"), "https://app.example.org");
  for (const char* origin : {"https://app.example.org.evil.example", "http://app.example.org", "null"}) {
    const ClientResponse refused = ask("OPTIONS", origin);
    EXPECT_EQ(refused.status, 403) << origin;
    EXPECT_FALSE(refused.headers.contains("access-control-allow-origin")) << origin;
  }
}

TEST_F(HttpServer, EveryAnswerTellsBrowsersToBeCareful) {
  start();
  for (const ClientResponse& answer : {get("/echo?text=a"), get("/nothing"), get("/throws"), get("/file")}) {
    EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
    EXPECT_EQ(answer.headers.at("x-frame-options"), "DENY");
    EXPECT_EQ(answer.headers.at("referrer-policy"), "no-referrer");
    EXPECT_EQ(answer.headers.at("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    EXPECT_EQ(answer.headers.at("cross-origin-resource-policy"), "same-origin");
    EXPECT_FALSE(answer.headers.contains("strict-transport-security")) << "this is no TLS";
  }
}

TEST_F(HttpServer, StreamsLargeBodies) {
  start();
  const std::string body(10'000'001, 'x');
  Client one = client();
  one.send("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000001\r\n\r\n" + body +
           "GET /echo?text=next HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(one.receive().body, "10000001");
  EXPECT_EQ(one.receive().body, "next");
  std::string chunked = "POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 300; ++i) chunked += "3e8\r\n" + std::string(1000, 'y') + "\r\n";
  EXPECT_EQ(raw(chunked + "0\r\n\r\n").body, "300000");
}

TEST_F(HttpServer, ABodyThatIsRefusedIsNotReadToItsEnd) {
  start();
  Client declared = client();
  declared.send(
      "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(code(declared.receive()), "PAYLOAD_TOO_LARGE");
  Client lying = client();
  lying.send("POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 25; ++i) lying.send("f4240\r\n" + std::string(1'000'000, 'y') + "\r\n");
  EXPECT_EQ(code(lying.receive()), "PAYLOAD_TOO_LARGE");
}

TEST_F(HttpServer, WaitsForThoseWhoExpectToContinue) {
  start();
  Client one = client();
  one.send("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(one.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  one.send("abc");
  EXPECT_EQ(one.receive().body, "3");
}

TEST_F(HttpServer, SlowClientsAreGivenUp) {
  start({.time = {.header = 50ms, .body_silence = 50ms, .idle = 50ms}});
  EXPECT_EQ(code(raw("GET /echo HTTP/1.1\r\nHo")), "REQUEST_TIMEOUT");
  EXPECT_EQ(code(raw("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")),
            "REQUEST_TIMEOUT");
  EXPECT_EQ(code(raw("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")),
            "REQUEST_TIMEOUT");
  // Without a request the connection ends without a word.
  Client idle = client();
  EXPECT_EQ(idle.read_until("x"), "");
}

TEST_F(HttpServer, OneByteAfterTheOtherIsGivenUp) {
  start({.time = {.header = 50ms, .body_silence = 50ms}});
  for (const char* beginning :
       {"GET /echo HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
        "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"}) {
    Client one = client();
    one.send(beginning);
    std::jthread crawler([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        one.send_more("x");
        ::usleep(5000);
      }
    });
    EXPECT_EQ(code(one.receive()), "REQUEST_TIMEOUT") << beginning;
  }
}

TEST_F(HttpServer, AReaderWhoDoesNotReadIsGivenUp) {
  start({.time = {.write_silence = 50ms}});
  // More than the buffers between the two hold.
  source_->feed(std::string(64 << 20, 'e'), false);
  Client events = client();
  events.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  Client download = client();
  download.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (source_.use_count() == 1 || server_->load().connections < 2) std::this_thread::yield();
  while (source_.use_count() > 1 || server_->load().connections > 0) std::this_thread::yield();
  EXPECT_LT(download.read_until("never").size(), 64U << 20);
}

TEST_F(HttpServer, OneConnectionTooManyIsToldSo) {
  start({.connections = 3});
  std::vector<Client> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(client());
    EXPECT_EQ(open.back().request("GET", "/echo?text=in").status, 200);
  }
  const ClientResponse refused = get("/echo");
  EXPECT_EQ(code(refused), "SERVICE_UNAVAILABLE");
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  open.pop_back();
  while (server_->load().connections > 2) std::this_thread::yield();
  EXPECT_EQ(get("/echo").status, 200);
}

// The multipart parser behind a real connection.
TEST_F(HttpServer, FormsOfTooManyPartsOrEndlessNamesAreRefusedAsTheyCome) {
  start();
  std::string parts;
  for (int i = 0; i < 1000; ++i) parts += "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n";
  EXPECT_EQ(code(client().request("POST", "/form", parts + "--b--\r\n", kFormHeader)), "PAYLOAD_TOO_LARGE");
  Client one = client();
  one.send(
      fmt::format("POST /form HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: 5000000000\r\n\r\n"
                  "--b\r\nContent-Disposition: form-data; name=\"",
                  kFormHeader));
  std::jthread writer([&](const std::stop_token& stop) {
    const std::string name(1 << 16, 'n');
    while (!stop.stop_requested()) one.send_more(name);
  });
  EXPECT_EQ(code(one.receive()), "PAYLOAD_TOO_LARGE");
}

TEST_F(HttpServer, ServesRangesOfAFile) {
  start();
  const ClientResponse whole = get("/file");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body.size(), 100'000U);
  const ClientResponse part = get("/file", "Range: bytes=26-29\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "abcd");
  EXPECT_EQ(part.headers.at("content-range"), "bytes 26-29/100000");
  const ClientResponse beyond = get("/file", "Range: bytes=100000-\r\n");
  EXPECT_EQ(code(beyond), "RANGE_NOT_SATISFIABLE");
  EXPECT_EQ(beyond.headers.at("content-range"), "bytes */100000");
  EXPECT_EQ(get("/file", "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").status, 200);
  EXPECT_EQ(get("/file", "Range: bytes=0-1\r\nIf-Range: \"tag\"\r\n").status, 206);
  EXPECT_EQ(get("/file", "If-None-Match: \"tag\"\r\n").status, 304);
}

TEST_F(HttpServer, TextIsCompressedForThoseWhoTakeIt) {
  start();
  EXPECT_EQ(get("/long").body.size(), 100'000U);
  const ClientResponse small = get("/long", "Accept-Encoding: br, gzip\r\n");
  EXPECT_EQ(small.headers.at("content-encoding"), "gzip");
  EXPECT_EQ(small.headers.at("vary"), "Accept-Encoding");
  EXPECT_LT(small.body.size(), 1000U);
  EXPECT_EQ(client().request("HEAD", "/long", {}, "Accept-Encoding: gzip\r\n").headers.at("content-length"),
            std::to_string(small.body.size()));
  const std::string tag = small.headers.at("etag");
  EXPECT_NE(tag, get("/long").headers.at("etag"));
  const ClientResponse same = get("/long", "Accept-Encoding: gzip\r\nIf-None-Match: " + tag + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.headers.at("etag"), tag);
  // A range is one of the file's bytes.
  const ClientResponse part = get("/file", "Range: bytes=0-9999\r\nAccept-Encoding: gzip\r\n");
  EXPECT_EQ(part.body.size(), 10'000U);
  EXPECT_FALSE(part.headers.contains("content-encoding"));
}

TEST_F(HttpServer, StreamsEventsUntilTheirEnd) {
  start();
  Client one = client();
  one.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  source_->feed("data: 1\n\n", false);
  EXPECT_NE(one.read_until("data: 1\n\n").find("text/event-stream"), std::string::npos);
  source_->feed("data: 2\n\n", true);
  EXPECT_EQ(one.read_until("never"), "data: 2\n\n");
}

TEST_F(HttpServer, AStreamEndsWhenItsClientGoes) {
  start();
  {
    Client one = client();
    one.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    source_->feed("data: 1\n\n", false);
    one.read_until("data: 1\n\n");
  }
  while (source_.use_count() > 1) std::this_thread::yield();
}

TEST_F(HttpServer, ThoseWhoWaitForAnAnswerHoldNoThread) {
  start();
  constexpr int kMany = limits::kHttpSlowWorkers + limits::kHttpWorkers + 1;
  std::vector<Client> waiting;
  for (int i = 0; i < kMany; ++i) {
    // Each has its own; only the last one's is kept here.
    later_ = std::make_shared<FedAnswer>();
    waiting.push_back(client());
    waiting.back().send("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (waiting_ <= i) std::this_thread::yield();
  }
  EXPECT_EQ(get("/echo?text=quick").body, "quick");
  later_->give(text_response(200, "text/plain", "at last"));
  EXPECT_EQ(waiting.back().receive().body, "at last");
}

TEST_F(HttpServer, AnAnswerThatComesLaterMayBeARefusalInTheRoutesOwnWords) {
  start();
  later_->give(fail(Problem(417, "no")));
  const ClientResponse refused = get("/later", "X-Request-ID: one\r\n");
  EXPECT_EQ(refused.status, 418);
  EXPECT_EQ(refused.body, "no one");
  EXPECT_EQ(refused.headers.at("connection"), "close");
}

TEST_F(HttpServer, WhoLeavesIsNotWaitedFor) {
  start();
  {
    Client one = client();
    one.send("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (waiting_ == 0) std::this_thread::yield();
  }
  while (later_.use_count() > 1) std::this_thread::yield();
}

TEST_F(HttpServer, DrainTellsThoseWhoWaitToComeAgain) {
  start();
  Client one = client();
  one.send("GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (waiting_ == 0) std::this_thread::yield();
  server_->drain(10s);
  const ClientResponse refused = one.receive();
  EXPECT_EQ(refused.status, 504) << "503 in the route's own words";
  EXPECT_EQ(refused.headers.at("retry-after"), "10");
}

TEST_F(HttpServer, DrainEndsStreamsAndIdleConnectionsAtOnce) {
  start();
  Client idle = client();
  EXPECT_EQ(idle.request("GET", "/echo?text=1").body, "1");
  Client streaming = client();
  streaming.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  source_->feed("data: 1\n\n", false);
  streaming.read_until("data: 1\n\n");
  const auto began = std::chrono::steady_clock::now();
  server_->drain(10s);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  EXPECT_EQ(streaming.read_until("never"), "");
  EXPECT_EQ(idle.read_until("never"), "");
}

TEST_F(HttpServer, DrainLetsADownloadEndAndEndsStreams) {
  start();
  Client download = client();
  download.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  Client streaming = client();
  streaming.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (server_->load().streams == 0) std::this_thread::yield();
  while (!large_asked_) std::this_thread::yield();
  std::jthread drain([&] { server_->drain(20s); });
  EXPECT_TRUE(streaming.read_until("never").ends_with("\r\n\r\n"));
  EXPECT_EQ(download.receive().body.size(), 64U << 20);
  drain.join();
  EXPECT_EQ(server_->load().connections, 0U);
}

TEST_F(HttpServer, APathBeforeAllOthersIsTakenOffAndPutBeforeLocations) {
  start({.base_path = "/hansard"});
  EXPECT_EQ(get("/hansard/echo?text=1").body, "1");
  EXPECT_EQ(get("/echo?text=1").body, "1");
  EXPECT_EQ(code(get("/hansardous/echo")), "NOT_FOUND");
  EXPECT_EQ(code(get("/hansard")), "NOT_FOUND");
  EXPECT_EQ(get("/hansard/made").headers.at("location"), "/hansard/echo");
  EXPECT_EQ(get("/made").headers.at("location"), "/hansard/echo");
  for (const char* path :
       {"hansard", "/", "/hansard/", "//hansard", "/han sard", "/a//b", "/a?b", "/a/..", "/ä", "/%41"}) {
    const auto server = Server::open({.port = 0, .base_path = path}, {});
    ASSERT_FALSE(server) << path;
    EXPECT_NE(server.error().message.find(fmt::format("HANSARD_BASE_PATH is \"{}\"; allowed is", path)),
              std::string::npos);
  }
}

TEST_F(HttpServer, WhatNoPatternFitsIsTheFallbacks) {
  fallback_ = [](Request& request) -> Answer {
    if (request.path == "/none") return fail(nothing_there());
    return text_response(200, "text/plain", request.method + " " + request.path);
  };
  guard_ = [](const Route& route, Request&) -> Outcome<void> {
    if (route.pattern.empty()) return fail(Problem(401, "nobody asks a guard for what is not there"));
    return {};
  };
  start({.base_path = "/hansard"});
  EXPECT_EQ(get("/else/where?text=1").body, "GET /else/where");
  EXPECT_EQ(get("/hansard/else").body, "GET /else");
  EXPECT_EQ(get("/hansard").body, "GET /");
  EXPECT_EQ(get("/echo?text=1").body, "1");
  EXPECT_EQ(client().request("HEAD", "/else").headers.at("content-length"), "9");
  EXPECT_EQ(code(get("/none")), "NOT_FOUND");
  EXPECT_EQ(code(get("/%zz")), "INVALID_REQUEST");
  EXPECT_EQ(code(client().request("PUT", "/echo", "x")), "METHOD_NOT_ALLOWED");
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"})
    EXPECT_EQ(code(client().request(method, "/else", "x")), "NOT_FOUND") << method;
}

TEST_F(HttpServer, ALinkOfAnotherSiteLeadsToTheFallbackAndNowhereElse) {
  fallback_ = [](Request&) -> Answer { return text_response(200, "text/html", "page"); };
  start({.base_path = "/hansard"});
  const std::string followed = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
  const std::string opened = followed + "Sec-Fetch-Dest: document\r\n";
  for (const char* path : {"/", "/r/one?t=3", "/hansard/settings"})
    EXPECT_EQ(get(path, opened).body, "page") << path;
  EXPECT_EQ(
      get("/", "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n").body,
      "page");
  // What answers for somebody, a frame, an image, a script, a form of elsewhere.
  EXPECT_EQ(code(get("/echo?text=1", opened)), "FORBIDDEN");
  EXPECT_EQ(code(get("/hansard/echo?text=1", opened)), "FORBIDDEN");
  for (const char* place : {"iframe", "embed", "object", "frame", "image", "empty"})
    EXPECT_EQ(code(get("/", followed + "Sec-Fetch-Dest: " + place + "\r\n")), "FORBIDDEN") << place;
  EXPECT_EQ(code(get("/", followed)), "FORBIDDEN");
  EXPECT_EQ(
      code(get("/", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: document\r\n")),
      "FORBIDDEN");
  EXPECT_EQ(code(get("/", opened + "Origin: https://elsewhere.example\r\n")), "FORBIDDEN");
  for (const char* method : {"POST", "OPTIONS"})
    EXPECT_EQ(code(client().request(method, "/", "x", opened)), "FORBIDDEN") << method;
  EXPECT_EQ(client().request("HEAD", "/", {}, opened).status, 403);
}

TEST_F(HttpServer, TrustedProxiesSayWhoAsksAndHow) {
  start({.allowed_hosts = {"hansard.example"}, .trusted_proxies = {"127.0.0.0/8"}});
  const std::string_view forwarded =
      "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: hansard.example\r\n";
  EXPECT_EQ(get("/peer", forwarded).body, "198.51.100.1");
  EXPECT_EQ(get("/peer").body, "127.0.0.1");
  EXPECT_EQ(get("/peer", std::string(forwarded) + "Origin: https://hansard.example\r\n").status, 200);
  EXPECT_EQ(code(get("/peer", std::string(forwarded) + "Origin: http://hansard.example\r\n")), "FORBIDDEN");
  EXPECT_EQ(code(get("/peer", std::string(forwarded) + "Origin: http://localhost\r\n")), "FORBIDDEN");
  EXPECT_EQ(code(get("/peer", "X-Forwarded-Host: elsewhere.example\r\n")), "MISDIRECTED");
  EXPECT_EQ(code(get("/peer", "X-Forwarded-For: 198.51.100.1\r\nForwarded: for=198.51.100.2\r\n")),
            "INVALID_REQUEST");
  start();
  EXPECT_EQ(get("/peer", forwarded).body, "127.0.0.1");
  const auto wrong = Server::open({.port = 0, .trusted_proxies = {"proxy"}}, {});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("HANSARD_TRUSTED_PROXIES: \"proxy\" is no address"),
            std::string::npos);
}

TEST_F(HttpServer, EachAnswerIsToldOfByItsRoute) {
  std::mutex mutex;
  std::vector<std::string> told;
  start({.on_answer = [&](const Answered& answered) {
    const std::lock_guard lock(mutex);
    EXPECT_GE(answered.time.count(), 0);
    told.push_back(fmt::format("{} {} {}", answered.method, answered.route, answered.status));
  }});
  client().request("GET", "/echo?text=secret");
  client().request("HEAD", "/echo");
  client().request("POST", "/nothing/secret", "x");
  server_->drain(1s);
  EXPECT_EQ(told, (std::vector<std::string>{"GET /echo 200", "HEAD /echo 200", "POST  404"}));
}

TEST_F(HttpServer, APortThatIsTakenIsNamed) {
  start();
  const auto second = Server::open({.port = server_->port()}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_NE(second.error().message.find(std::to_string(server_->port())), std::string::npos);
  EXPECT_FALSE(Server::open({.host = "example.org"}, {}));
  EXPECT_FALSE(Server::open({.host = "192.0.2.1", .port = 0}, {}));
}

}  // namespace
}  // namespace hansard::http
