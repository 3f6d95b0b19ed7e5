// Child processes with limits. A child dies with its parent (PR_SET_PDEATHSIG), inherits only the descriptors
// and the environment it is given, and cannot outlive its ChildProcess; nor can what it started itself,
// unless that left its process group. Its process group is its own, so Ctrl-C in a terminal reaches the
// parent alone. Signals are at their defaults in a child, and it leaves no core file.
//
// Children are forked by one thread of this process that never ends, since PR_SET_PDEATHSIG fires when the
// forking thread ends: any thread may start a child and end before it. A process that itself came from a fork
// without an exec has no such thread and cannot use this header.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hansard {

// A limit above what the parent itself may use is lowered to that.
struct ChildLimits {
  std::optional<uint64_t> cpu_seconds;          // RLIMIT_CPU: SIGXCPU, then SIGKILL
  std::optional<uint64_t> address_space_bytes;  // RLIMIT_AS
  std::optional<uint64_t> file_size_bytes;      // RLIMIT_FSIZE: bytes in any one file it writes
  std::optional<uint64_t> open_files;           // RLIMIT_NOFILE
  int nice = 0;                                 // added to the parent's
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
  void kill(int signal) const;  // of the child alone; nothing happens once it has ended

  // Waits for the end, at most `timeout`; nothing when it still runs then.
  std::optional<ChildExit> wait_for(std::chrono::milliseconds timeout);
  ChildExit wait();

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<ChildExit> exit_;
};

// Memory of a process that is resident; 0 where there is no such process, or it has ended.
uint64_t resident_bytes(pid_t pid);

// Runs a child to its end and returns what it wrote; `options` name neither descriptor 1 nor 2. Killed when
// `stop` is requested (canceled), when `timeout` has passed, or when it writes more than `output_limit_bytes`
// to either stream.
struct ChildOutput {
  ChildExit exit;
  std::string standard_output;
  std::string standard_error;  // the last 64 KiB of it
  bool timed_out = false;
  bool output_limit_passed = false;
};
Result<ChildOutput> run_child(ChildOptions options, std::chrono::milliseconds timeout,
                              uint64_t output_limit_bytes, const std::stop_token& stop = {});

// Runs a child to its end and hands its standard output to `take` as it comes, in this thread. Killed when
// `stop` is requested (canceled), when `take` fails (its error), or when nothing came for `silence`
// (ChildOutput::timed_out). ChildOutput::standard_output stays empty.
using Take = std::function<Result<void>(std::string_view)>;
Result<ChildOutput> stream_child(ChildOptions options, std::chrono::milliseconds silence, Take take,
                                 const std::stop_token& stop = {});

}  // namespace hansard
