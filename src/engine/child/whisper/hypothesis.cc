#include "engine/child/whisper/hypothesis.h"

#include <algorithm>

#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {

bool goes_in_circles(std::span<const int> tokens) {
  if (tokens.size() >= strategy::kEndlessTokens) return true;
  for (size_t group = 1; group <= strategy::kLoopTokens; ++group) {
    const size_t all = group * strategy::kLoopTimes;
    if (tokens.size() < all) break;
    const std::span<const int> tail = tokens.last(all);
    // Every token equals the one a group before it.
    if (std::equal(tail.begin() + static_cast<std::ptrdiff_t>(group), tail.end(), tail.begin())) return true;
  }
  return false;
}

bool is_weak(const Hypothesis& hypothesis, double seconds, double log_probability) {
  const double least_tokens = strategy::kLeastTokensPerSecond * (seconds - 1);
  return hypothesis.average_log_probability < log_probability || goes_in_circles(hypothesis.tokens) ||
         static_cast<double>(hypothesis.tokens.size()) < least_tokens;
}

bool is_better(const Hypothesis& second, const Hypothesis& first) {
  if (goes_in_circles(second.tokens)) return false;
  if (goes_in_circles(first.tokens)) return true;
  const double much = strategy::kMuchLonger * static_cast<double>(first.tokens.size());
  return static_cast<double>(second.tokens.size()) > much ||
         second.average_log_probability > first.average_log_probability;
}

bool is_noise(const Hypothesis& hypothesis) {
  return hypothesis.no_speech_probability > strategy::kNoSpeech &&
         hypothesis.average_log_probability < strategy::kNoSpeechLogProbability;
}

}  // namespace hansard::engine::whisper
