// What a store tells, passed on to those who listen now: a store is told once who listens, and outlives them.
#pragma once

#include <mutex>
#include <utility>

#include "store/store.h"

namespace hansard::store {

// Any thread.
class Relay {
 public:
  void notice(const Notice& notice) {
    const std::lock_guard lock(mutex_);
    if (listener_) listener_(notice);
  }
  // From now on: when this returns, nobody is told by the former listener any longer. {}: nobody is told.
  void tell(Store::Listener listener) {
    const std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
  }

 private:
  std::mutex mutex_;
  Store::Listener listener_;
};

}  // namespace hansard::store
