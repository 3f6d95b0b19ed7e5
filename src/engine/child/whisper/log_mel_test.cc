#include "engine/child/whisper/log_mel.h"

#include <gtest/gtest.h>

namespace hansard::engine::whisper {
namespace {

std::vector<float> signal() {
  std::vector<float> samples;
  for (int64_t i = 0; i < 8000; ++i) {
    samples.push_back(static_cast<float>((i * i * 7919) % 65536 - 32768) / 4.0F / 32768.0F);
  }
  return samples;
}

struct Reference {
  int bands;
  int band;
  std::array<float, 5> values;  // at frames 0, 1, 17, 30, 48
};

// Reference: the feature extractor of faster-whisper 1.2.1 on the same signal.
TEST(LogMel, IsThatOfTheReference) {
  constexpr std::array<int, 5> kFrames{0, 1, 17, 30, 48};
  const std::vector<Reference> references{
      {80, 0, {0.3195F, 0.6935F, 0.5201F, 0.6863F, 0.643F}},
      {80, 1, {0.3775F, 0.6135F, 0.5618F, 0.7865F, 0.6043F}},
      {80, 20, {0.6682F, 0.6728F, 0.6986F, 0.67F, 0.7524F}},
      {80, 50, {0.3837F, 0.4367F, 0.739F, 0.6699F, 0.5783F}},
      {80, 79, {0.6886F, 0.6998F, 0.6923F, 0.6656F, 0.7153F}},
      {128, 0, {0.2438F, 0.6178F, 0.4444F, 0.6106F, 0.5673F}},
      {128, 50, {0.7438F, 0.7294F, 0.6574F, 0.7362F, 0.7245F}},
      {128, 127, {0.567F, 0.5815F, 0.6843F, 0.6439F, 0.7009F}},
  };
  for (const Reference& reference : references) {
    const std::vector<float> mel = LogMel(reference.bands).compute(signal(), 100);
    for (size_t i = 0; i < kFrames.size(); ++i) {
      const auto at = static_cast<size_t>(reference.band * 100 + kFrames[i]);
      EXPECT_NEAR(mel[at], reference.values[i], 0.002)
          << reference.bands << " " << reference.band << " " << kFrames[i];
    }
  }
}

TEST(LogMel, HasNothingAfterTheSound) {
  const std::vector<float> mel = LogMel(80).compute(signal(), 100);
  for (size_t band = 0; band < 80; ++band) EXPECT_EQ(mel[band * 100 + 80], 0);
}

}  // namespace
}  // namespace hansard::engine::whisper
