// hansard serve: puts the server together, starts its parts in order, and stops them in the reverse.
#pragma once

#include <string>

#include "base/config.h"
#include "base/result.h"
#include "cli/interrupt.h"

namespace hansard::cli {

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

// Runs until `interrupt` asks for a stop; a second one releases running jobs at once. Errors: conflict
// (another server has the data folder, or the port is taken), permission_denied, invalid_request (a setting),
// and those of the database.
Result<void> serve(const Config& config, Interrupt& interrupt);

}  // namespace hansard::cli
