// Words out of windows of speech: Whisper on CTranslate2. One object holds one loaded model; one call at a
// time. Results depend on the model, the request and the compute type, not on threads or on other windows'
// order of computing.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/audio.h"
#include "base/result.h"
#include "engine/child/speech/speech.h"
#include "engine/model_files.h"
#include "engine/types.h"

namespace hansard::engine {

class Transcriber {
 public:
  // Errors: model_corrupt (a file is not what it should be), model_unavailable (not a Whisper model),
  // out_of_memory, invalid_request (cuda asked for where there is none).
  static Result<std::unique_ptr<Transcriber>> load(const ModelFiles& files, const EngineOptions& options);
  virtual ~Transcriber() = default;

  // What a group of windows takes beside what is loaded.
  struct Memory {
    int64_t once_bytes = 0;
    int64_t window_bytes = 0;  // for each window
  };
  virtual Memory memory() const = 0;

  // Lets go of what is kept from one call to the next: it is only for speed.
  virtual void rest() = 0;

  // What the calls took since this was last asked.
  virtual Effort take_effort() = 0;

  // What `automatic` came to on this machine.
  virtual Device device() const = 0;
  virtual ComputeType compute_type() const = 0;

  // Gives each window of `plan` its language and the plan the language of the recording: detected over
  // several windows, or `language` everywhere. Windows in which languages mix are cut; so windows may change,
  // and the caller makes the groups afterwards.
  virtual Result<void> detect_languages(const Pcm& pcm, std::span<const Piece> regions, Plan& plan,
                                        const OnFraction& on_fraction, std::stop_token stop) = 0;

  // Decodes and aligns one group of the plan, whole. Word times are seconds of the spool, monotonic, inside
  // the window's pieces.
  virtual Result<GroupText> transcribe(const Pcm& pcm, const Plan& plan, int group,
                                       const TranscribeOptions& options, const OnFraction& on_fraction,
                                       std::stop_token stop) = 0;
};

// What this machine can do for `options`: resolved device and compute type, and why. Loads no model. Errors:
// invalid_request where cuda is asked for and there is none.
struct Resolved {
  Device device = Device::cpu;
  ComputeType compute_type = ComputeType::int8;
  std::string note;
};
Result<Resolved> resolve(const EngineOptions& options);

}  // namespace hansard::engine
