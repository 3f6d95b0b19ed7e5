#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

#include "base/file.h"

namespace hansard {
namespace {

// Names the core that a logical processor belongs to: the list of its siblings. Where the kernel does not
// say, each processor is taken for a core.
std::string core_of(int processor) {
  const auto siblings =
      read_file(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", processor), 4096);
  return siblings ? *siblings : fmt::format("{}", processor);
}

// Physical cores that this process may run on: two threads of one core only slow each other. At least 1.
int physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  std::set<std::string> cores;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (CPU_ISSET(static_cast<size_t>(processor), &allowed)) cores.insert(core_of(processor));
  }
  return std::max(1, static_cast<int>(cores.size()));
}

}  // namespace

int resolved_threads(int asked) {
  return asked > 0 ? asked : physical_cores();
}

}  // namespace hansard
