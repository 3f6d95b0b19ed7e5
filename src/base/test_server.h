// A small HTTP server on the loopback, for tests: answers as a test says, also by breaking off or saying
// nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hansard {

struct TestRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct TestResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<size_t> break_after;  // closes the connection after so many bytes of the body
  bool silent_after = false;          // says nothing more after break_after, until the server ends
};

// What a server that knows ranges answers: 206 where Range is asked for and If-Range, if any, is `etag`.
TestResponse serve(const TestRequest& request, const std::string& bytes, const std::string& etag);

class TestServer {
 public:
  // Called for each request, by several threads at once.
  using Answer = std::function<TestResponse(const TestRequest&)>;
  explicit TestServer(Answer answer);
  ~TestServer();

  std::string address() const;  // "http://127.0.0.1:12345"
  std::vector<TestRequest> requests() const;
  int count(const std::string& path_ending) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hansard
