#include "page/page.h"

#include <gtest/gtest.h>

#include <array>
#include <regex>

#include <fmt/format.h>

#include "http/server.h"
#include "http/test_client.h"

namespace hansard::page {
namespace {

using http::ClientResponse;

constexpr std::array<File, 3> kFiles{
    {{"/assets/a-1.js", "text/javascript; charset=utf-8", "\"js\"", "plain", "compressed"},
     {"/assets/b-2.woff2", "font/woff2", "\"font\"", "font", ""},
     {"/icon.svg", "image/svg+xml", "\"icon\"", "<svg/>", ""}}};
constexpr Built kMadeUp{R"(<base href="{{base}}"><meta content="{{nonce}}"><style nonce="{{nonce}}">)",
                        kFiles};
constexpr std::string_view kHtml = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

class PageServer : public testing::Test {
 protected:
  void start(const std::string& base_path = "", const Built& built = kMadeUp) {
    http::Router router;
    const auto route = [](http::Request&) { return http::Answer(http::json_response(200, "{}")); };
    router.get("/api/v1/health", route);
    router.post("/jobs", route);
    router.set_guard([](const http::Route&, http::Request&) -> http::Outcome<void> {
      return fail(http::Problem(401, "say who you are"));
    });
    add_page(router, {.base_path = base_path, .accounts = false}, built);
    server_ = std::move(http::Server::open({.port = 0, .base_path = base_path}, std::move(router)).value());
    server_->start();
  }
  ClientResponse ask(std::string_view method, std::string_view target, std::string_view headers) const {
    return http::Client(server_->port()).request(method, target, {}, headers);
  }
  ClientResponse get(std::string_view target, std::string_view headers = kHtml) const {
    return ask("GET", target, headers);
  }

