// The seam of a `hansard-engine` that fails as it is told: at each request it reads "request action" from the
// file `orders` beside the program, and makes the file `orders.obeyed` before it does so.
//   abort   ends as a library does that finds itself broken
//   hang    says nothing any more
//   stop    stands still with all its threads
//   swell   takes memory until it is stopped

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/seam.h"

namespace hansard {
namespace {

std::filesystem::path orders_file() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "orders";
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
  static const std::filesystem::path path = orders_file();
  std::ifstream orders(path);
  std::string request;
  std::string action;
  orders >> request >> action;
  if (request != what) return;
  std::ofstream(path.string() + ".obeyed") << action;
  if (action == "abort") std::abort();
  if (action == "hang") hang();
  if (action == "stop") ::kill(::getpid(), SIGSTOP);
  if (action == "swell") swell();
}

}  // namespace hansard
