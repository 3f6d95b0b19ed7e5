#include "base/audio.h"

#include <algorithm>
#include <vector>

#include "base/file.h"

namespace hansard {

Result<void> Pcm::read(int64_t start, std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0F);
  const int64_t first = std::clamp<int64_t>(start, 0, sample_count_);
  const int64_t last = std::clamp<int64_t>(start + static_cast<int64_t>(out.size()), first, sample_count_);
  std::vector<int16_t> samples(static_cast<size_t>(last - first));
  TRY(read_at(fd_, static_cast<uint64_t>(first) * kBytesPerSample,
              std::as_writable_bytes(std::span(samples))));
  float* to = out.data() + (first - start);
  for (const int16_t sample : samples) *to++ = static_cast<float>(sample) / 32768.0F;
  return {};
}

}  // namespace hansard
