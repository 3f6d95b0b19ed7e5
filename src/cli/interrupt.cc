#include "cli/interrupt.h"

#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <utility>

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
  sigaddset(&set, SIGHUP);
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
      if (signal == SIGHUP) {
        hang_up();
        continue;
      }
      if (!stop_.stop_requested()) {
        stop_.request_stop();
        continue;
      }
      std::function<void()> second;
      {
        const std::lock_guard lock(mutex_);
        second = std::exchange(second_, {});
      }
      if (!second) ::_exit(static_cast<int>(ExitCode::interrupted));
      second();
    }
  });
}

void Interrupt::wait() const {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, token(), [] { return false; });
}

void Interrupt::on_hangup(std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  hangup_ = std::move(action);
}

void Interrupt::hang_up() {
  const std::lock_guard lock(mutex_);
  if (hangup_) return hangup_();
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &hangup, nullptr);
  ::raise(SIGHUP);
  // It was ignored from the beginning, by nohup: it is still.
  pthread_sigmask(SIG_BLOCK, &hangup, nullptr);
}

void Interrupt::on_second(std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  second_ = std::move(action);
}

Interrupt::~Interrupt() {
  pthread_kill(waiter_.native_handle(), kEndWaiting);
}

}  // namespace hansard::cli
