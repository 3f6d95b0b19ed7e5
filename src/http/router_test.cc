#include "http/router.h"

#include <gtest/gtest.h>

namespace hansard::http {
namespace {

Router made() {
  Router router;
  const auto handler = [](Request&) { return Answer(json_response(200, "{}")); };
  router.get("/files", handler);
  router.post("/files", handler);
  router.post("/files:import", handler);
  router.get("/files/{id}", handler);
  router.add({"DELETE", "/files/{id}", handler});
  router.post("/files/{id}:restore", handler);
  router.get("/files/{id}/audio", handler);
  router.get("/files/newest", handler);
  return router;
}

std::string found(std::string_view method, std::string_view path) {
  const Router router = made();
  const Router::Match match = router.match(method, path);
  if (match.malformed) return "malformed";
  if (match.route == nullptr) return match.allow.empty() ? "nothing" : "allow " + match.allow;
  std::string text = match.route->method + " " + match.route->pattern;
  for (const std::string& parameter : match.parameters) text += " " + parameter;
  return text;
}

TEST(Router, FindsTheRoute) {
  EXPECT_EQ(found("GET", "/files"), "GET /files");
  EXPECT_EQ(found("HEAD", "/files/f1"), "GET /files/{id} f1");
  EXPECT_EQ(found("POST", "/files:import"), "POST /files:import");
  EXPECT_EQ(found("POST", "/files/f1:restore"), "POST /files/{id}:restore f1");
  EXPECT_EQ(found("GET", "/files/a%20b/audio"), "GET /files/{id}/audio a b");
  EXPECT_EQ(found("GET", "/files/a%3Ab/audio"), "GET /files/{id}/audio a:b");
}

TEST(Router, SaysWhatIsAllowed) {
  EXPECT_EQ(found("PUT", "/files"), "allow GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(found("GET", "/files/f1:restore"), "allow POST, OPTIONS");
}

TEST(Router, AnAddressOfItsOwnIsNoParameter) {
  EXPECT_EQ(found("GET", "/files/newest"), "GET /files/newest");
  EXPECT_EQ(found("DELETE", "/files/newest"), "allow GET, HEAD, OPTIONS");
}

TEST(Router, KnowsWhatIsNotThere) {
  for (const char* path :
       {"/", "/files/", "/files/f1/", "/file", "/files/f1:other", "/files/:restore", "//files"}) {
    EXPECT_EQ(found("GET", path), "nothing") << path;
  }
  for (const char* path : {"", "files", "/files/%zz", "/files/%0", "/files/%00", "/files/%ff"}) {
    EXPECT_EQ(found("GET", path), "malformed") << path;
  }
}

}  // namespace
}  // namespace hansard::http
