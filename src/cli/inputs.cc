#include "cli/inputs.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "media/media.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;

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

Result<std::vector<std::string>> expand_inputs(const std::vector<std::string>& given) {
  if (std::count(given.begin(), given.end(), "-") > 1)
    return fail(ErrorCode::invalid_request, "- can be given once");
  std::vector<std::string> inputs;
  for (const std::string& name : given) {
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
