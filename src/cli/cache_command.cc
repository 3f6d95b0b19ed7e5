#include "cli/cache_command.h"

#include <algorithm>

#include <fmt/format.h>

namespace hansard::cli {
namespace {

constexpr uint64_t kGigabyte = 1'000'000'000;

std::string megabytes(uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

pipeline::Artifacts open_artifacts(const Config& config) {
  const auto limit = static_cast<uint64_t>(config.integer("HANSARD_CACHE_MAX_GB")) * kGigabyte;
  return pipeline::Artifacts(config.cache_folder(), limit);
}

std::string cache_info(const Config& config) {
  const pipeline::Artifacts artifacts = open_artifacts(config);
  std::string text = fmt::format("{}\n", artifacts.folder().string());
  pipeline::Artifacts::Usage total;
  for (const auto& [stage, usage] : artifacts.usage()) {
    text += fmt::format("{:<10} {:>7} {:>12}\n", stage, usage.count, megabytes(usage.bytes));
    total.count += usage.count;
    total.bytes += usage.bytes;
  }
  text += fmt::format("{:<10} {:>7} {:>12} of {} GB\n", "all", total.count, megabytes(total.bytes),
                      config.integer("HANSARD_CACHE_MAX_GB"));
  return text;
}

std::string cache_clear(const Config& config) {
  const pipeline::Artifacts::Usage removed = open_artifacts(config).clear();
  return fmt::format("removed {} artifacts, {}\n", removed.count, megabytes(removed.bytes));
}

std::string config_show(const Config& config) {
  size_t widest = 0;
  for (const Config::Shown& row : config.show())
    widest = std::max(widest, row.name.size() + row.value.size());
  std::string text;
  for (const Config::Shown& row : config.show()) {
    const std::string setting = fmt::format("{}={}", row.name, row.value);
    text += fmt::format("{:<{}}  # {}\n", setting, widest + 1, row.origin);
  }
  return text;
}

}  // namespace hansard::cli
