#include "cli/models_command.h"

#include <gtest/gtest.h>

#include "base/process.h"
#include "models/test_models.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;
using models::Content;
using models::Library;

std::vector<Content> whisper() {
  using namespace std::string_literals;
  return {{"model.bin", "\6\0\0\0\x0c\0WhisperSpec\0"s + models::noise(3'000'000, 1)},
          {"config.json", "{}"},
          {"tokenizer.json", "{}"},
          {"vocabulary.json", "[]"}};
}

std::string line_of(const std::string& text, const std::string& name) {
  const size_t begin = text.find(name + " ");
  return begin == std::string::npos ? "" : text.substr(begin, text.find('\n', begin) - begin);
}

TEST(ModelsCommand, ListTellsWhatThereIsAndUnderWhichLicence) {
  TemporaryFolder folder;
  const Library library(folder / "own", {folder / "parts"});
  EXPECT_EQ(list_models(library)->find("CC-BY-4.0)"), std::string::npos);
  models::lay_model(folder / "own", "mine", whisper());
  models::lay_model(folder / "own", "whisper-tiny", whisper());
  fs::resize_file(folder / "own" / "whisper-tiny" / "model.bin", 5);
  models::lay_model(folder / "parts", "diarization-default", {{"a.onnx", "abc"}}, models::Kind::diarization);
  const std::string text = *list_models(library);
  EXPECT_NE(line_of(text, "whisper-small").find("486 MB  MIT"), std::string::npos) << text;
  EXPECT_TRUE(line_of(text, "whisper-small").ends_with(" no")) << text;
  EXPECT_TRUE(line_of(text, "mine").ends_with((folder / "own" / "mine").string())) << text;
  EXPECT_NE(line_of(text, "whisper-tiny").find("hansard models verify whisper-tiny"), std::string::npos)
      << text;
  EXPECT_TRUE(
      line_of(text, "diarization-default").ends_with((folder / "parts" / "diarization-default").string()))
      << text;
  EXPECT_NE(text.find("WeSpeaker ResNet34-LM"), std::string::npos) << text;
}

TEST(ModelsCommand, ImportVerifyRemove) {
  TemporaryFolder folder;
  for (const Content& content : whisper()) models::write(folder / "my-whisper" / content.name, content.bytes);
  const fs::path archive = folder / "packed.tar.gz";
  ASSERT_TRUE(run_child({.argv = {"tar", "-C", static_cast<const fs::path&>(folder).string(), "-czf",
                                  archive.string(), "my-whisper"}},
                        std::chrono::minutes(1), 1 << 20)
                  ->exit.ok());
  Library library(folder / "own", {});
  EXPECT_EQ(*verify_models(library, {}, {}), "no models are installed\n");
  // A name of its own, that of the folder, that of the archive.
  EXPECT_TRUE(
      import_model(library, folder / "my-whisper", "Third", {})->starts_with("third is installed in "));
  EXPECT_TRUE(
      import_model(library, folder / "my-whisper/", "", {})->starts_with("my-whisper is installed in "));
  EXPECT_TRUE(import_model(library, archive, "", {})->starts_with("packed is installed in "));
  EXPECT_EQ(*verify_models(library, {}, {}), "my-whisper is whole\npacked is whole\nthird is whole\n");

  models::write(folder / "own" / "packed" / "config.json", "[]");
  const auto damaged = verify_models(library, {}, {});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::model_corrupt);
  EXPECT_EQ(damaged.error().message,
            "model packed is damaged: config.json has another checksum than it should; "
            "run: hansard models import FOLDER --as packed");

  const std::vector<std::string> names{"packed", "third"};
  EXPECT_EQ(*remove_models(library, names), "packed is removed\nthird is removed\n");
  EXPECT_EQ(library.list().size(), 1u);
  EXPECT_EQ(remove_models(library, names).error().code, ErrorCode::model_unknown);
}

TEST(ModelsCommand, MistakesAreSaidBeforeAnyWork) {
  TemporaryFolder folder;
  Library library(folder / "own", {});
  const std::vector<std::string> names{"whisper-small", "whisper-smal"};
  const auto unknown = install_models(library, names, {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message,
            "there is no model \"whisper-smal\"; did you mean whisper-small, whisper-small.en? "
            "hansard models list shows all");
  EXPECT_FALSE(fs::exists(folder / "own"));
  models::write(folder / "text" / "README.md", "words");
  const auto none = import_model(library, folder / "text", "", {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, (folder / "text").string() + ": there is no model in it");
}

}  // namespace
}  // namespace hansard::cli
