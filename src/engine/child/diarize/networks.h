// The two networks of diarization: segmentation (who of up to three local speakers is active, frame by
// frame), by our own kernels where there are some for the processor (segmenter.h), and the trunk of the
// speaker embedding (WeSpeaker ResNet34-LM up to its pooling) on ONNX Runtime. Calls may come from several
// threads at once; each computes on the thread that makes it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/child/diarize/segmenter.h"
#include "engine/child/kernels/kernels.h"
#include "engine/model_files.h"

namespace hansard::engine {

// ---- geometry of the segmentation network (pyannote segmentation, community-1)

inline constexpr int64_t kSegmentSamples = 160'000;  // 10 s
inline constexpr int kSegmentFrames = 589;
inline constexpr int kSegmentClasses = 7;  // none, A, B, C, AB, AC, BC
inline constexpr int kLocalSpeakers = 3;
inline constexpr int64_t kFrameStepSamples = 270;
inline constexpr double kFrameStep = 270.0 / 16000;    // seconds between frames
inline constexpr double kFrameCenter = 495.5 / 16000;  // of frame 0, after the window's start

// ---- geometry of the trunk

inline constexpr int kBlockFrames = 1000;  // filter bank frames of one call: 10 s
inline constexpr int kBlockColumns = 125;
inline constexpr int kColumnSize = 2560;
inline constexpr int kEmbeddingSize = 256;
inline constexpr double kColumnStep = 0.08;      // seconds between columns
inline constexpr double kColumnCenter = 0.0475;  // of column 0

class Networks {
 public:
  // Segmentation by `cpu`, or on ONNX Runtime where it is null. Takes the int8 trunk where the processor
  // multiplies int8 fast, else the float one. Errors: model_corrupt.
  static Result<std::unique_ptr<Networks>> load(const ModelFiles& files,
                                                const kernels::Set* cpu = kernels::best());
  virtual ~Networks() = default;

  // Log-probabilities [offsets][589][7] of the windows of 160,000 samples that begin at `offsets`, which
  // ascend. Threads that call at once have a room each. Errors: internal, out_of_memory.
  virtual Result<std::vector<float>> segment(std::span<const float> samples, std::span<const int64_t> offsets,
                                             Segmenter::Room& room) = 0;

  // Columns [ceil(frames / 8)][2560] of mean-normalised filter bank frames [frames][80]. Errors: internal.
  virtual Result<std::vector<float>> trunk(std::span<const float> frames) = 0;

  // The last layer: embeddings [n][256] of pooled statistics [n][5120] (means, then standard deviations).
  virtual std::vector<float> project(std::span<const float> statistics) const = 0;
};

}  // namespace hansard::engine
