#include "engine/child/whisper/words.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/child/whisper/pieces.h"

namespace hansard::engine::whisper {
namespace {

constexpr int64_t kSecond = 16000;

TEST(Pieces, MapTheWindowOntoTheRecording) {
  const std::vector<Piece> pieces{{10 * kSecond, 12 * kSecond}, {20 * kSecond, 23 * kSecond}};
  EXPECT_DOUBLE_EQ(seconds_of(pieces), 5);
  const Span first = to_recording(pieces, {0.5, 1});
  EXPECT_NEAR(first.start, 10.5, 1e-3);
  EXPECT_NEAR(first.end, 11, 1e-3);
  const Span second = to_recording(pieces, {3, 4});
  EXPECT_NEAR(second.start, 21, 1e-3);
  EXPECT_NEAR(second.end, 22, 1e-3);
  // Over the joint: it lies in one piece, and in order.
  const Span joint = to_recording(pieces, {1.9, 2.9});
  EXPECT_LE(joint.start, joint.end);
  EXPECT_TRUE((joint.start >= 10 && joint.end <= 12) || (joint.start >= 20 && joint.end <= 23));
}

TEST(Pieces, CanBeCut) {
  const std::vector<Piece> pieces{{0, 2 * kSecond}, {5 * kSecond, 8 * kSecond}};
  const std::vector<Piece> after = pieces_after(pieces, 3);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0].start, 6 * kSecond);
  EXPECT_TRUE(pieces_after(pieces, 5).empty());
  const auto [one, other] = halves(pieces);
  EXPECT_EQ(sample_count(one) + sample_count(other), sample_count(pieces));
  EXPECT_EQ(other.front().start, 5 * kSecond);  // at the joint
}

TEST(Words, StayInOrderAndInsideThePieces) {
  std::mt19937 random(9);
  for (int round = 0; round < 200; ++round) {
    const std::vector<Piece> pieces{
        {kSecond, 4 * kSecond}, {6 * kSecond, 7 * kSecond}, {30 * kSecond, 40 * kSecond}};
    std::vector<Word> words;
    double at = 0;
    for (int i = 0; i < 30; ++i) {
      const double start = at + static_cast<double>(random() % 50) / 100;
      at = start + static_cast<double>(random() % 100) / 100;
      words.push_back({start, at, " word", 0.5F});
    }
    double last = 0;
    for (const Word& word : place_words(words, pieces)) {
      EXPECT_GE(word.start, last);
      EXPECT_GE(word.end, word.start);
      EXPECT_GE(word.start, 1);
      EXPECT_LE(word.end, 40);
      last = word.start;
    }
  }
}

}  // namespace
}  // namespace hansard::engine::whisper
