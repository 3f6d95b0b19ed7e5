// The seam of a `hansard-engine` that fails as it is told. Its environment is its parent's to choose, so it
// looks into that of its parent: CHAOS_ENGINE names a file with "request action", read at each request.
//   abort   ends as a library does that finds itself broken
//   hang    says nothing any more
//   swell   takes memory until it is stopped

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/seam.h"

namespace hansard {
namespace {

std::string orders_file() {
  std::ifstream environment("/proc/" + std::to_string(::getppid()) + "/environ", std::ios::binary);
  for (std::string variable; std::getline(environment, variable, '\0');) {
    constexpr std::string_view kName = "CHAOS_ENGINE=";
    if (variable.starts_with(kName)) return variable.substr(kName.size());
  }
  return {};
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

[[noreturn]] void swell() {
  constexpr size_t kStep = 16 << 20;
  constexpr size_t kMost = 2ULL << 30;  // whoever does not stop it shall not suffer for it
  std::vector<std::vector<char>> held;
  while (held.size() * kStep < kMost) held.emplace_back(kStep, 'x');
  hang();
}

}  // namespace

void seam(const char* /*point*/, std::string_view what) {
  static const std::string path = orders_file();
  if (path.empty()) return;
  std::ifstream orders(path);
  std::string request;
  std::string action;
  orders >> request >> action;
  if (request != what) return;
  if (action == "abort") std::abort();
  if (action == "hang") hang();
  if (action == "swell") swell();
}

}  // namespace hansard
