#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include "base/config.h"
#include "base/json.h"
#include "base/log.h"
#include "transcript/text.h"

namespace hansard::cli {
namespace {

using pipeline::Stage;

// Telling voices apart takes about so much of the time that writing the words takes.
constexpr double kDiarizeShare = 0.5;
constexpr auto kBarInterval = std::chrono::milliseconds(100);
constexpr auto kPlainInterval = std::chrono::seconds(10);
constexpr auto kJsonInterval = std::chrono::milliseconds(200);
constexpr std::string_view kEraseLine = "\r\033[K";

void write_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

size_t terminal_width() {
  winsize size = {};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool bar_on_screen = false;

std::string_view level_name(log::Level level) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "off"};
  return kNames[static_cast<size_t>(level)];
}

// A line of the log takes the bar's place; the bar is drawn again by the next progress.
void log_over_bar(log::Level level, std::string_view line) {
  write_error(fmt::format("{}hansard: {}: {}\n", bar_on_screen ? kEraseLine : "", level_name(level), line));
  bar_on_screen = false;
}

void write_json(const json::bj::object& line) {
  write_error(json::to_text(line) + "\n");
}

void log_as_json(log::Level level, std::string_view line) {
  write_json({{"event", "log"}, {"level", level_name(level)}, {"message", transcript::cleaned(line)}});
}

// The beginning of a text that fits into so many columns.
std::string fitting(std::string_view text, size_t columns) {
  size_t end = 0;
  for (size_t at = 0, used = 0; at < text.size(); end = at) {
    const char32_t character = next_character(text, at);
    used += static_cast<size_t>(transcript::display_width(character));
    if (used > columns) break;
  }
  return std::string(text.substr(0, end));
}

std::string facts(double times_real_time, double left_s) {
  std::string text;
  if (times_real_time >= 0.05) {
    text += fmt::format(", {:.{}f}x real time", times_real_time, times_real_time < 10 ? 1 : 0);
  }
  if (left_s >= 0) text += fmt::format(", {} left", format_clock(std::ceil(left_s), 0));
  return text;
}

}  // namespace

ProgressStyle default_progress_style() {
  return ::isatty(STDERR_FILENO) != 0 ? ProgressStyle::bar : ProgressStyle::plain;
}

std::string bar_line(std::string_view name, double fraction, std::string_view tail, size_t columns) {
  const auto filled = static_cast<size_t>(std::lround(std::clamp(fraction, 0.0, 1.0) * 10));
  const std::string rest = fmt::format("[{}{}] {:3.0f}%  {}", std::string(filled, '#'),
                                       std::string(10 - filled, '.'), fraction * 100, tail);
  std::string shown(name);
  const auto wanted = static_cast<size_t>(transcript::display_width(shown));
  const size_t room = columns > rest.size() + 1 ? columns - rest.size() - 1 : 0;
  if (wanted > room) shown = room > 3 ? fitting(shown, room - 3) + "..." : "";
  return fitting(shown.empty() ? rest : shown + " " + rest, columns);
}

double TimeLeft::update(Stage stage, double within, double elapsed_s, bool diarize) {
  if (stage != stage_) {
    if (stage_ == Stage::transcribing) transcribing_s_ = elapsed_s - stage_began_s_;
    stage_ = stage;
    stage_began_s_ = elapsed_s;
  }
  if (stage != Stage::transcribing && stage != Stage::diarizing) return -1;
  if (within < 0.02) return -1;
  const double stage_s = (elapsed_s - stage_began_s_) / within;
  const double left_s = stage_s * (1 - within);
  return stage == Stage::transcribing && diarize ? left_s + stage_s * kDiarizeShare : left_s;
}

Progress::Progress(ProgressStyle style, bool diarize) : style_(style), diarize_(diarize) {
  if (style == ProgressStyle::bar) log::set_sink(log_over_bar);
  if (style == ProgressStyle::json) log::set_sink(log_as_json);
}

Progress::~Progress() {
  end();
  log::set_sink(nullptr);
}

void Progress::begin(std::string_view name) {
  name_ = transcript::cleaned(name);
  began_ = std::chrono::steady_clock::now();
  shown_ = style_ == ProgressStyle::plain ? began_ : std::chrono::steady_clock::time_point{};
  duration_s_ = 0;
  effort_ = {};
  time_left_ = TimeLeft();
}

void Progress::end() {
  if (bar_on_screen) write_error(kEraseLine);
  bar_on_screen = false;
}

double Progress::elapsed_s() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

