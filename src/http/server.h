// The listener: connections, keep-alive, limits, time limits, and the rules that hold for every route. It
// knows nothing of what the routes do.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "http/router.h"
#include "http/tls.h"

namespace hansard::http {

// How long is waited for whom; limits.h gives the reasons.
struct TimeLimits {
  std::chrono::milliseconds header{limits::kHeaderTime};
  std::chrono::milliseconds body_silence{limits::kBodySilence};
  std::chrono::milliseconds idle{limits::kIdleTime};
  std::chrono::milliseconds write_silence{limits::kWriteSilence};
};

// What became of a request.
struct Answered {
  std::string_view method;
  std::string_view route;  // the pattern; empty where the address has none
  int status = 0;
  std::chrono::duration<double> time{};  // to the end of the answer, of a stream to its beginning
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address
  uint16_t port = 8080;            // 0: any free one
  // Names under which the server may be asked, beside loopback names and the address it is bound to.
  std::vector<std::string> allowed_hosts;
  // Refuse requests that a page of another origin makes: for a server without accounts.
  bool refuse_foreign_origins = true;
  // "https://app.example.org": origins whose pages may ask, by the rules of CORS.
  std::vector<std::string> cors_origins;
  // "/hansard" where a proxy puts the server below a path; requests without it are answered too.
  std::string base_path;
  // Addresses and ranges of proxies whose word is taken for who asks, and how; see http/forwarded.h.
  std::vector<std::string> trusted_proxies;
  TlsFiles tls;  // none: plain HTTP
  TimeLimits time;
  size_t connections = limits::kConnections;
  int workers = limits::kHttpWorkers;
  int slow_workers = limits::kHttpSlowWorkers;
  // Told of each answer, on the thread of the connections: it must not wait.
  std::function<void(const Answered&)> on_answer;
};

class Server {
 public:
  // Binds and listens: connections wait until start(). Errors: conflict where the port is taken,
  // invalid_request for an option that cannot be, naming its setting, permission_denied.
  static Result<std::unique_ptr<Server>> open(const ServerOptions& options, Router router);

  virtual ~Server() = default;  // closes everything at once
  virtual uint16_t port() const = 0;
  virtual void start() = 0;
  // Reads certificate and key again, for new connections. On an error what was goes on.
  virtual Result<void> reload_tls() = 0;
  // Takes no new connections, ends event streams, lets running requests finish for `patience`, then closes.
  virtual void drain(std::chrono::milliseconds patience) = 0;

  struct Load {
    size_t connections = 0;
    size_t streams = 0;  // of events
  };
  virtual Load load() const = 0;
};

}  // namespace hansard::http
