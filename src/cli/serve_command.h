// hansard serve: puts the server together, starts its parts in order, and stops them in the reverse.
#pragma once

#include <string>

#include "base/config.h"
#include "base/result.h"
#include "cli/interrupt.h"

namespace hansard::cli {

// Runs until `interrupt` asks for a stop; a second one releases running jobs at once. Errors: conflict
// (another server has the data folder, or the port is taken), permission_denied, invalid_request (a setting),
// and those of the database.
Result<void> serve(const Config& config, Interrupt& interrupt);

}  // namespace hansard::cli
