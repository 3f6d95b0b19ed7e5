// What is known of the voices of a recording before anyone says how many speakers there are, and its form in
// bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/child/diarize/networks.h"

namespace hansard::engine {

using Embedding = std::array<float, kEmbeddingSize>;

// An embedding as it is kept: in 16 bits, which is what to_bytes() writes, since hours of speech hold a
// hundred thousand of them.
class KeptEmbedding {
 public:
  KeptEmbedding() = default;
  KeptEmbedding(const Embedding& embedding) {  // NOLINT: the same value, shorter
    std::transform(embedding.begin(), embedding.end(), values_.begin(),
                   [](float value) { return static_cast<_Float16>(value); });
  }
  operator Embedding() const {  // NOLINT
    Embedding embedding;
    std::transform(values_.begin(), values_.end(), embedding.begin(),
                   [](_Float16 value) { return static_cast<float>(value); });
    return embedding;
  }
  bool operator==(const KeptEmbedding&) const = default;
  std::array<_Float16, kEmbeddingSize>& values() { return values_; }
  const std::array<_Float16, kEmbeddingSize>& values() const { return values_; }

 private:
  std::array<_Float16, kEmbeddingSize> values_{};
};

// Which local speakers are active in each frame of a window: bits 0, 1, 2.
using Activity = std::array<uint8_t, kSegmentFrames>;

// A stretch of one local speaker of one window, frames [first, last).
struct Unit {
  uint32_t window = 0;
  uint8_t speaker = 0;
  uint16_t first = 0;
  uint16_t last = 0;
  float clean_s = 0;      // of it, seconds in which nobody else speaks
  bool embedded = false;  // false where it is too short for an embedding
  KeptEmbedding embedding;
};

struct LocalSpeaker {
  float clean_s = 0;
  bool active = false;
  bool embedded = false;
  KeptEmbedding embedding;  // over the whole window
};

struct VoiceWindow {
  int64_t start = 0;  // sample
  Activity activity{};
  std::array<LocalSpeaker, kLocalSpeakers> speakers;
};

struct Voices {
  int64_t sample_count = 0;
  int64_t hop = 0;                   // samples between windows, but for the last
  std::vector<VoiceWindow> windows;  // in order
  // Deques: growing must not hold everything twice.
  std::deque<Unit> training;    // long: what voices are learnt from
  std::deque<Unit> assignment;  // short: what is given to a speaker
};

// Starts of the windows over a recording: every `hop` samples, the last one at the recording's end. One
// window over a recording that is shorter than a window.
std::vector<int64_t> window_starts(int64_t sample_count, int64_t hop);

// Cuts a window's activity into units of each local speaker: pauses of at most `bridge_s` belong to a unit,
// and what is longer than `longest_s` is split evenly.
std::vector<Unit> cut_units(const Activity& activity, uint32_t window, double bridge_s, double longest_s);

// Compact bytes: run lengths and 16-bit floats.
std::string to_bytes(const Voices& voices);

// Errors: invalid_request where the bytes are not of this form. Nothing in them is trusted.
Result<Voices> voices_from_bytes(std::string_view bytes);

}  // namespace hansard::engine
