// The contract and the router have the same routes; and an answer that breaks the contract is found.

#include "contract.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "api/asr/asr.h"
#include "api/cesar/cesar.h"
#include "api/openai/openai.h"
#include "api/openapi.h"
#include "api/v1/api.h"
#include "base/limits.h"
#include "base/temporary_folder.h"
#include "blob/file/file_blobs.h"
#include "http/server.h"
#include "page/page.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard {
namespace {

namespace bj = json::bj;
using http::Exchange;

// What routes are bound to; nothing of it is called.
struct House {
  TemporaryFolder folder;
  std::unique_ptr<store::Store> store = store::open_sqlite(folder / "hansard.db", {}).value();
  std::unique_ptr<blob::Blobs> blobs = blob::open_file_blobs(folder / "blobs").value();
  models::Library models{folder / "models", {}};
  models::Installer installer{models};
  pipeline::Artifacts artifacts{folder / "cache", 0};
  jobs::FifoPolicy policy;
  jobs::Hub hub{*store};
  jobs::Slots slots{{},
                    {.store = *store,
                     .blobs = *blobs,
                     .hub = hub,
                     .policy = policy,
                     .library = models,
                     .artifacts = artifacts,
                     .spool_folder = folder / "spool",
                     .auto_download = false,
                     .open_provider = {}}};
  library::UploadsInWork uploads;
  library::Renditions renditions{*store, *blobs, folder / "spool"};
  std::unique_ptr<auth::Accounts> accounts =
      auth::Accounts::open(*store, folder / "token-keys.json", false).value();
  auth::Standings standings{*accounts, limits::kStandingInterval};
  const fetch::AddressRules address_rules;
  std::atomic<bool> draining = false;
  api::v1::Services services{.store = *store,
                             .blobs = *blobs,
                             .hub = hub,
                             .slots = slots,
                             .models = models,
                             .installer = installer,
                             .artifacts = artifacts,
                             .uploads = uploads,
                             .renditions = renditions,
                             .accounts = *accounts,
                             .standings = standings,
                             .address_rules = address_rules,
                             .draining = draining,
                             .instance = "test"};
};

std::set<std::string> names_of(const http::Router& router) {
  std::set<std::string> names;
  for (const http::Route* route : router.routes()) names.insert(route->method + " " + route->pattern);
  return names;
}

http::Router routes_of(House& house) {
  http::Router router;
  api::add_contract_routes(router);
  api::v1::add_routes(router, house.services);
  api::openai::add_routes(router, house.services);
  api::cesar::add_routes(router, house.services);
  api::asr::add_routes(router, house.services);
  return router;
}

TEST(Contract, HasTheRoutesOfTheRouterAndNoOther) {
  House house;
  EXPECT_EQ(names_of(routes_of(house)), names_of(Contract::of_this_build().router()));
}

// Every code of the table of errors is in the contract, and no other.
TEST(Contract, HasTheCodesOfErrors) {
  const bj::value& codes = Contract::of_this_build()
                               .document()
                               .at("components")
                               .at_pointer("/schemas/Error/properties/error/properties/code/enum");
  std::set<std::string> named;
  for (const bj::value& code : codes.as_array()) named.insert(code.as_string().c_str());
  std::set<std::string> known;
  for (int status = 400; status < 600; ++status) known.insert(std::string(http::problem_code(status)));
  EXPECT_EQ(named, known);
}

// What is served is the document of this build, and a page that neither runs nor asks for anything.
TEST(Contract, IsServedAsJsonAndAsAPage) {
  http::Router router;
  api::add_contract_routes(router);
  const auto server = http::Server::open({.host = "127.0.0.1", .port = 0}, std::move(router)).value();
  server->start();
  hold_to_contract(server->port());
  const auto get = [&](std::string_view target, std::string_view headers = {}) {
    return http::Client(server->port()).request("GET", target, {}, headers);
  };
  const http::ClientResponse document = get("/openapi.json");
  EXPECT_EQ(document.status, 200);
  EXPECT_EQ(json::parse_object(document.body).value(), Contract::of_this_build().document());
  const http::ClientResponse page = get("/docs");
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_TRUE(
      page.headers.at("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
  // It asks nobody else, and leads to nobody else; addresses in examples are text.
  for (const char* outside : {"<script", "src=", "href=\"http", "href=\"//", "url(", "@import"}) {
    EXPECT_EQ(page.body.find(outside), std::string::npos) << outside;
  }
  for (const http::Route* route : Contract::of_this_build().router().routes()) {
    EXPECT_NE(page.body.find("<code>" + route->pattern + "</code>"), std::string::npos) << route->pattern;
  }
  for (const auto& [target, response] : {std::pair("/openapi.json", document), std::pair("/docs", page)}) {
    const std::string known = "If-None-Match: " + response.headers.at("etag") + "\r\n";
    EXPECT_EQ(get(target, known).status, 304);
  }
}

// The page is where nothing of the contract is, nor could be.
TEST(Contract, LeavesThePageItsAddresses) {
  House house;
  http::Router router = routes_of(house);
  page::add_page(router, {});
  const auto server = http::Server::open({.host = "127.0.0.1", .port = 0}, std::move(router)).value();
  server->start();
  hold_to_contract(server->port());
  const auto status = [&](const std::string& target) {
    return http::Client(server->port()).request("GET", target, {}, "Accept: text/html\r\n").status;
  };
  for (const char* target : {"/", "/r/file_1", "/settings", "/icon.svg"})
    EXPECT_EQ(status(target), 200) << target;
  for (const http::Route* route : Contract::of_this_build().router().routes()) {
    const std::string beginning = route->pattern.substr(0, route->pattern.find('/', 1));
    EXPECT_EQ(status(beginning + "/no/such/address"), 404) << beginning;
  }
}

Exchange good() {
  return {0,
          "GET",
          "/api/v1/admin/queue?scope=all",
          {200,
           {{"x-request-id", "one"}, {"content-type", "application/json"}},
           R"({"queued":3,"processing":1,"running":1,"completed":40,"failed":0,"canceled":2,)"
           R"("oldest_queued_seconds":null})"}};
}

std::string violation(const Exchange& exchange) {
  return Contract::of_this_build().violation(exchange);
}

// `change` makes one thing wrong.
template <typename Change>
std::string violation_after(Change change) {
  Exchange exchange = good();
  change(exchange);
  return violation(exchange);
}

TEST(Contract, FindsWhatIsWrongWithAnAnswer) {
  EXPECT_EQ(violation(good()), "");
  EXPECT_EQ(violation_after([](Exchange& e) { e.response.status = 418; }), "this status is not documented");
  EXPECT_EQ(violation_after([](Exchange& e) { e.response.headers.erase("x-request-id"); }),
            "the header X-Request-ID is missing");
  EXPECT_NE(violation_after([](Exchange& e) { e.response.headers["x-request-id"] = "a b"; }), "");
  EXPECT_EQ(violation_after([](Exchange& e) { e.response.headers["content-type"] = "text/html"; }),
            "the Content-Type is not documented: text/html");
  EXPECT_NE(violation_after([](Exchange& e) { e.response.body = "{"; }), "");
  EXPECT_NE(violation_after([](Exchange& e) { e.response.body = "{}"; }), "");
  // A field too many, one of another type, one below its least.
  const auto with = [](std::string_view from, std::string_view to) {
    return violation_after(
        [&](Exchange& e) { e.response.body.replace(e.response.body.find(from), from.size(), to); });
  };
  EXPECT_NE(with("{\"queued\":3", "{\"secret\":0,\"queued\":3"), "");
  EXPECT_NE(with("\"queued\":3", "\"queued\":\"3\""), "");
  EXPECT_NE(with("\"queued\":3", "\"queued\":3.5"), "");
  EXPECT_NE(with("\"queued\":3", "\"queued\":-1"), "");
  EXPECT_EQ(with("null", "0.5"), "");
  EXPECT_NE(with("null", "\"soon\""), "");
}

TEST(Contract, FindsWhatIsWrongWithARefusal) {
  Exchange refusal{0,
                   "GET",
                   "/api/v1/files/none",
                   {404,
                    {{"x-request-id", "one"}, {"content-type", "application/json"}},
                    R"({"error":{"code":"NOT_FOUND","message":"no","field":null,"request_id":"one"}})"}};
  EXPECT_EQ(violation(refusal), "");
  Exchange nowhere = refusal;
  nowhere.target = "/nowhere";
  EXPECT_EQ(violation(nowhere), "");
  nowhere.response.status = 200;
  EXPECT_EQ(violation(nowhere), "the contract has no such route");
  Exchange method = refusal;
  method.method = "PUT";
  EXPECT_EQ(violation(method), "the contract has no such route");
  method.response.status = 405;
  EXPECT_NE(violation(method), "");
  method.response.headers["allow"] = "GET, HEAD, PATCH, DELETE, OPTIONS";
  EXPECT_NE(violation(method).find("NOT_FOUND is no code of a 405"), std::string::npos);
  method.method = "OPTIONS";
  method.response.status = 204;
  EXPECT_EQ(violation(method), "");
  // The code must be the status's own.
  refusal.response.body.replace(refusal.response.body.find("NOT_FOUND"), 9, "CONFLICT");
  EXPECT_NE(violation(refusal), "");
}

TEST(Contract, FindsWhatIsWrongWithAStream) {
  const auto violation_of = [](std::string stream) {
    return violation({0,
                      "GET",
                      "/api/v1/events",
                      {200,
                       {{"x-request-id", "one"}, {"content-type", "text/event-stream"}},
                       "retry: 2000\n\n:\n\n" + std::move(stream)}});
  };
  const std::string id = "tr_01m878kq30b2v7xj5t1n8e4s6h";
  EXPECT_EQ(violation_of(""), "");
  EXPECT_EQ(violation_of("id: 7\nevent: transcription.deleted\ndata: {\"id\":\"" + id + "\"}\n\n"), "");
  EXPECT_NE(violation_of("event: transcription.deleted\ndata: {\"id\":\"7\"}\n\n"), "");
  EXPECT_NE(violation_of("event: transcription.deleted\ndata: {\"id\":\"" + id + "\",\"path\":\"/\"}\n\n"),
            "");
  EXPECT_NE(violation_of("event: transcription.gone\ndata: {}\n\n"), "");
  EXPECT_NE(violation_of("event: stream.reset\ndata: {\n\n"), "");
  EXPECT_NE(violation_of("what is this\n\n"), "");
}

uint16_t lying_port;

// A server that leaves a field out fails the test that asks it.
TEST(Contract, IsHeldAgainstEveryAnswerOfAWatchedServer) {
  http::Router router;
  router.get("/api/v1/health", [](http::Request&) -> http::Answer { return http::json_response(200, "{}"); });
  const auto server = http::Server::open({.host = "127.0.0.1", .port = 0}, std::move(router)).value();
  server->start();
  lying_port = server->port();
  EXPECT_EQ(http::Client(lying_port).request("GET", "/api/v1/health").status, 200);
  hold_to_contract(lying_port);
  EXPECT_NONFATAL_FAILURE(http::Client(lying_port).request("GET", "/api/v1/health"),
                          "the contract is broken by the answer 200 to GET /api/v1/health");
}

// So does one that tells a secret, in what it says or in the lines before it.
TEST(Contract, NoAnswerOfAWatchedServerTellsASecret) {
  http::Router router;
  router.get("/api/v1/health", [](http::Request& request) -> http::Answer {
    http::Response response = http::json_response(200, R"({"status":"ok"})");
    if (request.query_value("in") == "header") response.with("X-Folder", "/srv/hansard/data");
    if (request.query_value("in") == "body") response.body = std::string(R"({"status":"/srv/hansard/data"})");
    return response;
  });
  const auto server = http::Server::open({.host = "127.0.0.1", .port = 0}, std::move(router)).value();
  server->start();
  lying_port = server->port();
  hold_to_contract(lying_port, {"/srv/hansard"});
  EXPECT_EQ(http::Client(lying_port).request("GET", "/api/v1/health").status, 200);
  EXPECT_NONFATAL_FAILURE(http::Client(lying_port).request("GET", "/api/v1/health?in=body"),
                          "its body holds /srv/hansard");
  EXPECT_NONFATAL_FAILURE(http::Client(lying_port).request("GET", "/api/v1/health?in=header"),
                          "its header x-folder holds /srv/hansard");
}

}  // namespace
}  // namespace hansard
