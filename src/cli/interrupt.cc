#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "cli/exit_code.h"

namespace hansard::cli {
namespace {

// Sent by the destructor to its own waiting thread; nobody else uses it here.
constexpr int kEndWaiting = SIGUSR1;

sigset_t waited_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, kEndWaiting);
  return set;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t set = waited_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // Both are answered where the write is: as errors of that write.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  waiter_ = std::jthread([this] {
    const sigset_t waited = waited_signals();
    for (int signal = 0; sigwait(&waited, &signal) == 0 && signal != kEndWaiting;) {
      if (stop_.stop_requested()) ::_exit(static_cast<int>(ExitCode::interrupted));
      stop_.request_stop();
    }
  });
}

Interrupt::~Interrupt() {
  pthread_kill(waiter_.native_handle(), kEndWaiting);
}

}  // namespace hansard::cli
