#include "engine/child/diarize/voices.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/child/diarize/diarizer.h"

namespace hansard::engine {
namespace {

Voices some_voices() {
  Voices voices;
  voices.sample_count = 13 * 16000;
  voices.hop = 2 * 16000;
  for (const int64_t start : window_starts(voices.sample_count, voices.hop)) {
    VoiceWindow window;
    window.start = start;
    for (size_t i = 100; i < 300; ++i) window.activity[i] = 1;
    for (size_t i = 250; i < 500; ++i) window.activity[i] |= 2;
    for (size_t s = 0; s < 2; ++s) {
      window.speakers[s] = {1.5F, true, true, {}};
      window.speakers[s].embedding.values().fill(static_cast<_Float16>(s == 0 ? 0.25F : -0.5F));
    }
    const auto index = static_cast<uint32_t>(voices.windows.size());
    for (Unit unit : cut_units(window.activity, index, 0.3, 10)) {
      unit.clean_s = 2;
      unit.embedded = true;
      unit.embedding = window.speakers[unit.speaker].embedding;
      voices.training.push_back(unit);
    }
    voices.assignment = voices.training;
    voices.windows.push_back(window);
  }
  return voices;
}

TEST(Windows, CoverTheRecordingAndEndWithIt) {
  EXPECT_EQ(window_starts(1000, 32000), std::vector<int64_t>{0});
  EXPECT_EQ(window_starts(160000, 32000), std::vector<int64_t>{0});
  EXPECT_EQ(window_starts(160001, 32000), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(window_starts(13 * 16000, 32000), (std::vector<int64_t>{0, 32000, 48000}));
}

TEST(Units, BridgeShortPausesAndSplitLongRunsEvenly) {
  Activity activity{};
  for (size_t i = 10; i < 100; ++i) activity[i] = 4;
  for (size_t i = 110; i < 200; ++i) activity[i] = 4;  // 10 frames, 0.17 s, apart
  const auto bridged = cut_units(activity, 7, 0.3, 10);
  ASSERT_EQ(bridged.size(), 1U);
  EXPECT_EQ(bridged[0].speaker, 2);
  EXPECT_EQ(bridged[0].window, 7U);
  EXPECT_EQ(bridged[0].first, 10);
  EXPECT_EQ(bridged[0].last, 200);
  EXPECT_EQ(cut_units(activity, 0, 0.1, 10).size(), 2U);
  const auto split = cut_units(activity, 0, 0.3, 1.7);  // 3.2 s in parts of at most 1.7
  ASSERT_EQ(split.size(), 2U);
  EXPECT_EQ(split[0].last, split[1].first);
  EXPECT_TRUE(cut_units(Activity{}, 0, 0.3, 10).empty());
}

TEST(VoicesBytes, ComeBackAsTheyWere) {
  const Voices voices = some_voices();
  const std::string bytes = to_bytes(voices);
  const Result<Voices> again = voices_from_bytes(bytes);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_bytes(*again), bytes);
  EXPECT_EQ(again->windows.size(), voices.windows.size());
  EXPECT_EQ(again->windows[1].activity, voices.windows[1].activity);
  EXPECT_EQ(again->training.size(), voices.training.size());
  EXPECT_EQ(again->training[1].embedding, voices.training[1].embedding);
}

TEST(VoicesBytes, DamageIsRefusedOrHarmless) {
  const std::string good = to_bytes(some_voices());
  for (size_t size = 0; size < good.size(); size += 13) {
    EXPECT_FALSE(turns(good.substr(0, size), {}, {})) << size;
  }
  EXPECT_FALSE(turns(good + "x", {}, {}));
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    const Result<std::vector<Turn>> result = turns(bytes, {}, {});
    if (!result) {
      EXPECT_EQ(result.error().code, ErrorCode::invalid_request);
    }
  }
}

}  // namespace
}  // namespace hansard::engine
