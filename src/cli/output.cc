#include "cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/fd.h"
#include "base/file.h"
#include "cli/inputs.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;
using transcript::Format;

constexpr unsigned kUserFileMode = 0666;  // less the umask

Result<std::optional<Format>> asked_format(const std::optional<std::string>& name) {
  if (!name) return std::optional<Format>();
  const std::optional<Format> format = transcript::parse_format(*name);
  if (format) return format;
  return fail(ErrorCode::invalid_request,
              fmt::format("--format {} is none of {}", *name, transcript::kFormatNames));
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// One spelling for each file, also for one that is not there yet.
std::string one_spelling(const fs::path& path) {
  std::error_code error;
  const fs::path result = fs::weakly_canonical(fs::absolute(path), error);
  return error ? fs::absolute(path).lexically_normal().string() : result.string();
}

std::string base_name(const std::string& input) {
  return fs::path(input_name(input)).stem().string();
}

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

Result<OutputTarget> file_target(const std::string& output, std::optional<Format> format) {
  const std::string extension = fs::path(output).extension().string();
  if (!format) format = transcript::parse_format(extension);
  if (format) return OutputTarget{output, *format};
  return fail(
      ErrorCode::invalid_request,
      fmt::format("{}: {}; the formats are {}. Give one by the name or by --format; a folder's name ends in "
                  "a slash",
                  output,
                  extension.empty() ? "a name without extension says no format"
                                    : fmt::format("{} is no format", extension),
                  transcript::kFormatNames));
}

Result<std::vector<OutputTarget>> folder_targets(const std::vector<std::string>& inputs,
                                                 const fs::path& folder, Format format) {
  if (is_there(folder) && !is_folder(folder)) {
    return fail(ErrorCode::conflict, fmt::format("{} is a file; {} need a folder", folder.string(),
                                                 inputs.size() == 1 ? "transcripts" : "several transcripts"));
  }
  if (!is_there(folder) && transcript::parse_format(folder.extension().string())) {
    return fail(ErrorCode::invalid_request,
                fmt::format("{} names one file, and there are {} inputs; a folder's name ends in a slash",
                            folder.string(), inputs.size()));
  }
  std::vector<OutputTarget> targets;
  targets.reserve(inputs.size());
  for (const std::string& input : inputs) {
    targets.push_back(
        {folder / fmt::format("{}.{}", base_name(input), transcript::format_name(format)), format});
  }
  return targets;
}

// No two inputs for one output, and no output over an input.
Result<void> check_collisions(const std::vector<std::string>& inputs,
                              const std::vector<OutputTarget>& targets) {
  std::set<std::string> read;
  for (const std::string& input : inputs) {
    if (input != "-" && !is_url(input)) read.insert(one_spelling(input));
  }
  std::map<std::string, std::string> written;  // input by output
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::string output = one_spelling(targets[i].path);
    if (read.contains(output)) {
      return fail(ErrorCode::conflict, fmt::format("{} would be written over an input; choose another name",
                                                   targets[i].path.string()));
    }
    const auto [other, is_new] = written.emplace(output, inputs[i]);
    if (is_new) continue;
    return fail(ErrorCode::conflict,
                fmt::format("{} and {} would both be written to {}; transcribe them one by one",
                            other->second, inputs[i], targets[i].path.string()));
  }
  return {};
}

Error cannot_write(std::string_view what, Error error) {
  if (error.code != ErrorCode::insufficient_storage) error.code = ErrorCode::permission_denied;
  error.message = fmt::format("{} cannot be written: {}", what, error.message);
  return error;
}

// Whether a file can be made in `folder`, or in what there is of the way to it.
Result<void> try_folder(fs::path folder) {
  folder = fs::absolute(folder).lexically_normal();
  while (!is_there(folder) && folder.has_relative_path()) folder = folder.parent_path();
  if (!is_folder(folder)) {
    return fail(ErrorCode::conflict, fmt::format("{} is a file where a folder is needed", folder.string()));
  }
  TRY(open_unnamed_file(folder));
  return {};
}

Result<void> check_writable(const std::vector<OutputTarget>& targets) {
  std::set<fs::path> tried;
  for (const OutputTarget& target : targets) {
    const fs::path& path = target.path;
    if (is_folder(path)) return fail(ErrorCode::conflict, fmt::format("{} is a folder", path.string()));
    if (is_there(path) && ::access(path.c_str(), W_OK) != 0) {
      return fail(cannot_write(path.string(), system_error("it is protected", errno)));
    }
    std::error_code ignored;
    if (is_there(path) && !fs::is_regular_file(path, ignored)) continue;
    const fs::path folder = parent_of(fs::path(one_spelling(path)));
    if (!tried.insert(folder).second) continue;
    Result<void> written = try_folder(folder);
    if (!written) return fail(cannot_write(path.string(), std::move(written).error()));
  }
  return {};
}

Result<void> write_to_device(const fs::path& path, std::string_view text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail(system_error("cannot open it", errno));
  return write_all(fd.get(), text);
}

Result<void> write_to_stdout(std::string_view text) {
  Result<void> written = write_all(STDOUT_FILENO, text);
  // Whoever read it has had enough, as in `| head`: no failure of ours.
  if (written || errno == EPIPE) return {};
  return fail(cannot_write("standard output", std::move(written).error()));
}

Result<void> replace_file(const fs::path& path, std::string_view text) {
  std::error_code error;
  fs::create_directories(parent_of(path), error);
  if (error) return fail(system_error("cannot make the folder", error.value()));
  return write_file_atomically(path, text, Sync::yes, kUserFileMode);
}

}  // namespace

Result<std::vector<OutputTarget>> plan_outputs(const std::vector<std::string>& inputs,
                                               const std::optional<std::string>& output,
                                               const std::optional<std::string>& format) {
  const std::optional<Format> asked = TRY(asked_format(format));
  if (!output || *output == "-") {
    return std::vector<OutputTarget>(inputs.size(), OutputTarget{{}, asked.value_or(Format::md)});
  }
  if (output->empty()) return fail(ErrorCode::invalid_request, "-o needs the name of a file or a folder");
  std::vector<OutputTarget> targets;
  if (inputs.size() != 1 || output->ends_with('/') || is_folder(*output)) {
    targets = TRY(folder_targets(inputs, *output, asked.value_or(Format::md)));
  } else {
    targets.push_back(TRY(file_target(*output, asked)));
  }
  TRY(check_collisions(inputs, targets));
  TRY(check_writable(targets));
  return targets;
}

Result<void> write_output(const OutputTarget& target, std::string_view text) {
  if (target.path.empty()) return write_to_stdout(text);
  std::error_code ignored;
  const bool is_device = is_there(target.path) && !fs::is_regular_file(target.path, ignored);
  // The file that a link names is replaced, not the link.
  const fs::path path = is_device ? target.path : fs::path(one_spelling(target.path));
  Result<void> written = is_device ? write_to_device(path, text) : replace_file(path, text);
  if (!written) return fail(cannot_write(target.path.string(), std::move(written).error()));
  return {};
}

}  // namespace hansard::cli