  std::unique_ptr<http::Server> server_;
};

std::string nonce_of(const ClientResponse& response) {
  std::smatch found;
  const bool is_there =
      std::regex_search(response.body, found, std::regex("<meta content=\"([0-9a-f]{32})\">"));
  return is_there ? found[1].str() : std::string();
}

TEST_F(PageServer, GivesTheDocumentAtEveryAddressThatIsNobodys) {
  start();
  for (const char* target :
       {"/", "/r/file_1", "/r/file_1?t=5", "/settings/keys", "/no/where", "/job", "/assetsy"}) {
    const ClientResponse response = get(target);
    EXPECT_EQ(response.status, 200) << target;
    EXPECT_EQ(response.headers.at("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(response.headers.at("cache-control"), "no-cache");
    EXPECT_EQ(response.headers.at("vary"), "Accept");
    EXPECT_EQ(response.headers.at("x-content-type-options"), "nosniff");
    EXPECT_TRUE(response.body.starts_with("<base href=\"/\">")) << response.body;
  }
}

TEST_F(PageServer, GivesNoDocumentWhereOthersAreOrToWhoWantsNone) {
  start();
  for (const char* target : {"/api", "/api/", "/api/v1/none", "/%61pi/none", "/jobs/none", "/assets",
                             "/assets/none.js", "/assets/../icon.svg", "/metrics"}) {
    EXPECT_EQ(get(target).status, 404) << target;
  }
  for (const char* accept :
       {"", "Accept: application/json\r\n", "Accept: */*\r\n", "Accept: text/html;q=0\r\n"}) {
    const ClientResponse response = get("/r/file_1", accept);
    EXPECT_EQ(response.status, 404) << accept;
    EXPECT_EQ(response.headers.at("content-type"), "application/json");
  }
  EXPECT_EQ(ask("POST", "/r/file_1", kHtml).status, 404);
  // What has an address stays as it was.
  EXPECT_EQ(get("/api/v1/health").status, 401);
  EXPECT_EQ(get("/jobs").status, 405);
}

TEST_F(PageServer, SaysBelowWhichPathItIs) {
  start("/hansard");
  for (const char* target : {"/hansard", "/hansard/", "/hansard/r/file_1", "/r/file_1"}) {
    EXPECT_TRUE(get(target).body.starts_with("<base href=\"/hansard/\">")) << target;
  }
  EXPECT_EQ(get("/hansard/assets/a-1.js").body, "plain");
  EXPECT_EQ(get("/hansard/api/none").status, 404);
}

TEST_F(PageServer, AllowsEachAnswerItsOwnStyles) {
  start();
  const ClientResponse one = get("/");
  const std::string nonce = nonce_of(one);
  ASSERT_FALSE(nonce.empty()) << one.body;
  EXPECT_TRUE(one.body.ends_with(fmt::format("<style nonce=\"{}\">", nonce))) << one.body;
  EXPECT_EQ(
      one.headers.at("content-security-policy"),
      fmt::format("default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{}'; img-src 'self' data: "
                  "blob:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; "
                  "manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
                  nonce));
  EXPECT_NE(nonce, nonce_of(get("/")));
}

TEST_F(PageServer, GivesFilesAsTheyWereBuilt) {
  start();
  const ClientResponse script = get("/assets/a-1.js", "Accept: */*\r\n");
  EXPECT_EQ(script.body, "plain");
  EXPECT_EQ(script.headers.at("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(script.headers.at("cache-control"), "public, max-age=31536000, immutable");
  EXPECT_FALSE(script.headers.contains("content-encoding"));
  const ClientResponse smaller = get("/assets/a-1.js", "Accept-Encoding: gzip, br\r\n");
  EXPECT_EQ(smaller.body, "compressed");
  EXPECT_EQ(smaller.headers.at("content-encoding"), "gzip");
  EXPECT_EQ(smaller.headers.at("vary"), "Accept-Encoding");
  EXPECT_EQ(smaller.headers.at("etag"), "\"js-gzip\"");
  const ClientResponse font = get("/assets/b-2.woff2", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(font.body, "font");
  EXPECT_FALSE(font.headers.contains("content-encoding"));
  const ClientResponse icon = get("/icon.svg");
  EXPECT_EQ(icon.body, "<svg/>");
  EXPECT_EQ(icon.headers.at("cache-control"), "no-cache");
  EXPECT_EQ(icon.headers.at("etag"), "\"icon\"");
  EXPECT_EQ(get("/icon.svg", "If-None-Match: \"icon\"\r\n").status, 304);
}

TEST_F(PageServer, AnswersHead) {
  start();
  for (const char* target : {"/", "/icon.svg"}) {
    const ClientResponse head = ask("HEAD", target, kHtml);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.at("content-length"), std::to_string(get(target).body.size()));
    EXPECT_EQ(head.body, "");
  }
  EXPECT_EQ(ask("HEAD", "/assets/none.js", kHtml).status, 404);
}

// Whatever the page is now: the document has its placeholders, and what it names is served.
TEST_F(PageServer, ServesThePageOfThisBuild) {
  start("/hansard", kBuilt);
  const ClientResponse document = get("/hansard/r/file_1");
  EXPECT_NE(document.body.find("<base href=\"/hansard/\">"), std::string::npos);
  EXPECT_EQ(document.body.find("{{"), std::string::npos);
  const std::regex name(R"re((?:src|href)="\./([^"]+)")re");
  size_t count = 0;
  for (std::sregex_iterator it(document.body.begin(), document.body.end(), name), end; it != end; ++it) {
    EXPECT_EQ(get("/hansard/" + (*it)[1].str()).status, 200) << (*it)[1];
    ++count;
  }
  EXPECT_GE(count, 2U);
  for (const File& file : kBuilt.files) {
    EXPECT_EQ(get(file.path).body, file.bytes) << file.path;
    if (file.gzip.empty()) continue;
    EXPECT_TRUE(file.gzip.starts_with("\x1f\x8b")) << file.path;
    EXPECT_LT(file.gzip.size(), file.bytes.size()) << file.path;
  }
}

}  // namespace
}  // namespace hansard::page
