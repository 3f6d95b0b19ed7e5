#include "cli/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/file.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;
using transcript::Format;

// A temporary folder that is the working folder for the time of a test.
class Output : public testing::Test {
 protected:
  Output() : before_(fs::current_path()) {
    std::string name = (fs::temp_directory_path() / "hansard-output.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    fs::current_path(name);
  }
  ~Output() override {
    const fs::path folder = fs::current_path();
    fs::current_path(before_);
    fs::remove_all(folder);
  }

  static void write(const fs::path& path) { std::ofstream(path) << "before"; }
  static std::string read(const fs::path& path) { return read_file(path, 1 << 20).value_or("(none)"); }

  static void expect_refused(const std::vector<std::string>& inputs, const std::optional<std::string>& output,
                             const std::optional<std::string>& format, ErrorCode code,
                             std::string_view message) {
    const auto files = [] { return std::distance(fs::recursive_directory_iterator("."), {}); };
    const auto count = files();
    const auto targets = plan_outputs(inputs, output, format);
    ASSERT_FALSE(targets) << message;
    EXPECT_EQ(error_code_name(targets.error().code), error_code_name(code));
    EXPECT_EQ(targets.error().message, message);
    EXPECT_EQ(files(), count) << "planning left something behind";
  }

 private:
  fs::path before_;
};

std::vector<std::string> paths(const Result<std::vector<OutputTarget>>& targets) {
  std::vector<std::string> result;
  if (!targets) return {targets.error().message};
  for (const OutputTarget& target : *targets) result.push_back(target.path);
  return result;
}

using Paths = std::vector<std::string>;

TEST_F(Output, GoesToStandardOutputByDefault) {
  const auto targets = plan_outputs({"a.mp3", "b.mp3"}, {}, {}).value();
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_TRUE(targets[0].path.empty());
  EXPECT_EQ(targets[1].format, Format::md);
  EXPECT_EQ(plan_outputs({"-"}, {}, "JSON")->front().format, Format::json);
  EXPECT_TRUE(plan_outputs({"a.mp3"}, "-", "srt")->front().path.empty());
}

TEST_F(Output, AFilesExtensionSaysTheFormat) {
  const auto srt = plan_outputs({"a.mp3"}, "out.SRT", {}).value();
  EXPECT_EQ(srt.front().path, "out.SRT");
  EXPECT_EQ(srt.front().format, Format::srt);
  EXPECT_EQ(plan_outputs({"a.mp3"}, "out.srt", "vtt")->front().format, Format::vtt);
  EXPECT_EQ(plan_outputs({"a.mp3"}, "out.text", "txt")->front().path, "out.text");
  EXPECT_EQ(plan_outputs({"-"}, "deep/er/out.json", {})->front().path, "deep/er/out.json");
}

TEST_F(Output, FormatsThatAreNoneAreRefused) {
  expect_refused(
      {"a.mp3"}, "out.doc", {}, ErrorCode::invalid_request,
      "out.doc: .doc is no format; the formats are md, txt, docx, srt, vtt, tsv, csv, rttm, json. Give "
      "one by the name or "
      "by --format; a folder's name ends in a slash");
  expect_refused(
      {"a.mp3"}, "out", {}, ErrorCode::invalid_request,
      "out: a name without extension says no format; the formats are md, txt, docx, srt, vtt, tsv, csv, "
      "rttm, json. Give "
      "one by the name or by --format; a folder's name ends in a slash");
  expect_refused({"a.mp3"}, {}, "odt", ErrorCode::invalid_request,
                 "--format odt is none of md, txt, docx, srt, vtt, tsv, csv, rttm, json");
  expect_refused({"a.mp3"}, "", {}, ErrorCode::invalid_request, "-o needs the name of a file or a folder");
}

TEST_F(Output, FoldersKeepTheNames) {
  fs::create_directory("there");
  EXPECT_EQ(paths(plan_outputs({"in/talk.one.mp3"}, "there", {})), Paths{"there/talk.one.md"});
  EXPECT_EQ(paths(plan_outputs({"talk.mp3"}, "new/folder/", "vtt")), Paths{"new/folder/talk.vtt"});
  EXPECT_EQ(paths(plan_outputs({"a.mp3", "in/b.wav", "-"}, "new", "json")),
            (Paths{"new/a.json", "new/b.json", "new/stdin.json"}));
  EXPECT_EQ(paths(plan_outputs({"a.mp3", "noextension"}, ".", {})), (Paths{"./a.md", "./noextension.md"}));
  EXPECT_FALSE(fs::exists("new"));
}

TEST_F(Output, CollisionsAreFound) {
  expect_refused({"a.mp3", "in/a.wav"}, "out/", {}, ErrorCode::conflict,
                 "a.mp3 and in/a.wav would both be written to out/a.md; transcribe them one by one");
  fs::create_directory("there");
  fs::create_directory_symlink("there", "link");
  write("there/a.md");
  expect_refused({"there/a.md"}, "link/a.md", {}, ErrorCode::conflict,
                 "link/a.md would be written over an input; choose another name");
  expect_refused({"x.mp3", "there/a.md", "a.mp3"}, "there", {}, ErrorCode::conflict,
                 "there/a.md would be written over an input; choose another name");
}

TEST_F(Output, FilesAndFoldersAreNotTakenForEachOther) {
  write("file.md");
  expect_refused({"a.mp3", "b.mp3"}, "file.md", {}, ErrorCode::conflict,
                 "file.md is a file; several transcripts need a folder");
  expect_refused({"a.mp3", "b.mp3"}, "new.md", {}, ErrorCode::invalid_request,
                 "new.md names one file, and there are 2 inputs; a folder's name ends in a slash");
  EXPECT_EQ(paths(plan_outputs({"a.mp3", "b.mp3"}, "new.md/", {})), (Paths{"new.md/a.md", "new.md/b.md"}));
  fs::create_directories("there/a.md");
  expect_refused({"a.mp3"}, "there", {}, ErrorCode::conflict, "there/a.md is a folder");
  const auto below_file = plan_outputs({"a.mp3"}, "file.md/deeper/out.md", {});
  ASSERT_FALSE(below_file);
  EXPECT_NE(below_file.error().message.find("is a file where a folder is needed"), std::string::npos);
}

TEST_F(Output, WhatCannotBeWrittenIsFoundBeforeAnyWork) {
  // Not even root can make files here.
  for (const char* output : {"/sys/out.md", "/sys/kernel/deep/er/out.md", "/sys/kernel/folder/"}) {
    const auto targets = plan_outputs({"a.mp3"}, output, {});
    ASSERT_FALSE(targets) << output;
    EXPECT_EQ(targets.error().code, ErrorCode::permission_denied) << targets.error().message;
    EXPECT_EQ(targets.error().message.find(output), 0U) << targets.error().message;
  }
  if (::geteuid() == 0) return;  // may do all of the following
  fs::create_directory("closed");
  fs::permissions("closed", fs::perms::owner_read | fs::perms::owner_exec);
  expect_refused({"a.mp3"}, "closed/out.md", {}, ErrorCode::permission_denied,
                 "closed/out.md cannot be written: cannot make a temporary file: Permission denied");
  write("closed.md");
  fs::permissions("closed.md", fs::perms::owner_read);
  expect_refused({"a.mp3"}, "closed.md", {}, ErrorCode::permission_denied,
                 "closed.md cannot be written: it is protected: Permission denied");
}

TEST_F(Output, WritesWholeFilesForTheUmaskToProtect) {
  const mode_t umask_before = ::umask(0027);
  ASSERT_TRUE(write_output({"new/folder/out.md", Format::md}, "words"));
  ::umask(umask_before);
  EXPECT_EQ(read("new/folder/out.md"), "words");
  EXPECT_EQ(fs::status("new/folder/out.md").permissions(), fs::perms(0640));
  ASSERT_TRUE(write_output({"new/folder/out.md", Format::md}, "other words"));
  EXPECT_EQ(read("new/folder/out.md"), "other words");
  EXPECT_EQ(std::distance(fs::directory_iterator("new/folder"), {}), 1);
}

TEST_F(Output, LinksAreFollowed) {
  fs::create_directory("there");
  write("there/out.md");
  fs::create_symlink("there/out.md", "link.md");
  ASSERT_TRUE(write_output({"link.md", Format::md}, "words"));
  EXPECT_TRUE(fs::is_symlink("link.md"));
  EXPECT_EQ(read("there/out.md"), "words");
}

TEST_F(Output, DevicesAndPipesAreWrittenTo) {
  const auto null = plan_outputs({"a.mp3"}, "/dev/null", "md").value();
  ASSERT_TRUE(write_output(null.front(), "words"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));

  ASSERT_EQ(::mkfifo("pipe.md", 0600), 0);
  const UniqueFd reader(::open("pipe.md", O_RDONLY | O_NONBLOCK));
  const auto pipe = plan_outputs({"a.mp3"}, "pipe.md", {}).value();
  ASSERT_TRUE(write_output(pipe.front(), "words"));
  char buffer[16];
  EXPECT_EQ(::read(reader.get(), buffer, sizeof buffer), 5);
}

TEST_F(Output, AFailedWriteSaysWhere) {
  write("file");
  const Result<void> written = write_output({"file/out.md", Format::md}, "words");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message.find("file/out.md cannot be written: "), 0U) << written.error().message;
}

}  // namespace
}  // namespace hansard::cli
