// Languages of a plan: heard in a sample of its windows; where several are spoken, in every window, and
// inside of windows in which they mix.
#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/audio.h"
#include "engine/child/speech/speech.h"
#include "engine/child/whisper/encoder.h"
#include "engine/child/whisper/languages.h"
#include "engine/child/whisper/model.h"
#include "engine/types.h"

namespace hansard::engine::whisper {

class LanguageDetector {
 public:
  LanguageDetector(Model& model, Encoder& encoder) : model_(model), encoder_(encoder) {}

  // For a multilingual model. Fills in the languages of the plan and of its windows; windows may be cut.
  // Memory does not grow with the plan. Errors: canceled, out_of_memory, internal, and those of reading the
  // spool.
  Result<void> detect(const Pcm& pcm, std::span<const Piece> regions, Plan& plan,
                      const OnFraction& on_fraction, std::stop_token stop);

 private:
  Result<std::vector<Heard>> listen(const Pcm& pcm, std::span<const Pieces> windows, Encoder::Keep keep,
                                    const OnFraction& on_fraction, std::stop_token stop);
  Result<std::vector<Window>> split(const Pcm& pcm, const Window& window, std::span<const Piece> regions,
                                    std::span<const std::string> present, std::stop_token stop);

  Model& model_;
  Encoder& encoder_;
};

}  // namespace hansard::engine::whisper
