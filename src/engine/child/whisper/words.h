// From tokens with times to words with times.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/child/whisper/tokenizer.h"
#include "engine/types.h"

namespace hansard::engine::whisper {

// Of one token of text, in seconds of the window.
struct TokenTime {
  double start = 0;
  double end = 0;
  float probability = 0;
};

// Words of a window in seconds of the window, one time for each token of `tokens`. Words are what stands
// between spaces, with its punctuation; in languages written without spaces, single characters. Words that
// the alignment stretched over a pause are cut as Whisper's reference code does it. The words' texts make up
// the whole text.
std::vector<Word> make_words(const Tokenizer& tokenizer, std::string_view language,
                             std::span<const int> tokens, std::span<const TokenTime> times);

// The same words in seconds of the recording: never decreasing, inside the pieces.
std::vector<Word> place_words(std::span<const Word> words, std::span<const Piece> pieces);

}  // namespace hansard::engine::whisper
