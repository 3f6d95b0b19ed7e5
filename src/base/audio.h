// The one form of sound inside Hansard: 16 kHz, mono, signed 16-bit little-endian samples in a spool file
// without a name, read by window.
#pragma once

#include <cstdint>
#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace hansard {

inline constexpr int kSampleRate = 16000;
inline constexpr int kBytesPerSample = 2;

// A view of a spool file: positions are samples since the start of the decoded range. Reads may come from any
// thread. Does not own the descriptor.
class Pcm {
 public:
  Pcm(int fd, int64_t sample_count) : fd_(fd), sample_count_(sample_count) {}

  int fd() const { return fd_; }
  int64_t sample_count() const { return sample_count_; }
  double seconds() const { return static_cast<double>(sample_count_) / kSampleRate; }

  // Reads samples [start, start + out.size()) as floats in [-1, 1); what lies outside of the recording is 0.
  Result<void> read(int64_t start, std::span<float> out) const;

 private:
  int fd_;
  int64_t sample_count_;
};

}  // namespace hansard
