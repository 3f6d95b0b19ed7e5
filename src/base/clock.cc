#include "base/clock.h"

#include <chrono>
#include <ctime>

#include <fmt/format.h>

namespace hansard {

int64_t system_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string format_time(int64_t time_ms) {
  int64_t rest_ms = time_ms % 1000;
  if (rest_ms < 0) rest_ms += 1000;
  const auto seconds = static_cast<std::time_t>((time_ms - rest_ms) / 1000);
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, rest_ms);
}

std::optional<int64_t> parse_time(std::string_view text) {
  std::tm utc = {};
  const std::string terminated(text);
  const char* rest = ::strptime(terminated.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (rest == nullptr) return std::nullopt;
  int64_t milliseconds = 0;
  if (*rest == '.') {
    int64_t unit = 100;
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, unit /= 10) milliseconds += (*rest - '0') * unit;
  }
  if (std::string_view(rest) != "Z") return std::nullopt;
  return static_cast<int64_t>(::timegm(&utc)) * 1000 + milliseconds;
}

}  // namespace hansard
