// The recordings that a command line names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hansard::cli {

// Whether an input is an address over http or https.
bool is_url(std::string_view input);
// What an input is called: a file's name, the last part of an address, "stdin".
std::string input_name(const std::string& input);

// Names as they were given, a folder replaced by the media files in it (not in its subfolders), sorted. "-"
// is standard input, and can be given once. Whether a file is there is for whoever reads it. Errors:
// invalid_request (an address of another scheme), not_found (an unreadable folder, or one without media).
Result<std::vector<std::string>> expand_inputs(const std::vector<std::string>& given);

}  // namespace hansard::cli
