// Arithmetic on the pieces of a window: positions inside the window and in the recording, parts of a window.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "engine/types.h"

namespace hansard::engine::whisper {

int64_t sample_count(std::span<const Piece> pieces);
double seconds_of(std::span<const Piece> pieces);

// The recording's times of a stretch of the window, both in seconds, exact piece by piece. A stretch that
// crosses a joint between pieces lies in one of them only, since nobody speaks a word across a pause: in the
// one that holds more of it, not counting the silence that pads each side of a joint.
struct Span {
  double start = 0;
  double end = 0;
};
Span to_recording(std::span<const Piece> pieces, Span in_window);

// What is left of a window from `seconds` on; empty at its end.
std::vector<Piece> pieces_after(std::span<const Piece> pieces, double seconds);

// A window as two, cut at the joint nearest to its middle, or in the middle where there is none in its middle
// half. The second is empty when there is only one sample.
std::pair<std::vector<Piece>, std::vector<Piece>> halves(std::span<const Piece> pieces);

}  // namespace hansard::engine::whisper
