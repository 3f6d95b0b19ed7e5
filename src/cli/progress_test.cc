#include "cli/progress.h"

#include <gtest/gtest.h>

namespace hansard::cli {
namespace {

using pipeline::Stage;

TEST(TimeLeft, SaysNothingBeforeItCanKnow) {
  TimeLeft left;
  EXPECT_LT(left.update(Stage::preparing, 0.5, 3, true), 0);
  EXPECT_LT(left.update(Stage::transcribing, 0.001, 3.1, true), 0);
}

TEST(TimeLeft, CountsWhatIsLeftOfTheStageAndTheOneBehindIt) {
  TimeLeft left;
  left.update(Stage::transcribing, 0, 10, false);
  EXPECT_NEAR(left.update(Stage::transcribing, 0.25, 20, false), 30, 1e-9);
  TimeLeft with_speakers;
  with_speakers.update(Stage::transcribing, 0, 10, true);
  EXPECT_GT(with_speakers.update(Stage::transcribing, 0.25, 20, true), 30);
  with_speakers.update(Stage::diarizing, 0, 50, true);
  EXPECT_NEAR(with_speakers.update(Stage::diarizing, 0.5, 60, true), 10, 1e-9);
}

}  // namespace
}  // namespace hansard::cli
