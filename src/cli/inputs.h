// The recordings that a command line names.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace hansard::cli {

// Names as they were given, a folder replaced by the media files in it (not in its subfolders), sorted. "-"
// is standard input, and can be given once. Whether a file is there is for whoever reads it. Errors:
// invalid_request, not_found (an unreadable folder, or one without media).
Result<std::vector<std::string>> expand_inputs(const std::vector<std::string>& given);

}  // namespace hansard::cli
