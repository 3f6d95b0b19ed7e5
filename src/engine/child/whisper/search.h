// From what was heard to text: the decoder's tokens one after the other, the likeliest at each step or a beam
// of several hypotheses. Pure of chance: the same window gives the same text, whatever is decoded beside it.
#pragma once

#include <span>
#include <vector>

#include "engine/child/whisper/hypothesis.h"
#include "engine/child/whisper/model.h"
#include "engine/child/whisper/network.h"

namespace hansard::engine::whisper {

struct SearchTokens {
  int vocabulary = 0;
  int end_of_text = 0;
  int start_of_transcript = 0;
  int no_speech = -1;                 // -1: the model has none
  std::vector<int> suppressed;        // never said
  std::vector<int> suppressed_first;  // not said first
};

// One hypothesis for each window, with what its words' times are read from. All prompts have the same length,
// and leave room for a token at least. Throws std::bad_alloc.
std::vector<Hypothesis> find_text(const Network& network, const SearchTokens& tokens,
                                  std::span<const CrossCache* const> windows,
                                  std::span<const std::vector<int>> prompts, const Search& search,
                                  Room& room);

}  // namespace hansard::engine::whisper
