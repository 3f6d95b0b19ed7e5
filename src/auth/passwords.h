// Passwords as argon2id hashes (RFC 9106), made and checked by libsodium on one thread of their own: each
// takes a tenth of a second and 64 MB, and must slow nothing else.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"

namespace hansard::auth {

// Errors: invalid_request where it has not 8 to 256 characters.
Result<void> check_password(std::string_view password);

// Any thread. Calls wait for their turn. Errors of both: rate_limited while too many wait.
class Passwords {
 public:
  Passwords();

  Result<std::string> hash(std::string password);
  // Whether the password is that of `hash`. Without a hash (no such user, or one without a password) it takes
  // as long, and is false.
  Result<bool> verify(std::optional<std::string> hash, std::string password);

 private:
  // Runs `work` on the thread and waits for it.
  Result<void> perform(const std::function<Result<void>()>& work);
  void run(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any filled_;
  std::deque<std::function<void()>> waiting_;
  std::string nobodys_hash_;  // of no password; the thread's own
  std::jthread thread_;
};

// Compares without telling by its time where two texts differ; their lengths may show.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace hansard::auth
