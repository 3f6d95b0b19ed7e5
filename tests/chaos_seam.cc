// The seams of a `hansard` that is to be killed: writes down each one that is passed, and ends the process
// with SIGKILL at the one that is asked for. For the chaos test alone.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

#include "base/seam.h"

namespace hansard {
namespace {

struct Plan {
  int log = -1;
  std::string point;           // where to end; empty: nowhere
  std::atomic<int> passes{0};  // how often before that

  Plan() {
    if (const char* path = std::getenv("CHAOS_LOG"))
      log = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (const char* where = std::getenv("CHAOS_POINT")) point = where;
    if (const char* count = std::getenv("CHAOS_PASSES")) passes = std::atoi(count);
  }
};

}  // namespace

void seam(const char* point) {
  static Plan plan;
  const std::string line = std::string(point) + "\n";
  if (plan.log >= 0) [[maybe_unused]]
    const ssize_t written = ::write(plan.log, line.data(), line.size());
  if (plan.point == point && --plan.passes <= 0) ::kill(::getpid(), SIGKILL);
}

}  // namespace hansard
