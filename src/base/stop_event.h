// StopEvent is a stop_token as something that poll() can wait for: its descriptor is readable once a stop is
// requested. It is negative, which poll() passes over, where the system gives no more descriptors.
#pragma once

#include <sys/eventfd.h>

#include <stop_token>

#include "base/fd.h"

namespace hansard {

class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop)
      : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), callback_(stop, Signal{event_.get()}) {}
  int fd() const { return event_.get(); }

 private:
  struct Signal {
    int fd;
    void operator()() const { ::eventfd_write(fd, 1); }
  };
  UniqueFd event_;
  std::stop_callback<Signal> callback_;
};

}  // namespace hansard
