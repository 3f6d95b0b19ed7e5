#include "cli/inputs.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/spelling.h"
#include "fetch/fetch.h"
#include "media/media.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;

// "ftp://…", where that is no file's name.
bool is_other_address(const std::string& input) {
  std::error_code ignored;
  return input.find("://") != std::string::npos && !is_url(input) && !fs::exists(input, ignored);
}

Result<std::vector<std::string>> media_in(const std::string& folder) {
  std::vector<std::string> inside;
  std::error_code error;
  for (fs::directory_iterator files(folder, error), end; !error && files != end; files.increment(error)) {
    std::error_code ignored;
    if (files->is_regular_file(ignored) && media::is_media_name(files->path()))
      inside.push_back(files->path().string());
  }
  if (error) return fail(ErrorCode::not_found, fmt::format("{}: {}", folder, error.message()));
  if (inside.empty()) {
    return fail(
        ErrorCode::not_found,
        fmt::format("{}: no media files in this folder; name a file to have it tried whatever its name",
                    folder));
  }
  std::sort(inside.begin(), inside.end());
  return inside;
}

}  // namespace

bool is_url(std::string_view input) {
  const std::string scheme = lower(input.substr(0, input.find("://")));
  return scheme.size() < input.size() && (scheme == "http" || scheme == "https");
}

std::string input_name(const std::string& input) {
  if (input == "-") return "stdin";
  return is_url(input) ? fetch::name_of(input) : fs::path(input).filename().string();
}

Result<std::vector<std::string>> expand_inputs(const std::vector<std::string>& given) {
  if (std::count(given.begin(), given.end(), "-") > 1)
    return fail(ErrorCode::invalid_request, "- can be given once");
  std::vector<std::string> inputs;
  for (const std::string& name : given) {
    if (is_other_address(name)) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("{}: recordings are fetched over http and https alone", name));
    }
    std::error_code error;
    if (name == "-" || !fs::is_directory(name, error)) {
      inputs.push_back(name);
      continue;
    }
    const std::vector<std::string> inside = TRY(media_in(name));
    inputs.insert(inputs.end(), inside.begin(), inside.end());
  }
  return inputs;
}

}  // namespace hansard::cli
