#include <algorithm>
#include <limits>
#include <optional>

#include "engine/child/speech/speech.h"

namespace hansard::engine {
namespace {

constexpr float kHysteresis = 0.15F;
// Whisper drops words that stand at the very edge of a window; with half of this pad it loses twice as many.
constexpr int64_t kPadSamples = kSampleRate * 4 / 10;
// Windows stay just short of the model's 30 s, so that rounding up to frames never cuts one.
constexpr int64_t kPackedSamples = kSampleRate * 299 / 10;
// A longer pause is dropped even where there is room for it: a model that hears nothing for long invents
// words.
constexpr int64_t kKeptPauseSamples = 2 * kSampleRate;
// Where a long region may be cut: in the last 60 %, at the centre of the least likely 0.2 s.
constexpr double kEarliestCut = 0.4;
constexpr int64_t kCutFrames = 6;

using Frame = int64_t;

// Speech begins at a frame that reaches the threshold and ends at the first frame below the lower one, if
// none reaches the threshold for `min_silence_ms` after it.
std::vector<Piece> bare_regions(std::span<const float> probabilities, int64_t sample_count,
                                const SpeechOptions& options) {
  const int64_t silence_samples = static_cast<int64_t>(options.min_silence_ms) * kSampleRate / 1000;
  const float lower = std::max(options.threshold - kHysteresis, 0.01F);
  std::vector<Piece> regions;
  std::optional<Frame> start;
  std::optional<Frame> silence;
  for (Frame i = 0; i < std::ssize(probabilities); ++i) {
    const float probability = probabilities[static_cast<size_t>(i)];
    if (probability >= options.threshold) {
      if (!start) start = i;
      silence.reset();
    } else if (start && probability < lower) {
      if (!silence) silence = i;
      if ((i - *silence) * kVoiceFrameSamples < silence_samples) continue;
      regions.push_back({*start * kVoiceFrameSamples, *silence * kVoiceFrameSamples});
      start.reset();
      silence.reset();
    }
  }
  if (start) {
    const Frame end = silence.value_or(std::ssize(probabilities));
    regions.push_back({*start * kVoiceFrameSamples, std::min(end * kVoiceFrameSamples, sample_count)});
  }
  return regions;
}

// The sample, at most kPackedSamples after `start`, at which to cut: the latest of the least likely places.
int64_t cut_position(int64_t start, std::span<const float> probabilities) {
  const int64_t latest = start + kPackedSamples;
  const Frame first = (start + static_cast<int64_t>(kEarliestCut * kPackedSamples)) / kVoiceFrameSamples;
  const Frame last = std::min<Frame>(latest / kVoiceFrameSamples, std::ssize(probabilities));
  int64_t best = latest;
  float least = std::numeric_limits<float>::max();
  for (Frame centre = first + kCutFrames / 2; centre + kCutFrames / 2 <= last; ++centre) {
    float sum = 0;
    for (Frame i = centre - kCutFrames / 2; i < centre + kCutFrames / 2; ++i) {
      sum += probabilities[static_cast<size_t>(i)];
    }
    if (sum > least) continue;
    least = sum;
    best = centre * kVoiceFrameSamples;
  }
  return std::min(best, latest);
}

std::vector<Piece> cut_long(std::span<const Piece> regions, std::span<const float> probabilities) {
  std::vector<Piece> pieces;
  for (Piece region : regions) {
    while (region.end - region.start > kPackedSamples) {
      const int64_t cut = cut_position(region.start, probabilities);
      pieces.push_back({region.start, cut});
      region.start = cut;
    }
    pieces.push_back(region);
  }
  return pieces;
}

// True where all of a recording's speech fits into one window with its pauses, none of them long: packing
// would gain nothing, and words are placed best where nothing is cut.
bool fits_unpacked(std::span<const Piece> regions) {
  if (regions.empty() || regions.back().end - regions.front().start > kPackedSamples) return false;
  for (size_t i = 1; i < regions.size(); ++i) {
    if (regions[i].start - regions[i - 1].end > kKeptPauseSamples) return false;
  }
  return true;
}

}  // namespace

std::vector<Piece> speech_regions(std::span<const float> probabilities, int64_t sample_count,
                                  const SpeechOptions& options) {
  if (sample_count <= 0) return {};
  if (!options.voice_activity) return {{0, sample_count}};
  const std::vector<Piece> bare = bare_regions(probabilities, sample_count, options);
  std::vector<Piece> padded;
  for (size_t i = 0; i < bare.size(); ++i) {
    const int64_t least = i == 0 ? 0 : (bare[i - 1].end + bare[i].start) / 2;
    const int64_t most = i + 1 == bare.size() ? sample_count : (bare[i].end + bare[i + 1].start) / 2;
    padded.push_back(
        {std::max(least, bare[i].start - kPadSamples), std::min(most, bare[i].end + kPadSamples)});
  }
  return padded;
}

std::vector<Window> pack_windows(std::span<const Piece> regions, std::span<const float> probabilities) {
  if (fits_unpacked(regions)) return {{{{regions.front().start, regions.back().end}}, {}}};
  std::vector<Window> windows;
  int64_t samples = 0;
  for (const Piece& piece : cut_long(regions, probabilities)) {
    const int64_t length = piece.end - piece.start;
    if (windows.empty() || samples + length > kPackedSamples) {
      windows.push_back({{piece}, {}});
      samples = length;
      continue;
    }
    std::vector<Piece>& pieces = windows.back().pieces;
    if (pieces.back().end == piece.start) {
      pieces.back().end = piece.end;
    } else {
      pieces.push_back(piece);
    }
    samples += length;
  }
  return windows;
}

std::vector<Group> make_groups(int window_count, int batch_size) {
  std::vector<Group> groups;
  for (int first = 0; first < window_count; first += batch_size) {
    const int count = std::min(batch_size, window_count - first);
    if (!groups.empty() && 2 * count <= batch_size) {
      groups.back().window_count += count;
    } else {
      groups.push_back({first, count});
    }
  }
  return groups;
}

}  // namespace hansard::engine
