// The way of one recording: decode, plan, words, voices, turns, merge. Each stage's result is an artifact,
// and a stage whose artifact exists is not run: that alone is what makes a run go on after a crash, a second
// run answer at once, and another number of speakers cost only the clustering.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/limits.h"
#include "base/result.h"
#include "engine/provider.h"
#include "media/media.h"
#include "models/library.h"
#include "pipeline/artifacts.h"
#include "transcript/document.h"

namespace hansard::pipeline {

// A recording as bytes in a regular file.
struct Recording {
  UniqueFd fd;
  std::string sha256;  // of the whole file
  std::string title;
};

// Opens and hashes a recording. Errors: not_found, permission_denied, media_unreadable (empty, not a file),
// canceled.
Result<Recording> open_recording(const std::filesystem::path& path, const std::stop_token& stop);

struct Options {
  std::string transcription_model{models::kDefaultTranscriptionModel};
  std::string diarization_model{models::kDefaultDiarizationModel};
  std::string language = "auto";
  engine::TranscribeOptions transcribe;
  engine::SpeechOptions speech;
  int batch_size = engine::kBatchSize;
  bool diarize = true;
  engine::SpeakerCount speakers;
  // Each channel is a speaker and is read by itself: SPEAKER_00 is the first. Nobody is told apart by voice
  // then.
  bool multichannel = false;
  media::Range range;
  bool auto_download = true;  // fetch a model of the catalog that is not installed
};

enum class Stage { downloading, preparing, transcribing, diarizing, merging, saving, completed };
std::string_view stage_name(Stage stage);  // "transcribing"
std::optional<Stage> parse_stage(std::string_view name);
// How much of its stage a run is through that is through so much of all.
double within_stage(Stage stage, double fraction);

// Told of what happens, on the thread that runs.
class Observer {
 public:
  virtual ~Observer() = default;
  // `fraction` of the whole run, in [0, 1], never going back; `within` is that of the stage.
  virtual void progress(Stage /*stage*/, double /*fraction*/, double /*within*/) {}
  // Known as soon as the recording is decoded or its facts are remembered.
  virtual void duration(double /*seconds*/) {}
  // A part of the engine's work is done, and took so much.
  virtual void effort(const engine::Effort& /*effort*/) {}
  // Words of the next part of the recording are final.
  virtual void words(const std::vector<transcript::Word>& /*words*/) {}
};

// What a run works with. `artifacts` may be null: then nothing is kept and nothing reused.
struct Resources {
  engine::Provider& provider;
  models::Library& library;
  const Artifacts* artifacts = nullptr;
  std::filesystem::path spool_folder;
  // Engines that may die before the words are there; a queue counts crashes itself and allows one.
  int transcribe_crashes = limits::kTranscribeCrashes;
};

struct Outcome {
  transcript::Document document;
  // Why there are no speakers although they were asked for: the transcript is complete all the same.
  std::optional<Error> diarization_error;
};

// Runs one recording through all stages. Errors: those of media, models and engine; `canceled` leaves the
// artifacts of finished stages and groups behind. Once the words are there no failure of diarization is an
// error of the run. An engine that crashes is replaced and asked for what is missing, up to limits.h.
Result<Outcome> transcribe(Recording& recording, const Options& options, const Resources& resources,
                           Observer& observer, std::stop_token stop);

}  // namespace hansard::pipeline
