#include "auth/attempts.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/limits.h"

namespace hansard::auth {
namespace {

constexpr int64_t kAgeMs = std::chrono::milliseconds(limits::kAttemptsAge).count();

std::string name_key(std::string_view username) {
  std::string key = "name:";
  for (const char c : username.substr(0, 64))
    key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return key;
}

std::string address_key(std::string_view address) {
  return "address:" + network_of(address);
}

}  // namespace

std::string network_of(std::string_view address) {
  std::string text(address.substr(0, address.find('%')));
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  static constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) return text.substr(text.rfind(':') + 1);
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  std::array<char, INET6_ADDRSTRLEN> network{};
  ::inet_ntop(AF_INET6, bytes.data(), network.data(), network.size());
  return network.data();
}

std::deque<int64_t>& Attempts::recent(const std::string& key, int64_t now_ms) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    order_.splice(order_.end(), order_, found->second.place);
    std::deque<int64_t>& times = found->second.times_ms;
    while (!times.empty() && times.front() + kAgeMs <= now_ms) times.pop_front();
    return times;
  }
  if (entries_.size() >= limits::kAttemptsKept) {
    entries_.erase(order_.front());
    order_.pop_front();
  }
  order_.push_back(key);
  Entry& entry = entries_[key];
  entry.place = std::prev(order_.end());
  return entry.times_ms;
}

std::optional<std::chrono::seconds> Attempts::begin(std::string_view username, std::string_view address,
                                                    int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  std::deque<int64_t>& of_name = recent(name_key(username), now_ms);
  std::deque<int64_t>& of_address = recent(address_key(address), now_ms);
  int64_t until_ms = 0;
  const auto check = [&](const std::deque<int64_t>& times, int most) {
    if (times.size() >= static_cast<size_t>(most)) until_ms = std::max(until_ms, times.front() + kAgeMs);
  };
  check(of_name, limits::kAttemptsOfName);
  check(of_address, limits::kAttemptsOfAddress);
  if (until_ms > now_ms) return std::chrono::seconds((until_ms - now_ms + 999) / 1000);
  of_name.push_back(now_ms);
  of_address.push_back(now_ms);
  return std::nullopt;
}

void Attempts::succeed(std::string_view username, std::string_view address) {
  const std::lock_guard lock(mutex_);
  if (const auto name = entries_.find(name_key(username)); name != entries_.end())
    name->second.times_ms.clear();
  drop_last(address_key(address));
}

void Attempts::take_back(std::string_view username, std::string_view address) {
  const std::lock_guard lock(mutex_);
  drop_last(name_key(username));
  drop_last(address_key(address));
}

void Attempts::drop_last(const std::string& key) {
  const auto at = entries_.find(key);
  if (at != entries_.end() && !at->second.times_ms.empty()) at->second.times_ms.pop_back();
}

}  // namespace hansard::auth
