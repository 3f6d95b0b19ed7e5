// Log-mel filter banks as the speaker network was trained on: those of Kaldi (feature-fbank) with 80 bins,
// Hamming window, no dither and no energy. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/audio.h"
#include "base/result.h"

namespace hansard::engine {

inline constexpr int kFbankBins = 80;
inline constexpr int64_t kFbankHop = 160;     // samples between frames
inline constexpr int64_t kFbankWindow = 400;  // samples under one frame

// Frames that lie wholly inside a recording.
constexpr int64_t fbank_frame_count(int64_t samples) {
  return samples < kFbankWindow ? 0 : 1 + (samples - kFbankWindow) / kFbankHop;
}

// Frames [first, first + count) of a recording, 80 values each. They must lie inside.
Result<std::vector<float>> fbank(const Pcm& pcm, int64_t first, int64_t count);

}  // namespace hansard::engine
