// Sound to encodings: reads the pieces of windows from the spool, computes features, encodes.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/audio.h"
#include "engine/child/whisper/log_mel.h"
#include "engine/child/whisper/model.h"
#include "engine/types.h"

namespace hansard::engine::whisper {

using Pieces = std::vector<Piece>;

// Frames that the encoder is given for a window: two seconds more than its sound, in steps, 30 s at most.
int shortest_frames_for(const Pieces& window);
// The same, but for a window of one piece, as short recordings are, all 30 s: its pauses were kept, and in
// fewer frames a word after a pause begins too early.
int frames_for(const Pieces& window);

class Encoder {
 public:
  explicit Encoder(Model& model) : model_(model), log_mel_(model.bands()) {}

  // Each window in frames_for() its length; in all 3,000, `whole`; or in the shortest that hold it, which is
  // enough to know its language. Errors: canceled, out_of_memory, internal, and those of reading the spool.
  enum class Frames { shortest, fitting, whole };
  // What encode() gave last with `remember` is kept, eight windows at most, for the next call that asks for
  // the same sound: detection of the language and decoding look at the same windows. Only time depends on it.
  enum class Keep { forget, remember };
  Result<std::vector<EncodingPtr>> encode(const Pcm& pcm, std::span<const Pieces> windows, Frames frames,
                                          Keep keep, std::stop_token stop);
  void forget() { remembered_.clear(); }

 private:
  // Known by the features' hash, since descriptors and positions are used again for other recordings.
  struct Remembered {
    size_t hash;
    EncodingPtr encoding;
  };

  EncodingPtr recall(size_t hash);
  Result<Features> features(const Pcm& pcm, const Pieces& window, int frames) const;

  Model& model_;
  LogMel log_mel_;
  std::vector<Remembered> remembered_;
};

}  // namespace hansard::engine::whisper
