// The listener: connections, keep-alive, limits, time limits, and the rules that hold for every route. It
// knows nothing of what the routes do.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "http/router.h"

namespace hansard::http {

// How long is waited for whom; limits.h gives the reasons.
struct TimeLimits {
  std::chrono::milliseconds header{limits::kHeaderTime};
  std::chrono::milliseconds body_silence{limits::kBodySilence};
  std::chrono::milliseconds idle{limits::kIdleTime};
  std::chrono::milliseconds write_silence{limits::kWriteSilence};
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address
  uint16_t port = 8080;            // 0: any free one
  // Names under which the server may be asked, beside loopback names and the address it is bound to.
  std::vector<std::string> allowed_hosts;
  // Refuse requests that a page of another origin makes: for a server without accounts.
  bool refuse_foreign_origins = true;
  // "/hansard" where a proxy puts the server below a path; requests without it are answered too.
  std::string base_path;
  TimeLimits time;
};

class Server {
 public:
  // Binds and listens: connections wait until start(). Errors: conflict where the port is taken,
  // invalid_request for an address that is none of this machine's, permission_denied.
  static Result<std::unique_ptr<Server>> open(const ServerOptions& options, Router router);

  virtual ~Server() = default;  // closes everything at once
  virtual uint16_t port() const = 0;
  virtual void start() = 0;
  // Takes no new connections, ends event streams, lets running requests finish for `patience`, then closes.
  virtual void drain(std::chrono::milliseconds patience) = 0;
};

}  // namespace hansard::http
