// How a run shows how far it is: a bar on a terminal, a plain line now and then elsewhere, JSON lines on
// request, or nothing. Everything goes to standard error.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/pipeline.h"

namespace hansard::cli {

enum class ProgressStyle { bar, plain, json, none };

// bar on a terminal, plain elsewhere.
ProgressStyle default_progress_style();

// An estimate of the time left, from what stages have taken. Pure but for the clock it is given.
class TimeLeft {
 public:
  // Seconds, or a negative number while nothing can be said.
  double update(pipeline::Stage stage, double within, double elapsed_s, bool diarize);

 private:
  pipeline::Stage stage_ = pipeline::Stage::downloading;
  double stage_began_s_ = 0;
  double transcribing_s_ = 0;
};

// The bar's line in so many columns: "talk.mp3 [####......]  40%  transcribing, 12x real time". The name is
// UTF-8, and cut where there is no room for it.
std::string bar_line(std::string_view name, double fraction, std::string_view tail, size_t columns);

// Shows one recording at a time: begin(), then what the pipeline tells, then end(), then how it ended.
class Progress : public pipeline::Observer {
 public:
  Progress(ProgressStyle style, bool diarize);
  ~Progress() override;

  void begin(std::string_view name);
  void end();
  // What comes before the stages of the pipeline: "uploading", "queued".
  void before(std::string_view what, double fraction);

  // "warning" or "error": a line of its own, in each style.
  void say(std::string_view kind, std::string_view file, std::string_view message) const;
  // What came of the recording; `output` is empty where it went to standard output, `speakers` where they
  // were not told apart.
  void done(std::string_view output, std::optional<size_t> speakers) const;

  void progress(pipeline::Stage stage, double fraction, double within) override;
  void duration(double seconds) override { duration_s_ = seconds; }
  void effort(const engine::Effort& effort) override { effort_ += effort; }
  void words(const std::vector<transcript::Word>& words) override;

 private:
  double elapsed_s() const;
  void show_bar(std::string_view what, double fraction, double left_s);
  void show_plain(std::string_view what, double fraction, double left_s);
  void show_json(pipeline::Stage stage, double fraction, double left_s);
  double times_real_time(double fraction) const;

  ProgressStyle style_;
  bool diarize_;
  std::string name_;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point shown_;
  double duration_s_ = 0;
  engine::Effort effort_;
  TimeLeft time_left_;
};

}  // namespace hansard::cli
