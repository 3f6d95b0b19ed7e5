#include "base/id.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <span>

#include <fmt/format.h>

namespace hansard {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr size_t kChanceDigits = 16;  // 80 bits
constexpr size_t kIdDigits = 26;

void fill_with_chance(std::span<unsigned char> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::getrandom(bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) std::abort();  // cannot happen: the kernel's source is ready once a machine is up
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

}  // namespace

std::string make_id(std::string_view prefix, int64_t now_ms) {
  static std::mutex mutex;
  static int64_t last_ms = -1;
  static std::array<unsigned char, kChanceDigits> chance;  // one digit each
  const std::lock_guard lock(mutex);
  // A clock that was set back does not make ids go back.
  if (now_ms > last_ms) {
    last_ms = now_ms;
    fill_with_chance(chance);
    for (unsigned char& digit : chance) digit &= 31U;
    chance[0] &= 15U;  // room to count up
  } else {
    for (size_t i = kChanceDigits; i-- > 0;) {
      chance[i] = static_cast<unsigned char>((chance[i] + 1U) & 31U);
      if (chance[i] != 0) break;
    }
  }
  std::string id(prefix);
  id += '_';
  for (int shift = 45; shift >= 0; shift -= 5) id += kDigits[static_cast<size_t>(last_ms >> shift) & 31U];
  for (const unsigned char digit : chance) id += kDigits[digit];
  return id;
}

bool is_id(std::string_view prefix, std::string_view id) {
  return id.size() == prefix.size() + 1 + kIdDigits && id.starts_with(prefix) && id[prefix.size()] == '_' &&
         id.find_first_not_of(kDigits, prefix.size() + 1) == std::string_view::npos;
}

std::string random_hex(size_t byte_count) {
  std::string bytes(byte_count, '\0');
  fill_with_chance({reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()});
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

}  // namespace hansard
