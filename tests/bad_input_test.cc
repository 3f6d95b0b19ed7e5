// Every kind of bad input gets one clear line that says what to do, its exit code, and leaves nothing behind.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "program.h"

namespace hansard {
namespace {

namespace fs = std::filesystem;

class BadInput : public Program {
 protected:
  fs::path speech() const { return recording("two_cities.wav"); }

  // Runs, and expects this exit code, exactly one line on standard error that holds `text`, and no output
  // file.
  void refused(std::vector<std::string> arguments, int exit_code, const std::string& text,
               const std::vector<std::string>& environment = {}) {
    const fs::path output = folder_ / "refused.json";
    arguments.insert(arguments.begin(), "transcribe");
    if (std::find(arguments.begin(), arguments.end(), "-o") == arguments.end()) {
      arguments.insert(arguments.end(), {"-o", output});
    }
    const ProgramResult result = run(arguments, environment);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_TRUE(result.out.empty());
    EXPECT_FALSE(fs::exists(output));
    EXPECT_TRUE(listing(folder_ / "data/spool").empty());
  }

  // A copy of the installed models in which one may be spoiled.
  std::vector<std::string> own_models() {
    fs::create_directories(folder_ / "models");
    for (const char* id : {"whisper-tiny.en", "speech-silero", "diarization-default"}) {
      fs::copy(models() / id, folder_ / "models" / id);
    }
    return {"SPEECH_ENGINE_CACHE_DIR=" + (folder_ / "models").string(), "HANSARD_MODEL_PATH=none",
            "SPEECH_ENGINE_AUTO_DOWNLOAD=false"};
  }
};

TEST_F(BadInput, AMissingFile) {
  refused({folder_ / "nothing.mp3"}, 3, "No such file");
}
TEST_F(BadInput, AFolderWithoutMedia) {
  fs::create_directory(folder_ / "empty");
  refused({folder_ / "empty"}, 3, "no media files");
}
TEST_F(BadInput, APipeInPlaceOfAFile) {
  const fs::path pipe = folder_ / "pipe.mp3";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  refused({pipe}, 3, "read as -");
}
TEST_F(BadInput, AnEmptyFile) {
  refused({write("empty.mp3", "")}, 3, "empty");
}
TEST_F(BadInput, TextNamedMp3) {
  refused({write("text.mp3", "Dear diary, today I renamed a file.\n")}, 3, "text.mp3");
}
TEST_F(BadInput, ZerosAreNoMedia) {
  refused({write("zeros.mp3", std::string(1 << 20, '\0'))}, 3, "zeros.mp3");
}

// An m4a whose index lies at its end, cut off: nothing of it can be read.
TEST_F(BadInput, ATruncatedM4a) {
  const fs::path whole = folder_ / "whole.m4a";
  const Result<ChildOutput> made =
      run_child({.argv = {"ffmpeg", "-v", "error", "-i", speech().string(), "-c:a", "aac", whole.string()}},
                std::chrono::seconds(60), 1 << 20);
  ASSERT_TRUE(made && made->exit.ok());
  fs::copy(whole, folder_ / "cut.m4a");
  fs::resize_file(folder_ / "cut.m4a", fs::file_size(whole) / 2);
  refused({folder_ / "cut.m4a"}, 3, "cut.m4a");
}

TEST_F(BadInput, AVideoWithoutSound) {
  const fs::path video = folder_ / "silent.mkv";
  const Result<ChildOutput> made = run_child(
      {.argv = {"ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=size=64x64:duration=1", video.string()}},
      std::chrono::seconds(60), 1 << 20);
  ASSERT_TRUE(made && made->exit.ok());
  refused({video}, 3, "no audio");
}

TEST_F(BadInput, TimesThatCannotBe) {
  refused({speech(), "--start-time", "30s", "--end-time", "20s"}, 2, "--end-time");
  refused({speech(), "--max-duration", "30"}, 2, "30s");
  refused({speech(), "--start-time", "2:00:00"}, 2, "44");
}

TEST_F(BadInput, NumbersOfSpeakersThatCannotBe) {
  refused({speech(), "--min-speakers", "3", "--max-speakers", "2"}, 2, "--min-speakers 3 is more than");
  refused({speech(), "--num-speakers", "0"}, 2, "--num-speakers");
  refused({speech(), "--num-speakers", "2", "--max-speakers", "3"}, 2, "not both");
}

TEST_F(BadInput, NamesThatAreNotKnown) {
  refused({speech(), "--model", "whisper-bsae"}, 4, "whisper-base");
  refused({speech(), "--language", "klingon"}, 2, "klingon");
  refused({speech(), "--device", "tpu"}, 2, "auto, cpu, cuda");
  refused({speech(), "-o", (folder_ / "out.doc").string()}, 2, "md, txt, docx, srt");
}

TEST_F(BadInput, WordsThatAreNoCommandOrFlag) {
  const auto said = [&](const std::vector<std::string>& arguments, const std::string& line) {
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.err, line + "\n");
    EXPECT_TRUE(result.out.empty());
  };
  said({}, "hansard: A subcommand is required; see hansard --help");
  said({"transcirbe"}, "hansard: transcirbe is not understood; see hansard --help");
  said({"models", "instal"}, "hansard: instal is not understood; see hansard models --help");
  said({"transcribe", "a.mp3", "--spekers", "2"},
       "hansard: --spekers is not understood; see hansard transcribe --help");
  said({"transcribe"}, "hansard: INPUT is required; see hansard transcribe --help");
  said({"transcribe", "a.mp3", "--beam-size", "99"},
       "hansard: --beam-size: Value 99 not in range 0 to 20; see hansard transcribe --help");
}

TEST_F(BadInput, AModelThatIsNotThere) {
  const auto environment = own_models();
  refused({speech(), "--model", "small"}, 4, "hansard models install whisper-small", environment);
}

TEST_F(BadInput, ATruncatedModel) {
  const auto environment = own_models();
  fs::resize_file(folder_ / "models/whisper-tiny.en/model.bin", 1 << 20);
  refused({speech(), "--model", "tiny.en"}, 4, "hansard models install whisper-tiny.en", environment);
}

TEST_F(BadInput, AnAlteredModel) {
  const auto environment = own_models();
  std::fstream file(folder_ / "models/whisper-tiny.en/model.bin",
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(20 << 20);
  file << "altered";
  file.close();
  refused({speech(), "--model", "tiny.en"}, 4, "hansard models install whisper-tiny.en", environment);
}

TEST_F(BadInput, AMissingModelWithoutNetwork) {
  refused({speech(), "--model", "small"}, 4, "hansard models import",
          {"HF_ENDPOINT=http://127.0.0.1:9", "PATH=/nowhere", "http_proxy=", "https_proxy="});
}

TEST_F(BadInput, AnOutputThatCannotBeWrittenIsFoundBeforeAnyWork) {
  refused({speech(), "-o", "/proc/nothing/out.md"}, 5, "/proc/nothing");
  EXPECT_TRUE(listing(folder_ / "data/cache").empty());
}

TEST_F(BadInput, ADataFolderThatCannotBeWrittenTo) {
  refused({speech()}, 5, "set HANSARD_DATA_DIR", {"HANSARD_DATA_DIR=/proc/nothing"});
  refused({speech()}, 5, "set HANSARD_DATA_DIR", {"HANSARD_DATA_DIR=" + write("file", "").string()});
}

TEST_F(BadInput, OutputsThatWouldCollide) {
  fs::create_directories(folder_ / "a");
  fs::create_directories(folder_ / "b");
  fs::copy(speech(), folder_ / "a/talk.wav");
  fs::copy(speech(), folder_ / "b/talk.wav");
  refused({folder_ / "a/talk.wav", folder_ / "b/talk.wav", "-o", (folder_ / "out/").string()}, 5,
          "would both be written");
}

using BadInputModel = BadInput;

// Nothing that was opened in between may get the transcript instead.
TEST_F(BadInputModel, AClosedStandardOutputIsNamed) {
  const fs::path silence = write("silence.wav", wav(16000, [](size_t) { return 0.0; }));
  const Result<ChildOutput> result =
      run_child({.argv = {"bash", "-c", "exec \"$@\" >&-", "bash", HANSARD_BINARY_DIR "/bin/hansard",
                          "transcribe", silence.string(), "--model", "tiny.en", "-q"},
                 .environment = {"PATH=/usr/bin:/bin", "HOME=" + folder_.string()}},
                std::chrono::minutes(1), 1 << 20);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit.exit_code, 5) << result->standard_error;
  EXPECT_NE(result->standard_error.find("standard output"), std::string::npos) << result->standard_error;
}

// A disk that is full: nothing may grow over 64 KiB, neither what is decoded nor what is written.
TEST_F(BadInputModel, AFullDiskIsNamedAndLeavesNothing) {
  const fs::path output = folder_ / "refused.json";
  ChildOptions options;
  options.argv = {"bash",
                  "-c",
                  "trap '' XFSZ; ulimit -f 64; exec \"$@\"",
                  "bash",
                  HANSARD_BINARY_DIR "/bin/hansard",
                  "transcribe",
                  speech(),
                  "-o",
                  output};
  options.environment = {"PATH=/usr/bin:/bin", "HOME=" + folder_.string()};
  const Result<ChildOutput> result = run_child(options, std::chrono::minutes(1), 1 << 20);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit.exit_code, 5) << result->standard_error;
  EXPECT_EQ(std::count(result->standard_error.begin(), result->standard_error.end(), '\n'), 1)
      << result->standard_error;
  EXPECT_FALSE(fs::exists(output));
}

TEST_F(BadInput, ABadSettingIsNamed) {
  refused({speech()}, 2, "SPEECH_ENGINE_THREADS", {"SPEECH_ENGINE_THREADS=many"});
}

}  // namespace
}  // namespace hansard
