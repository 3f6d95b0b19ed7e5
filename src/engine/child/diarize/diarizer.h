// Who speaks when. voices() is the costly part: segmentation in sliding windows, then voice embeddings of
// every stretch of one local speaker, pooled from a trunk that runs once over the recording. Its bytes do not
// depend on the number of speakers. turns() clusters them; it takes seconds for a recording of ten hours.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/audio.h"
#include "base/result.h"
#include "engine/child/speech/speech.h"
#include "engine/model_files.h"
#include "engine/types.h"

namespace hansard::engine {

class Diarizer {
 public:
  // Errors: model_corrupt, out_of_memory.
  static Result<std::unique_ptr<Diarizer>> load(const ModelFiles& files, int threads);
  virtual ~Diarizer() = default;

  // `speech` are the regions with speech: outside of them nobody speaks. Memory does not grow with the length
  // of the recording but for the embeddings (a few MB an hour). Errors: canceled, out_of_memory, internal.
  virtual Result<std::string> voices(const Pcm& pcm, std::span<const Piece> speech,
                                     const OnFraction& on_fraction, std::stop_token stop) = 0;
};

// Turns in order of start, speakers numbered by first appearance; overlapping speech gives overlapping turns.
// Fewer speakers than asked for where the recording has no more voices. Errors: invalid_request where the
// bytes are not voices of this version (never trusted: they may come from a damaged disk), canceled.
Result<std::vector<Turn>> turns(std::string voices, const SpeakerCount& speakers, std::stop_token stop);

}  // namespace hansard::engine
