// Which handler a request goes to.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace hansard::http {

using Handler = std::function<Answer(Request&)>;
struct Route;
// Looks at each request whose route is known, before its body is asked for, on a worker thread. A problem
// refuses it.
using Guard = std::function<Outcome<void>(const Route&, Request&)>;

struct Route {
  std::string method;
  // "/api/v1/files/{id}:restore": {…} is one segment, or its part before ':'; an escaped one is a part of it.
  std::string pattern;
  Handler handler;  // runs on a worker thread; may wait for the database, not for anyone's network
  uint64_t body_limit = 1 << 20;
  // For bodies that are not held in memory: called with the headers alone, before the body is asked for.
  std::function<Outcome<std::shared_ptr<Receiver>>(Request&)> receive = nullptr;
  // The handler may wait for seconds, for a child process or a long copy: it runs on threads of its own kind,
  // so that those who only ask the database never wait for it.
  bool slow = false;
  // How its refusals read, where they are not to read as all others do (problem.h). What is refused before
  // the route is known reads as all others.
  std::function<Response(const Problem&, std::string_view request_id)> refusal = nullptr;
};

class Router {
 public:
  void add(Route route);
  void get(std::string pattern, Handler handler) { add({"GET", std::move(pattern), std::move(handler)}); }
  void post(std::string pattern, Handler handler) { add({"POST", std::move(pattern), std::move(handler)}); }

  void set_guard(Guard guard) { guard_ = std::move(guard); }
  const Guard& guard() const { return guard_; }

  // Is asked for what no pattern fits, where it is asked for by GET or HEAD; else there is nothing at such an
  // address. No guard looks at that: what it answers is for anyone.
  void set_fallback(Handler handler) { fallback_ = Route{"GET", "", std::move(handler)}; }
  const Route* fallback() const { return fallback_ ? &*fallback_ : nullptr; }

  struct Match {
    const Route* route = nullptr;
    std::vector<std::string> parameters;
    std::string allow;       // where the path is known and the method is not: what is allowed
    bool malformed = false;  // the path has a broken escape
  };
  // HEAD finds GET. Of two patterns that fit, the one with fewer {…} is meant, whatever its methods.
  Match match(std::string_view method, std::string_view path) const;
  std::vector<const Route*> routes() const;  // all of them, in the order in which they were added

 private:
  struct Entry {
    Route route;
    std::vector<std::string> segments;
  };
  std::vector<Entry> entries_;
  Guard guard_;
  std::optional<Route> fallback_;
};

}  // namespace hansard::http
