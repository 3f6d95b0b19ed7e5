// The segmentation network (pyannote's PyanNet: SincNet, four bidirectional LSTMs, two linear layers and a
// classifier) by our own kernels. What its first filters make of the sound is computed once for all windows
// over it, since the window's normalisation before them only scales and shifts the sound; several windows go
// through the LSTMs side by side, and what the LSTMs read of each other is int8. What comes of a window does
// not depend on the others.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/child/kernels/buffer.h"
#include "engine/child/kernels/kernels.h"
#include "engine/child/kernels/matrices.h"

namespace hansard::engine {

class Segmenter {
 public:
  // Null where `onnx` holds another network than this one.
  static std::unique_ptr<Segmenter> load(std::string_view onnx, const kernels::Set& cpu);
  ~Segmenter();

  // Room to work in, of one thread; grows with what it is used for.
  struct Room {
    kernels::Buffer<float> filtered;   // [frames][filters], of the windows that overlap
    kernels::Buffer<float> pooled;     // [frames][filters], and later ones
    kernels::Buffer<float> convolved;  // [frames][channels]
    kernels::Buffer<float> in, out;    // [frames][windows][units] of an LSTM
    kernels::Buffer<float> gates;
    kernels::Buffer<float> cells, hidden;
    kernels::RowsRoom quantized;
  };

  // Log-probabilities [offsets][kSegmentFrames][kSegmentClasses] of the windows of kSegmentSamples that begin
  // at `offsets`, which ascend. From several threads at once, each in a room of its own; each computes on the
  // thread that makes it. Throws std::bad_alloc.
  std::vector<float> segment(std::span<const float> samples, std::span<const int64_t> offsets,
                             Room& room) const;

 private:
  struct State;
  explicit Segmenter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hansard::engine
