// Requests and responses as handlers see them.
#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "http/problem.h"

namespace hansard::http {

// Takes a body that is too large to be held, piece by piece as it comes. One thread at a time. Destroyed
// without finish() when the body breaks off: nothing may be left behind then.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual Outcome<void> take(std::string_view bytes) = 0;
  virtual Outcome<void> finish() = 0;
};

struct Request {
  std::string id;                                          // echoed as X-Request-ID; on every log line
  std::string method;                                      // HEAD comes as GET
  std::string path;                                        // as written, without base path and query
  std::vector<std::string> parameters;                     // what the route's {…} stand for, decoded
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Headers headers;                                         // names in lower case
  std::string body;                                        // whole, unless the route has a receiver
  std::shared_ptr<Receiver> receiver;                      // has taken the whole body
  std::optional<uint64_t> content_length;
  std::string peer;  // address
  std::any caller;   // what the router's guard found out about who asks

  std::optional<std::string_view> header(std::string_view lower_case_name) const;
  std::optional<std::string> query_value(std::string_view name) const;  // the first of that name
};

// Bytes [offset, offset + length) of a file.
struct FileBody {
  UniqueFd fd;
  uint64_t offset = 0;
  uint64_t length = 0;
};

// Text of an event stream, as it becomes ready. Its owner may be on any thread. Destroyed when its client has
// gone or the server stops, too.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // Whether next() may wait for the database: it then runs on a worker thread, else on that of the
  // connections.
  virtual bool waits() const { return false; }
  struct Next {
    std::string text;    // empty: nothing now
    bool ended = false;  // after `text`
  };
  virtual Next next() = 0;
  // `wake` is called whenever next() may have more; from any thread, also from within on_ready().
  virtual void on_ready(std::function<void()> wake) = 0;
};

// An answer that is not there yet: its request waits for it, and holds no thread meanwhile. Destroyed without
// having given it when the client has gone or the server stops.
class Awaited;

struct Response {
  int status = 200;
  Headers headers;
  std::variant<std::string, FileBody, std::shared_ptr<EventSource>, std::shared_ptr<Awaited>> body;

  Response& with(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

Response json_response(int status, std::string body);
Response text_response(int status, std::string_view content_type, std::string body);

using Answer = Outcome<Response>;

class Awaited {
 public:
  virtual ~Awaited() = default;
  // The answer, once it is there; not asked again then. Runs on a worker thread, at first, after each wake,
  // and now and then.
  virtual std::optional<Answer> next() = 0;
  // `wake` is called whenever next() may have it; from any thread, also from within on_ready().
  virtual void on_ready(std::function<void()> wake) = 0;
};

bool is_utf8(std::string_view text);

// "a%20b" → "a b"; nothing for a broken escape, a NUL, or what is no UTF-8.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

}  // namespace hansard::http
