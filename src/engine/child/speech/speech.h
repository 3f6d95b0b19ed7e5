// Where anyone speaks, and how speech is packed for decoding. Voice activity is Silero's network (v6, ONNX)
// on 32 ms frames; packing follows "cut in pauses, abut, never decode silence".
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/audio.h"
#include "base/result.h"
#include "engine/child/kernels/kernels.h"
#include "engine/model_files.h"
#include "engine/types.h"

namespace hansard::engine {

inline constexpr int kVoiceFrameSamples = 512;  // one probability each
inline constexpr int64_t kWindowSamples = 30 * kSampleRate;

// Fractions in [0, 1] of one call's work; called at least every few seconds of computing.
using OnFraction = std::function<void(double)>;

class VoiceActivity {
 public:
  // By our own kernels on `threads` threads (0: as many as there are cores) where there are some for the
  // processor, else on ONNX Runtime and one. Errors: model_corrupt.
  static Result<std::unique_ptr<VoiceActivity>> load(const ModelFiles& files, int threads,
                                                     const kernels::Set* cpu = kernels::best());
  virtual ~VoiceActivity() = default;

  // A probability of speech for each frame of 512 samples, the last one padded. One thread at a time.
  virtual Result<std::vector<float>> probabilities(const Pcm& pcm, const OnFraction& on_fraction,
                                                   std::stop_token stop) = 0;
};

// Regions of speech, in order, apart or touching, padded by 0.4 s but never past the middle of a pause.
std::vector<Piece> speech_regions(std::span<const float> probabilities, int64_t sample_count,
                                  const SpeechOptions& options);

// Packs regions greedily, in order, into windows of at most 29.9 s; a longer region is cut where speech is
// least likely. Languages are left empty.
std::vector<Window> pack_windows(std::span<const Piece> regions, std::span<const float> probabilities);

// Groups of `batch_size` windows in order; a small rest joins the last group.
std::vector<Group> make_groups(int window_count, int batch_size);

}  // namespace hansard::engine
