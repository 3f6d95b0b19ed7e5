#include <gtest/gtest.h>

#include "engine/child/speech/speech.h"

namespace hansard::engine {
namespace {

constexpr int64_t kFrame = kVoiceFrameSamples;

// Probabilities from stretches of {frames, probability}.
std::vector<float> frames(std::initializer_list<std::pair<int, float>> stretches) {
  std::vector<float> result;
  for (const auto& [count, probability] : stretches)
    result.insert(result.end(), static_cast<size_t>(count), probability);
  return result;
}

int64_t samples(const std::vector<float>& probabilities) {
  return std::ssize(probabilities) * kFrame;
}

TEST(Regions, SilenceHasNone) {
  const auto quiet = frames({{100, 0.2F}});
  EXPECT_TRUE(speech_regions(quiet, samples(quiet), {}).empty());
  EXPECT_TRUE(pack_windows({}, quiet).empty());
  EXPECT_TRUE(speech_regions({}, 0, {.voice_activity = false}).empty());
}

TEST(Regions, ArePaddedButNotPastTheMiddleOfAPause) {
  const auto p = frames({{50, 0}, {40, 0.9F}, {10, 0}, {40, 0.9F}, {50, 0}});
  const std::vector<Piece> regions = speech_regions(p, samples(p), {});
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0], (Piece{50 * kFrame - 6400, 95 * kFrame}));
  EXPECT_EQ(regions[1], (Piece{95 * kFrame, 140 * kFrame + 6400}));
}

TEST(Regions, StayInsideTheRecording) {
  const auto p = frames({{30, 0.9F}});
  const std::vector<Piece> regions = speech_regions(p, samples(p) - 100, {});
  ASSERT_EQ(regions.size(), 1U);
  EXPECT_EQ(regions[0], (Piece{0, samples(p) - 100}));
}

TEST(Regions, AShortPauseOrAnUncertainFrameDoesNotEndOne) {
  const auto p = frames({{30, 0.9F}, {4, 0}, {30, 0.9F}, {20, 0.4F}, {30, 0.9F}, {60, 0}});
  EXPECT_EQ(speech_regions(p, samples(p), {}).size(), 1U);
}

TEST(Regions, WithoutVoiceActivityTheWholeRecordingIsOne) {
  EXPECT_EQ(speech_regions({}, 12345, {.voice_activity = false}), (std::vector<Piece>{{0, 12345}}));
}

TEST(Packing, FillsWindowsInOrderAndJoinsPiecesThatTouch) {
  const int64_t second = kSampleRate;
  const std::vector<Piece> regions = {{0, 10 * second},
                                      {10 * second, 15 * second},
                                      {20 * second, 34 * second},
                                      {40 * second, 41 * second},
                                      {50 * second, 52 * second}};
  const std::vector<Window> windows = pack_windows(regions, {});
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].pieces, (std::vector<Piece>{{0, 15 * second}, {20 * second, 34 * second}}));
  EXPECT_EQ(windows[1].pieces, (std::vector<Piece>{{40 * second, 41 * second}, {50 * second, 52 * second}}));
}

TEST(Packing, CutsALongRegionWhereSpeechIsLeastLikely) {
  std::vector<float> p = frames({{2000, 0.9F}});
  std::fill(p.begin() + 700, p.begin() + 706, 0.5F);
  const std::vector<Piece> region = {{0, samples(p)}};
  const std::vector<Window> windows = pack_windows(region, p);
  EXPECT_EQ(windows[0].pieces, (std::vector<Piece>{{0, 703 * kFrame}}));
  int64_t position = 0;
  for (const Window& window : windows) {
    EXPECT_LE(window.sample_count(), kWindowSamples);
    for (const Piece& piece : window.pieces) {
      EXPECT_EQ(piece.start, position);
      position = piece.end;
    }
  }
  EXPECT_EQ(position, samples(p));
}

TEST(Packing, CutsByTimeWithoutProbabilities) {
  const std::vector<Piece> region = {{0, 95 * kSampleRate}};
  const std::vector<Window> windows = pack_windows(region, {});
  ASSERT_EQ(windows.size(), 4U);
  EXPECT_EQ(windows[3].pieces.back().end, 95 * kSampleRate);
}

TEST(Groups, CoverAllWindowsAndASmallRestJoins) {
  EXPECT_TRUE(make_groups(0, 8).empty());
  EXPECT_EQ(make_groups(3, 8), (std::vector<Group>{{0, 3}}));
  EXPECT_EQ(make_groups(12, 8), (std::vector<Group>{{0, 12}}));
  EXPECT_EQ(make_groups(13, 8), (std::vector<Group>{{0, 8}, {8, 5}}));
  EXPECT_EQ(make_groups(3, 1), (std::vector<Group>{{0, 1}, {1, 1}, {2, 1}}));
}

}  // namespace
}  // namespace hansard::engine
