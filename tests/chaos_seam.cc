// The seams of a `hansard` that is to be killed: writes down each one that is passed, and ends the process
// with SIGKILL at the one that is asked for, or waits there. For the tests of bad days alone.
//   CHAOS_LOG     where they are written down, "point what" by line
//   CHAOS_POINT   the one that is asked for: "point", or "point what" with the beginning of what is written
//   CHAOS_PASSES  the how manieth pass of it (1)
//   CHAOS_HOLD    a file: instead of ending, wait while it exists

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
  std::string hold;            // where to wait instead
  std::atomic<int> passes{1};  // how often until then

  Plan() {
    if (const char* path = std::getenv("CHAOS_LOG"))
      log = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (const char* where = std::getenv("CHAOS_POINT")) point = where;
    if (const char* count = std::getenv("CHAOS_PASSES")) passes = std::atoi(count);
    if (const char* path = std::getenv("CHAOS_HOLD")) hold = path;
  }
};

}  // namespace

void seam(const char* point, std::string_view what) {
  static Plan plan;
  std::string line(point);
  if (!what.empty()) line.append(" ").append(what);
  const bool wanted = !plan.point.empty() && line.starts_with(plan.point);
  line += '\n';
  if (plan.log >= 0) [[maybe_unused]]
    const ssize_t written = ::write(plan.log, line.data(), line.size());
  if (!wanted || --plan.passes != 0) return;
  if (plan.hold.empty()) ::kill(::getpid(), SIGKILL);
  while (::access(plan.hold.c_str(), F_OK) == 0) ::usleep(1000);
}

}  // namespace hansard
