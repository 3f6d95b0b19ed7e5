#include "engine/child/whisper/hypothesis.h"

#include <gtest/gtest.h>

#include <vector>

namespace hansard::engine::whisper {
namespace {

Hypothesis of(size_t tokens, double log_probability) {
  Hypothesis result;
  for (size_t i = 0; i < tokens; ++i) result.tokens.push_back(static_cast<int>(i));
  result.average_log_probability = log_probability;
  return result;
}

TEST(Hypothesis, CirclesAreSeen) {
  EXPECT_FALSE(goes_in_circles(std::vector<int>{1, 2, 3, 1, 2, 3}));
  EXPECT_TRUE(goes_in_circles(std::vector<int>{9, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2}));
  EXPECT_TRUE(goes_in_circles(std::vector<int>(5, 7)));
  EXPECT_FALSE(goes_in_circles(std::vector<int>{}));
  EXPECT_TRUE(goes_in_circles(of(224, -0.1).tokens));  // it never ended
}

TEST(Hypothesis, WeakIsUnlikelyOrTooShortForItsSpeech) {
  EXPECT_FALSE(is_weak(of(60, -0.1), 20, -0.25));
  EXPECT_TRUE(is_weak(of(60, -0.5), 20, -0.25));
  EXPECT_TRUE(is_weak(of(3, -0.1), 20, -0.25));
  EXPECT_FALSE(is_weak(of(1, -0.1), 1, -0.25));
}

TEST(Hypothesis, TheBetterOneIsLikelierOrMuchLongerAndNoCircle) {
  EXPECT_TRUE(is_better(of(50, -0.2), of(50, -0.4)));
  EXPECT_FALSE(is_better(of(50, -0.4), of(50, -0.2)));
  EXPECT_TRUE(is_better(of(80, -0.4), of(50, -0.2)));
  Hypothesis circle = of(0, -0.01);
  circle.tokens.assign(40, 3);
  EXPECT_FALSE(is_better(circle, of(10, -2)));
  EXPECT_TRUE(is_better(of(10, -2), circle));
}

TEST(Hypothesis, NoiseIsUnlikelySpeechWithUnlikelyText) {
  Hypothesis noise = of(5, -1.5);
  noise.no_speech_probability = 0.9;
  EXPECT_TRUE(is_noise(noise));
  noise.average_log_probability = -0.2;
  EXPECT_FALSE(is_noise(noise));
}

}  // namespace
}  // namespace hansard::engine::whisper
