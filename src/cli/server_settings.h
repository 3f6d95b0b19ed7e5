// What the configuration says of a server, checked as a whole before anything starts.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/network.h"
#include "base/result.h"
#include "http/server.h"
#include "jobs/admission.h"
#include "jobs/slots.h"
#include "library/retention.h"

namespace hansard::cli {

struct ServerSettings {
  http::ServerOptions listener;
  std::string metrics_listen;  // HANSARD_METRICS_LISTEN as it was given
  std::optional<http::ServerOptions> metrics_listener;
  bool accounts = true;  // HANSARD_AUTH=required
  bool auto_download = true;
  jobs::SlotOptions slots;
  std::chrono::milliseconds stop_timeout;  // for running jobs
  uint64_t upload_limit_bytes = 0;
  uint64_t storage_limit_bytes = 0;  // of one user; 0: none
  jobs::QueueLimits queue_limits;
  library::Retention retention;
  std::chrono::minutes download_cache{0};
  Networks fetch_allow;  // beside public addresses
};
// Errors: invalid_request with the key, its value and what is allowed.
Result<ServerSettings> read_server_settings(const Config& config);

// How the server can be reached.
struct Exposure {
  std::string host;  // the address it listens on
  bool accounts = false;
  bool tls = false;
  bool behind_proxy = false;
};
// Beyond this machine the server wants to know who asks, and that nobody on the way reads along. Errors:
// invalid_request, saying what to set.
Result<void> check_exposure(const Exposure& exposure);

// That numbers can't be told there.
Error metrics_listener_error(std::string_view listen, bool taken);

}  // namespace hansard::cli
