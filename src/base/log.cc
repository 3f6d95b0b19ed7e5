#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

namespace hansard::log {
namespace {

std::atomic<Level> threshold{Level::warning};
std::atomic<Sink> current_sink{nullptr};

std::string_view name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
    case Level::off:
      return "off";
  }
  return "";
}

}  // namespace

void set_level(Level level) {
  threshold = level;
}

Level level() {
  return threshold;
}

void set_sink(Sink sink) {
  current_sink = sink;
}

void write(Level level, std::string_view line) {
  if (level < threshold) return;
  if (Sink sink = current_sink) return sink(level, line);
  // One write for each line, so that lines of several processes do not mix.
  const std::string text = fmt::format("hansard: {}: {}\n", name(level), line);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace hansard::log
