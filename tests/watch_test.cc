// hansard watch, with recordings that come in, change, break and are there already.

#include <gtest/gtest.h>

#include <csignal>

#include <fmt/format.h>

#include "base/file.h"
#include "program.h"

namespace hansard {
namespace {

namespace fs = std::filesystem;

class WatchModel : public Program {
 protected:
  fs::path in() const { return folder_ / "in"; }
  void bring(const std::string& name) const {
    fs::create_directories((in() / name).parent_path());
    fs::copy_file(recording("endgame_nagg_nell.wav"), in() / name, fs::copy_options::overwrite_existing);
  }
  static std::vector<std::string> command(const fs::path& folder, const std::vector<std::string>& more) {
    std::vector<std::string> words{"watch", folder, "--settle", "0.1s", "--model", "tiny.en", "--no-diarize"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  ProgramResult once(std::vector<std::string> more = {}) {
    more.emplace_back("--once");
    return run(command(in(), more));
  }
  static std::string text_of(const fs::path& path) { return read_file(path, 1 << 20).value_or(""); }
};

TEST_F(WatchModel, WhatComesIsTranscribedAndTheEndIsCalm) {
  fs::create_directories(in());
  bring("there.wav");
  RunningProgram watching =
      start(command(in(), {"--out", folder_ / "out", "--format", "txt", "--json-progress"}));
  ASSERT_TRUE(watching.wait_for_line("\"event\":\"done\",\"file\":\"there.wav\""));
  bring("later/nell.wav");
  ASSERT_TRUE(watching.wait_for_line("\"event\":\"done\",\"file\":\"nell.wav\""));
  watching.child().kill(SIGTERM);
  EXPECT_EQ(watching.child().wait().exit_code, 0);
  EXPECT_NE(text_of(folder_ / "out/there.txt").find("hear me"), std::string::npos);
  EXPECT_EQ(text_of(folder_ / "out/later/nell.txt"), text_of(folder_ / "out/there.txt"));
}

TEST_F(WatchModel, WhatIsDoneStaysDoneUntilItChanges) {
  bring("a.wav");
  ASSERT_EQ(once().exit_code, 0);
  const fs::path transcript = in() / "a.md";
  ASSERT_TRUE(fs::exists(transcript));
  // Its owner takes the transcript away: that is no reason to make it again.
  fs::remove(transcript);
  EXPECT_EQ(once().exit_code, 0);
  EXPECT_FALSE(fs::exists(transcript));
  fs::last_write_time(in() / "a.wav", fs::file_time_type::clock::now());
  EXPECT_EQ(once().exit_code, 0);
  EXPECT_TRUE(fs::exists(transcript));
  // Without memory, a transcript that is younger than its recording is not written over.
  ASSERT_TRUE(write_file_atomically(transcript, "corrected by hand", Sync::no));
  fs::remove_all(folder_ / "data/watch");
  EXPECT_EQ(once().exit_code, 0);
  EXPECT_EQ(text_of(transcript), "corrected by hand");
}

TEST_F(WatchModel, TwoOfOneNameAndOneThatCannotBeRead) {
  bring("talk.wav");
  fs::copy_file(in() / "talk.wav", in() / "talk.wave.wav");
  fs::copy_file(in() / "talk.wav", in() / "talk.mp3");
  ASSERT_TRUE(write_file_atomically(in() / "text.mp3", "not sound", Sync::no));
  const ProgramResult result = once();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_NE(result.err.find("text.mp3"), std::string::npos) << result.err;
  for (const char* name : {"talk.wav.md", "talk.mp3.md", "talk.wave.md"})
    EXPECT_TRUE(fs::exists(in() / name)) << name;
  EXPECT_FALSE(fs::exists(in() / "text.md"));
  // It is not tried again.
  const ProgramResult again = once();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(again.err, "");
}

TEST_F(WatchModel, OneFolderHasOneWatcherAndMustBeThere) {
  bring("a.wav");
  RunningProgram watching = start(command(in(), {"--json-progress"}));
  ASSERT_TRUE(watching.wait_for_line("\"event\":\"done\""));
  const ProgramResult second = once();
  EXPECT_NE(second.exit_code, 0);
  EXPECT_NE(second.err.find("is watched already"), std::string::npos) << second.err;
  const ProgramResult missing = run(command(folder_ / "nowhere", {"--once"}));
  EXPECT_NE(missing.exit_code, 0);
  EXPECT_NE(missing.err.find("no folder that can be watched"), std::string::npos) << missing.err;
}

}  // namespace
}  // namespace hansard
