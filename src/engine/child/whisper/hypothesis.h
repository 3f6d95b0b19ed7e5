// What the decoder made of a window, and what is to be thought of it.
#pragma once

#include <memory>
#include <span>
#include <vector>

namespace hansard::engine::whisper {

struct Attention;

struct Hypothesis {
  std::vector<int> tokens;                     // text tokens
  std::shared_ptr<const Attention> attention;  // where the model keeps it
  double average_log_probability = 0;
  double no_speech_probability = 0;
};

// The text ends by going round in circles, or it never ended.
bool goes_in_circles(std::span<const int> tokens);

// A result for `seconds` of speech that should be decoded again with more care: less likely than
// `log_probability`, in circles, or too short.
bool is_weak(const Hypothesis& hypothesis, double seconds, double log_probability);

// `second`, made with more care, should replace `first`.
bool is_better(const Hypothesis& second, const Hypothesis& first);

// Text where there is no speech: to be dropped.
bool is_noise(const Hypothesis& hypothesis);

}  // namespace hansard::engine::whisper
