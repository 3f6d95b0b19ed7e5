// Child processes with limits. A child dies with its parent (PR_SET_PDEATHSIG), inherits only the descriptors
// and the environment it is given, and cannot outlive its ChildProcess.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hansard {

struct ChildLimits {
  std::optional<uint64_t> cpu_seconds;        // RLIMIT_CPU: SIGXCPU, then SIGKILL
  std::optional<uint64_t> address_space_bytes;  // RLIMIT_AS
  std::optional<uint64_t> file_size_bytes;    // RLIMIT_FSIZE: bytes in any one file it writes
  std::optional<uint64_t> open_files;         // RLIMIT_NOFILE
  int nice = 0;
};

struct ChildOptions {
  std::vector<std::string> argv;  // argv[0] is looked up in the parent's PATH unless it holds a slash
  // The child's whole environment, "NAME=value". Empty means PATH and the locale "C.UTF-8" alone.
  std::vector<std::string> environment;
  // Descriptors by their number in the child; 0, 1 and 2 not named here are /dev/null.
  std::vector<std::pair<int, int>> descriptors;  // {number in the child, descriptor of the parent}
  ChildLimits limits;
};

struct ChildExit {
  int exit_code = 0;  // meaningful when signal == 0
  int signal = 0;     // the signal that ended it, or 0
  bool ok() const { return exit_code == 0 && signal == 0; }
};

// A running child. Its destructor kills (SIGKILL) and reaps what still runs. Not for use by two threads at
// once, except kill().
class ChildProcess {
 public:
  // Errors: not_found where there is no such program, internal otherwise.
  static Result<ChildProcess> start(const ChildOptions& options);

  ChildProcess() = default;
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0 && !exit_; }
  void kill(int signal) const;

  // Waits for the end, at most `timeout`; nothing when it still runs then.
  std::optional<ChildExit> wait_for(std::chrono::milliseconds timeout);
  ChildExit wait();

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<ChildExit> exit_;
};

// Runs a child to its end and returns what it wrote. Killed when `stop` is requested (canceled), when
// `timeout` has passed, or when it writes more than `output_limit_bytes` to either stream.
struct ChildOutput {
  ChildExit exit;
  std::string standard_output;
  std::string standard_error;  // the last 64 KiB of it
  bool timed_out = false;
  bool output_limit_passed = false;
};
Result<ChildOutput> run_child(ChildOptions options, std::chrono::milliseconds timeout,
                              uint64_t output_limit_bytes, std::stop_token stop = {});

}  // namespace hansard
