// Where the fetched models and recordings lie. For test programs only.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace hansard {

inline std::filesystem::path parts_folder() {
  if (const char* folder = std::getenv("HANSARD_DEPS_DIR")) return folder;
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) return std::filesystem::path(cache) / "hansard-deps";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "/" : home) / ".cache/hansard-deps";
}

}  // namespace hansard
