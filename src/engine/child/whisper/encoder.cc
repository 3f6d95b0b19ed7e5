#include "engine/child/whisper/encoder.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>

#include "engine/child/whisper/pieces.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {
namespace {

size_t hash_of(const Features& features) {
  const std::string_view bytes(reinterpret_cast<const char*>(features.values.data()),
                               features.values.size() * sizeof(float));
  return std::hash<std::string_view>{}(bytes) ^ static_cast<size_t>(features.frames);
}

}  // namespace

int frames_for(const Pieces& window) {
  return window.size() == 1 ? kMostFrames : shortest_frames_for(window);
}

int shortest_frames_for(const Pieces& window) {
  const double seconds = seconds_of(window) + strategy::kTrailingSeconds;
  const int frames = static_cast<int>(std::ceil(seconds * kFramesPerSecond));
  const int steps = (frames + strategy::kFrameStep - 1) / strategy::kFrameStep;
  return std::min(kMostFrames, steps * strategy::kFrameStep);
}

Result<std::vector<EncodingPtr>> Encoder::encode(const Pcm& pcm, std::span<const Pieces> windows,
                                                 Frames frames, Keep keep, std::stop_token stop) {
  std::vector<EncodingPtr> encodings(windows.size());
  // As many at once as can be computed at once: `stop` is looked at in between.
  const size_t at_once = static_cast<size_t>(model_.lanes());
  std::vector<Features> inputs;
  std::vector<size_t> indices;
  std::vector<size_t> hashes;
  const auto compute = [&]() -> Result<void> {
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "Canceled.");
    const std::vector<EncodingPtr> outputs = TRY(model_.encode(inputs));
    for (size_t k = 0; k < outputs.size(); ++k) {
      encodings[indices[k]] = outputs[k];
      if (keep == Keep::forget) continue;
      if (remembered_.size() >= strategy::kSampledWindows) remembered_.erase(remembered_.begin());
      remembered_.push_back({hashes[k], outputs[k]});
    }
    inputs.clear();
    indices.clear();
    hashes.clear();
    return {};
  };
  for (size_t i = 0; i < windows.size(); ++i) {
    const int count = frames == Frames::whole     ? kMostFrames
                      : frames == Frames::fitting ? frames_for(windows[i])
                                                  : shortest_frames_for(windows[i]);
    Features input = TRY(features(pcm, windows[i], count));
    const size_t hash = hash_of(input);
    encodings[i] = recall(hash);
    if (encodings[i] != nullptr) continue;
    inputs.push_back(std::move(input));
    indices.push_back(i);
    hashes.push_back(hash);
    if (inputs.size() == at_once) TRY(compute());
  }
  if (!inputs.empty()) TRY(compute());
  return encodings;
}

EncodingPtr Encoder::recall(size_t hash) {
  const auto found = std::find_if(remembered_.begin(), remembered_.end(),
                                  [&](const Remembered& entry) { return entry.hash == hash; });
  if (found == remembered_.end()) return nullptr;
  EncodingPtr encoding = std::move(found->encoding);
  remembered_.erase(found);
  return encoding;
}

Result<Features> Encoder::features(const Pcm& pcm, const Pieces& window, int frames) const {
  std::vector<float> samples(static_cast<size_t>(sample_count(window)));
  std::span<float> rest(samples);
  for (const Piece& piece : window) {
    const size_t length = static_cast<size_t>(piece.end - piece.start);
    TRY(pcm.read(piece.start, rest.first(length)));
    rest = rest.subspan(length);
  }
  return Features{log_mel_.compute(samples, frames), frames};
}

}  // namespace hansard::engine::whisper
