// Silence tells a child that hangs from one that computes, or would if other processes let it: a machine with
// much to do may give an engine a second in a minute, and the largest models compute for minutes without a
// word. One request each; not for use by two threads at once.
#pragma once

#include <chrono>

#include "base/limits.h"

namespace hansard::engine {

class Silence {
 public:
  using Clock = std::chrono::steady_clock;

  // `cpu` is here and below the time that the child has computed for since it was started.
  Silence(Clock::duration limit, Clock::time_point now, std::chrono::nanoseconds cpu)
      : limit_(limit), heard_at_(now), moved_at_(now), cpu_when_heard_(cpu), cpu_(cpu) {}

  void heard(Clock::time_point now, std::chrono::nanoseconds cpu) { *this = Silence(limit_, now, cpu); }

  // To be asked several times within the limit: whether the child has said nothing and not even computed for
  // all of the limit, or has said nothing while it computed for longer than any work takes.
  bool too_long(Clock::time_point now, std::chrono::nanoseconds cpu) {
    if (cpu > cpu_) moved_at_ = now;
    cpu_ = cpu;
    if (now - heard_at_ <= limit_) return false;
    return now - moved_at_ > limit_ || cpu_ - cpu_when_heard_ > limits::kEngineSilentWork;
  }

 private:
  Clock::duration limit_;
  Clock::time_point heard_at_;
  Clock::time_point moved_at_;  // when it was last seen to have computed
  std::chrono::nanoseconds cpu_when_heard_;
  std::chrono::nanoseconds cpu_;
};

}  // namespace hansard::engine
