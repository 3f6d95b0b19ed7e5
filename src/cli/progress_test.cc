#include "cli/progress.h"

#include <gtest/gtest.h>

#include "transcript/text.h"

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

TEST(BarLine, CutsTheNameWhereThereIsNoRoom) {
  const std::string tail = "transcribing, 12x real time, 00:10 left";
  EXPECT_EQ(bar_line("talk.mp3", 0.4, tail, 80),
            "talk.mp3 [####......]  40%  transcribing, 12x real time, 00:10 left");
  EXPECT_EQ(bar_line("a long name of a talk.mp3", 0.4, tail, 70),
            "a long n... [####......]  40%  transcribing, 12x real time, 00:10 left");
  EXPECT_EQ(bar_line("talk.mp3", 0.4, tail, 58),
            "[####......]  40%  transcribing, 12x real time, 00:10 left");
  EXPECT_EQ(bar_line("talk.mp3", 1, tail, 12), "[##########]");
}

TEST(BarLine, CutsBetweenCharactersOfEveryWidth) {
  const std::string name = "第一回 Gespräch über die längste Überfahrt.flac";
  for (size_t columns = 1; columns < 90; ++columns) {
    const std::string line = bar_line(name, 0.5, "preparing", columns);
    EXPECT_EQ(transcript::cleaned(line).find("\uFFFD"), std::string::npos) << line;
    EXPECT_LE(transcript::display_width(line), static_cast<int>(columns));
  }
}

}  // namespace
}  // namespace hansard::cli
