// Where transcripts go. All that can be known to fail is found before any work; writing is whole or not at
// all. Threads: any.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "transcript/exports.h"

namespace hansard::cli {

struct OutputTarget {
  std::filesystem::path path;  // empty: standard output
  transcript::Format format = transcript::Format::md;
};

// One target for each input (a file's path, or "-" for standard input), in their order.
//   no `output`, or "-"               standard output, Markdown
//   an existing folder, a name that   NAME.FORMAT in that folder, Markdown, NAME being the input's without
//   its ends in a slash, or many inputs   extension, "stdin" for standard input otherwise that file; its
//   extension says which format
// `format` goes before what is said here. Folders that are missing are made when the transcript is written;
// that this will work is tried here, by making a file without a name. Errors: invalid_request (no such
// format, an extension that is none), conflict (two inputs for one output, an output that is an input, a file
// where a folder is needed or the reverse), permission_denied and insufficient_storage (cannot be written).
// Their messages hold the names that the user gave.
Result<std::vector<OutputTarget>> plan_outputs(const std::vector<std::string>& inputs,
                                               const std::optional<std::string>& output,
                                               const std::optional<std::string>& format);

// Writes to a target, a new file with the mode that the umask leaves. A device or a pipe is written to, a
// link is followed, a file is replaced in one step. Whoever reads standard output may have had enough, as in
// `| head`: that is no error. Errors as above.
Result<void> write_output(const OutputTarget& target, std::string_view text);

}  // namespace hansard::cli
