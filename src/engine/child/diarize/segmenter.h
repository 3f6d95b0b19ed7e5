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

#include "engine/child/kernels/kernels.h"

namespace hansard::engine {

class Segmenter {
 public:
  // Null where `onnx` holds another network than this one.
  static std::unique_ptr<Segmenter> load(std::string_view onnx, const kernels::Set& cpu);
  ~Segmenter();

  // Log-probabilities [offsets][kSegmentFrames][kSegmentClasses] of the windows of kSegmentSamples that begin
  // at `offsets`, which ascend. From several threads at once; each computes on the thread that makes it.
  // Throws std::bad_alloc.
  std::vector<float> segment(std::span<const float> samples, std::span<const int64_t> offsets) const;

 private:
  struct State;
  explicit Segmenter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hansard::engine