double Progress::times_real_time(double fraction) const {
  const double elapsed = elapsed_s();
  return elapsed < 0.5 || fraction <= 0 ? 0 : duration_s_ * fraction / elapsed;
}

void Progress::progress(Stage stage, double fraction, double within) {
  const double left_s = time_left_.update(stage, within, elapsed_s(), diarize_);
  const auto now = std::chrono::steady_clock::now();
  const auto since = now - shown_;
  switch (style_) {
    case ProgressStyle::none:
      return;
    case ProgressStyle::bar:
      if (since < kBarInterval) return;
      show_bar(pipeline::stage_name(stage), fraction, left_s);
      break;
    case ProgressStyle::plain:
      if (since < kPlainInterval) return;
      show_plain(pipeline::stage_name(stage), fraction, left_s);
      break;
    case ProgressStyle::json:
      if (since < kJsonInterval && within > 0) return;
      show_json(stage, fraction, left_s);
      break;
  }
  shown_ = now;
}

void Progress::before(std::string_view what, double fraction) {
  const auto now = std::chrono::steady_clock::now();
  const bool bar = style_ == ProgressStyle::bar;
  if (!bar && style_ != ProgressStyle::plain) return;
  if (now - shown_ < (bar ? kBarInterval : kPlainInterval)) return;
  bar ? show_bar(what, fraction, -1) : show_plain(what, fraction, -1);
  shown_ = now;
}

void Progress::words(const std::vector<transcript::Word>& words) {
  if (style_ != ProgressStyle::json || words.empty()) return;
  std::string text;
  for (const transcript::Word& word : words) {
    if (!text.empty() && word.space_before) text += ' ';
    text += word.text;
  }
  write_json({{"event", "words"},
              {"file", name_},
              {"start", json::rounded(words.front().start, 3)},
              {"end", json::rounded(words.back().end, 3)},
              {"text", text}});
}

void Progress::show_bar(std::string_view what, double fraction, double left_s) {
  const std::string tail = fmt::format("{}{}", what, facts(times_real_time(fraction), left_s));
  // The last column stays free: a terminal may begin a new line when it is written to.
  write_error(fmt::format("{}{}", kEraseLine, bar_line(name_, fraction, tail, terminal_width() - 1)));
  bar_on_screen = true;
}

void Progress::show_plain(std::string_view what, double fraction, double left_s) {
  write_error(fmt::format("hansard: {}: {} {:.0f}%{}\n", name_, what, fraction * 100,
                          facts(times_real_time(fraction), left_s)));
}

void Progress::show_json(Stage stage, double fraction, double left_s) {
  json::bj::object line{{"event", "progress"},
                        {"file", name_},
                        {"stage", pipeline::stage_name(stage)},
                        {"progress", json::rounded(fraction, 4)},
                        {"eta_seconds", nullptr}};
  if (left_s >= 0) line["eta_seconds"] = json::rounded(left_s, 1);
  write_json(line);
}

void Progress::say(std::string_view kind, std::string_view file, std::string_view message) const {
  if (style_ == ProgressStyle::json) {
    return write_json(
        {{"event", kind}, {"file", transcript::cleaned(file)}, {"message", transcript::cleaned(message)}});
  }
  write_error(fmt::format("hansard: {}{}{}\n", transcript::cleaned(file), file.empty() ? "" : ": ", message));
}

void Progress::done(std::string_view output, std::optional<size_t> speakers) const {
  if (style_ == ProgressStyle::none) return;
  if (style_ == ProgressStyle::json) {
    json::bj::object line{{"event", "done"},
                          {"file", name_},
                          {"duration_seconds", json::rounded(duration_s_, 3)},
                          {"elapsed_seconds", json::rounded(elapsed_s(), 1)},
                          {"speakers", nullptr},
                          {"output", nullptr}};
    json::bj::object& seconds = line["stage_seconds"].emplace_object();
    for (const auto& [stage, took] : effort_.seconds) seconds[stage] = json::rounded(took, 3);
    line["counts"] = json::bj::value_from(effort_.counts);
    if (speakers) line["speakers"] = *speakers;
    if (!output.empty()) line["output"] = transcript::cleaned(output);
    return write_json(line);
  }
  std::string line =
      fmt::format("hansard: {}: {} of audio in {:.1f} s", name_, format_clock(duration_s_), elapsed_s());
  if (speakers) line += fmt::format(", {} speaker{}", *speakers, *speakers == 1 ? "" : "s");
  if (!output.empty()) line += fmt::format(" -> {}", output);
  write_error(line + "\n");
}

}  // namespace hansard::cli
