// The log: one line on standard error for each thing worth knowing. What it holds is for the machine's owner;
// clients never read it.
#pragma once

#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace hansard::log {

enum class Level { debug, info, warning, error, off };

// The least level that is written; warning at first. Any thread.
void set_level(Level level);
Level level();

// Called with each line (without its end of line) instead of writing to standard error; null restores that.
// For a progress bar that has to step aside, and for an engine that sends its lines to its parent. Set it
// before other threads log.
using Sink = void (*)(Level level, std::string_view line);
void set_sink(Sink sink);

void write(Level level, std::string_view line);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::debug) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::info) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::warning) write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::error) write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace hansard::log
