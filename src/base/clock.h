// The time of day as everything in the library keeps it, and as people and programs read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hansard {

int64_t system_now_ms();  // milliseconds since 1970, UTC

// "2026-11-24T12:53:32.104Z"
std::string format_time(int64_t time_ms);
// And back: RFC 3339 in UTC, with or without fractions of a second; nothing for what is none.
std::optional<int64_t> parse_time(std::string_view text);

}  // namespace hansard
