#include "base/spelling.h"

#include <gtest/gtest.h>

namespace hansard {
namespace {

TEST(Spelling, LowerLeavesAllButAsciiLetters) {
  EXPECT_EQ(lower("Whisper-Large_V3"), "whisper-large_v3");
  EXPECT_EQ(lower("GRÜN [Z]"), "grÜn [z]");
}

TEST(Spelling, DistanceCountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("base", ""), 4U);
  EXPECT_EQ(edit_distance("bsae", "base"), 2U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("small", "smal"), 1U);
}

TEST(Spelling, IntegersAreWholeOrNone) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-7"), -7);
  EXPECT_EQ(parse_integer("9223372036854775807"), INT64_MAX);
  for (const char* text : {"", " 1", "1 ", "+1", "1.0", "0x10", "9223372036854775808"}) {
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
  }
}

TEST(Spelling, TruthHasManyWords) {
  for (const char* text : {"true", "TRUE", "1", "Yes", "on", "t", "y"})
    EXPECT_EQ(parse_truth(text), true) << text;
  for (const char* text : {"false", "False", "0", "no", "OFF", "f", "n"})
    EXPECT_EQ(parse_truth(text), false) << text;
  for (const char* text : {"", "2", "perhaps", "tru", " true"})
    EXPECT_EQ(parse_truth(text), std::nullopt) << text;
}

}  // namespace
}  // namespace hansard
