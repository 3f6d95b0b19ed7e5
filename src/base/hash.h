// SHA-256, which names recordings, models and artifacts.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hansard {

// Takes bytes in pieces; finish() gives 64 lower-case hexadecimal characters, once. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);

// Hashes a whole file from its start, whatever the descriptor's position, which stays as it is. A stop gives
// canceled.
Result<std::string> sha256_of_file(int fd, const std::stop_token& stop = {});

}  // namespace hansard
