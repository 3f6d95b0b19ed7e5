// Whole windows to text with word times: decodes, aligns, and goes on where the decoder ended too early or
// went round in circles.
#pragma once

#include <list>
#include <span>
#include <stop_token>
#include <vector>

#include "base/audio.h"
#include "engine/child/speech/speech.h"
#include "engine/child/whisper/decoder.h"
#include "engine/child/whisper/model.h"
#include "engine/child/whisper/prompt.h"
#include "engine/child/whisper/tokenizer.h"
#include "engine/types.h"

namespace hansard::engine::whisper {

class WindowReader {
 public:
  WindowReader(Model& model, Encoder& encoder, const Prompts& prompts, const Tokenizer& tokenizer)
      : model_(model), decoder_(model, encoder, prompts), prompts_(prompts), tokenizer_(tokenizer) {}

  // One result for each window. Word times are seconds of the recording. Errors: canceled, out_of_memory,
  // internal, and those of reading the spool.
  Result<std::vector<WindowText>> read(const Pcm& pcm, std::span<const Window> windows,
                                       const TranscribeOptions& options, int beam_size,
                                       const OnFraction& on_fraction, std::stop_token stop);

 private:
  // A stretch of a window; those of one window, in order, make it up.
  struct Part {
    Passage passage;
    int cuts = 0;      // how many cuts led to it
    bool open = true;  // still to be read
    bool dropped = false;
    Decoded decoded;
    std::vector<Word> words;
    double heard_seconds = 0;  // where in the passage the text ends
  };
  using Parts = std::list<Part>;

  Result<void> read_parts(const Pcm& pcm, std::span<Part* const> parts, const TranscribeOptions& options,
                          int beam_size, const OnFraction& on_fraction, std::stop_token stop);
  static void go_on(Parts& parts);
  static WindowText put_together(const Parts& parts);

  Model& model_;
  Decoder decoder_;
  const Prompts& prompts_;
  const Tokenizer& tokenizer_;
};

}  // namespace hansard::engine::whisper
