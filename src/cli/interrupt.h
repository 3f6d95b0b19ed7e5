// Ctrl-C and SIGTERM as a stop_token.
#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace hansard::cli {

// While one lives, SIGINT and SIGTERM request a stop; a second one ends the process at once (exit 130,
// children die with it), unless on_second() says otherwise. Make it in main before any other thread, so that
// all threads inherit the blocked signals.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return stop_.get_token(); }
  bool requested() const { return stop_.stop_requested(); }
  // Returns when a stop is requested.
  void wait() const;
  // What SIGHUP does, each time; until it is set, and when it is empty, SIGHUP ends the process as it always
  // did.
  void on_hangup(std::function<void()> action);
  // What a second signal does instead, once; a third ends the process. Empty: as before.
  void on_second(std::function<void()> action);

 private:
  void hang_up();

  std::stop_source stop_;
  std::mutex mutex_;
  std::function<void()> second_;
  std::function<void()> hangup_;
  std::jthread waiter_;
};

}  // namespace hansard::cli
