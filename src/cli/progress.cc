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

// A line of the log takes the bar's place; the bar is drawn again by the next progress.
void log_over_bar(log::Level level, std::string_view line) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "off"};
  write_error(fmt::format("{}hansard: {}: {}\n", bar_on_screen ? kEraseLine : "",
                          kNames[static_cast<size_t>(level)], line));
  bar_on_screen = false;
}

std::string facts(double times_real_time, double left_s) {
  std::string text;
  if (times_real_time > 0) {
    text += fmt::format(", {:.{}f}x real time", times_real_time, times_real_time < 10 ? 1 : 0);
  }
  if (left_s >= 0) text += fmt::format(", {} left", format_clock(std::ceil(left_s), 0));
  return text;
}

}  // namespace

ProgressStyle default_progress_style() {
  return ::isatty(STDERR_FILENO) != 0 ? ProgressStyle::bar : ProgressStyle::plain;
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
}

Progress::~Progress() {
  end();
  if (style_ == ProgressStyle::bar) log::set_sink(nullptr);
}

void Progress::begin(std::string name) {
  name_ = std::move(name);
  began_ = std::chrono::steady_clock::now();
  shown_ = style_ == ProgressStyle::plain ? began_ : std::chrono::steady_clock::time_point{};
  duration_s_ = 0;
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
      show_bar(stage, fraction, left_s);
      break;
    case ProgressStyle::plain:
      if (since < kPlainInterval) return;
      show_plain(stage, fraction, left_s);
      break;
    case ProgressStyle::json:
      if (since < kJsonInterval && within > 0) return;
      show_json(stage, fraction, left_s);
      break;
  }
  shown_ = now;
}

void Progress::words(const std::vector<transcript::Word>& words) {
  if (style_ != ProgressStyle::json || words.empty()) return;
  std::string text;
  for (const transcript::Word& word : words) {
    if (!text.empty() && word.space_before) text += ' ';
    text += word.text;
  }
  const json::bj::object line{{"event", "words"},
                              {"file", name_},
                              {"start", json::rounded(words.front().start, 3)},
                              {"end", json::rounded(words.back().end, 3)},
                              {"text", text}};
  write_error(json::bj::serialize(line) + "\n");
}

void Progress::show_bar(Stage stage, double fraction, double left_s) {
  const std::string tail = fmt::format(" {:3.0f}%  {}{}", fraction * 100, pipeline::stage_name(stage),
                                       facts(times_real_time(fraction), left_s));
  const size_t width = terminal_width();
  std::string name = name_;
  const size_t room = width > tail.size() + 14 ? width - tail.size() - 14 : 0;
  if (name.size() > room) name = room > 3 ? name.substr(0, room - 3) + "..." : "";
  const auto filled = static_cast<size_t>(std::lround(fraction * 10));
  const std::string bar = std::string(filled, '#') + std::string(10 - filled, '.');
  write_error(
      fmt::format("{}{} [{}]{}", kEraseLine, name, bar, tail).substr(0, width + kEraseLine.size() - 1));
  bar_on_screen = true;
}

void Progress::show_plain(Stage stage, double fraction, double left_s) {
  write_error(fmt::format("hansard: {}: {} {:.0f}%{}\n", name_, pipeline::stage_name(stage), fraction * 100,
                          facts(times_real_time(fraction), left_s)));
}

void Progress::show_json(Stage stage, double fraction, double left_s) {
  json::bj::object line{{"event", "progress"},
                        {"file", name_},
                        {"stage", pipeline::stage_name(stage)},
                        {"progress", json::rounded(fraction, 4)},
                        {"eta_seconds", nullptr}};
  if (left_s >= 0) line["eta_seconds"] = json::rounded(left_s, 1);
  write_error(json::bj::serialize(line) + "\n");
}

}  // namespace hansard::cli
