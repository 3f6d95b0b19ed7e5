#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "base/limits.h"
#include "media/ffmpeg.h"
#include "media/media.h"

namespace hansard::media {
namespace {

constexpr auto kLongest = static_cast<int64_t>(limits::kRecordingSeconds * kSampleRate);

// Peaks of equal stretches, which grow twice as long whenever there are too many of them.
class Peaks {
 public:
  Peaks() { peaks_.reserve(limits::kWaveformPeaks); }

  void add(int16_t sample) {
    highest_ = std::max(highest_, std::abs(int{sample}));
    ++samples_;
    if (++within_ == stretch_) close();
  }
  void add_silence(int64_t count) {
    samples_ += count;
    while (count > 0) {
      const int64_t step = std::min(count, stretch_ - within_);
      count -= step;
      within_ += step;
      if (within_ == stretch_) close();
    }
  }
  int64_t samples() const { return samples_; }
  std::vector<uint16_t> finish() {
    if (within_ > 0) close();
    return std::move(peaks_);
  }

 private:
  void close() {
    // 32768, the magnitude of the lowest sample, is full scale.
    peaks_.push_back(static_cast<uint16_t>(std::min(highest_ * 2, 65535)));
    highest_ = 0;
    within_ = 0;
    if (peaks_.size() < limits::kWaveformPeaks) return;
    for (size_t i = 0; i < peaks_.size() / 2; ++i) peaks_[i] = std::max(peaks_[2 * i], peaks_[2 * i + 1]);
    peaks_.resize(peaks_.size() / 2);
    stretch_ *= 2;
  }

  std::vector<uint16_t> peaks_;
  int64_t stretch_ = 1;  // samples
  int64_t within_ = 0;   // of the stretch in work
  int highest_ = 0;
  int64_t samples_ = 0;
};

}  // namespace

Waveform Waveform::in_points(size_t count) const {
  Waveform result{duration_s, std::vector<uint16_t>(count)};
  for (size_t i = 0; i < count && !peaks.empty(); ++i) {
    const size_t first = i * peaks.size() / count;
    const size_t end = std::max(first + 1, (i + 1) * peaks.size() / count);
    result.peaks[i] = *std::max_element(peaks.begin() + static_cast<std::ptrdiff_t>(first),
                                        peaks.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return result;
}

Result<Waveform> waveform(int fd, const Info& info, const std::stop_token& stop) {
  Peaks peaks;
  peaks.add_silence(std::llround(std::min(info.sound_start_s, limits::kRecordingSeconds) * kSampleRate));
  const int64_t before = peaks.samples();
  std::string odd;  // the first half of a sample whose second has not come
  const auto take = [&](std::string_view bytes) -> Result<void> {
    odd += bytes;
    const size_t whole = odd.size() / kBytesPerSample;
    if (peaks.samples() + static_cast<int64_t>(whole) > kLongest) {
      return fail(ErrorCode::unsupported_media,
                  fmt::format("the recording is longer than {:.0f} hours", limits::kRecordingSeconds / 3600));
    }
    for (size_t i = 0; i < whole; ++i) {
      int16_t sample = 0;
      std::memcpy(&sample, odd.data() + i * sizeof sample, sizeof sample);
      peaks.add(sample);
    }
    odd.erase(0, whole * kBytesPerSample);
    return {};
  };
  Result<ChildOutput> output = stream_child(sound_decoder(fd, info), limits::kDecodeSilence, take, stop);
  if (!output) return fail(start_error(std::move(output).error()));
  if (output->timed_out) {
    return fail(ErrorCode::media_unreadable, "decoding this recording does not get on",
                last_words(output->standard_error));
  }
  if (peaks.samples() == before) {
    if (!output->exit.ok()) return fail(media_error(*output));
    return fail(ErrorCode::media_unreadable, "the sound of this recording cannot be decoded",
                last_words(output->standard_error));
  }
  const double duration_s = static_cast<double>(peaks.samples()) / kSampleRate;
  return Waveform{duration_s, peaks.finish()};
}

}  // namespace hansard::media
