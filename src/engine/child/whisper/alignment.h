// When each token was said, read from where the decoder looked: heads whose attention follows the speech, and
// the cheapest way through their mean that never goes back (dynamic time warping). As OpenAI's reference code
// does it.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/child/kernels/kernels.h"

namespace hansard::engine::whisper {

// What the decoder saw while it wrote a window's text: kept by the decoding, read once the text is accepted.
struct Attention {
  int heads = 0;
  int positions = 0;   // of the window
  int first_text = 0;  // row of the token before the first of the text
  // Of each row, the token given to the decoder there: scores before the softmax, [head][positions], half
  // precision.
  std::vector<std::vector<uint16_t>> rows;
  std::vector<float> probabilities;  // of each text token, among text tokens
};

// Of each text token and of what comes after the last, the position where the way enters it; `positions` of
// the window are looked at, from the first. One number more than there are text tokens.
std::vector<int> first_positions(const kernels::Set& cpu, const Attention& attention, int positions);

// The way through costs[rows][columns] from the first to the last corner that has the least sum; of each row,
// its first column. Exposed for its test.
std::vector<int> cheapest_way(const std::vector<float>& costs, int rows, int columns);

}  // namespace hansard::engine::whisper
