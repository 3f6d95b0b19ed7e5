// How often passwords were guessed wrong, by name and by address: who guesses too often has to wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hansard::auth {

// Kept in memory: a restart forgives. Any thread.
class Attempts {
 public:
  // Counts an attempt beforehand, so that many at once are no way around. How long to wait, where this one
  // may not be made; it is not counted then.
  std::optional<std::chrono::seconds> begin(std::string_view username, std::string_view address,
                                            int64_t now_ms);
  // It was right: nothing counts against the name any more, nor this one against the address.
  void succeed(std::string_view username, std::string_view address);
  // It was not looked at.
  void take_back(std::string_view username, std::string_view address);

 private:
  struct Entry {
    std::deque<int64_t> times_ms;
    std::list<std::string>::iterator place;
  };
  // The times of a key that still count; it is the last to be forgotten then.
  std::deque<int64_t>& recent(const std::string& key, int64_t now_ms);
  void drop_last(const std::string& key);

  std::mutex mutex_;
  std::list<std::string> order_;  // the longest unused first
  std::unordered_map<std::string, Entry> entries_;
};

// What addresses of one household share: an IPv4 address, the first 64 bits of an IPv6 address.
std::string network_of(std::string_view address);

}  // namespace hansard::auth
