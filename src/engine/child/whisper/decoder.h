// The way from encoded windows to text, as strategy.h says: greedy first, with more care where the result is
// weak.
#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/child/whisper/encoder.h"
#include "engine/child/whisper/model.h"
#include "engine/child/whisper/prompt.h"
#include "engine/types.h"

namespace hansard::engine::whisper {

// What one call of the model sees: a window of the plan, or a part of one.
struct Passage {
  Pieces pieces;
  std::string language;
};

struct Decoded {
  Hypothesis hypothesis;
  EncodingPtr encoding;  // what it was decoded from
  bool again = false;    // a weak first result was replaced
  bool circles = false;  // the text is worth nothing, whatever was tried
};

class Decoder {
 public:
  Decoder(Model& model, Encoder& encoder, const Prompts& prompts)
      : model_(model), encoder_(encoder), prompts_(prompts) {}

  // `beam_size` is that of the first decoding. Each passage's result depends on it alone. Errors: canceled,
  // out_of_memory, internal.
  Result<std::vector<Decoded>> decode(const Pcm& pcm, std::span<const Passage> passages,
                                      const TranscribeOptions& options, int beam_size,
                                      const std::function<void(double)>& on_fraction, std::stop_token stop);

 private:
  Result<void> decode_first(std::span<const Passage> passages, const TranscribeOptions& options,
                            int beam_size, std::vector<Decoded>& results, std::stop_token stop);
  Result<void> decode_again(const Pcm& pcm, const Passage& passage, const TranscribeOptions& options,
                            int beam_size, Decoded& result, std::stop_token stop);
  std::vector<int> prompt_for(const Passage& passage, const TranscribeOptions& options) const;

  Model& model_;
  Encoder& encoder_;
  const Prompts& prompts_;
};

}  // namespace hansard::engine::whisper
