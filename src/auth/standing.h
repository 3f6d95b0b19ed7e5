// Long answers outlive the check at their beginning: those who follow events are looked at again and again.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "auth/accounts.h"

namespace hansard::auth {

// Whether the right to one stream still holds.
class Standing {
 public:
  explicit Standing(Identity identity) : identity_(std::move(identity)) {}
  bool holds() const { return holds_; }

 private:
  friend class Standings;
  const Identity identity_;
  std::atomic<bool> holds_ = true;
};

// Asks the accounts about all of them on a thread of its own, so that no stream waits for the database.
class Standings {
 public:
  Standings(const Accounts& accounts, std::chrono::milliseconds interval);

  // Shared, since the stream may end before or after the look. Any thread.
  std::shared_ptr<const Standing> watch(Identity identity);

 private:
  void run(const std::stop_token& stop);
  void look();

  const Accounts& accounts_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Standing>> watched_;
  std::jthread thread_;
};

}  // namespace hansard::auth
