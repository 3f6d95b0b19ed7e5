#include "models/library.h"

#include <gtest/gtest.h>

#include "base/parts_folder.h"
#include "models/test_models.h"

namespace hansard::models {
namespace {

namespace fs = std::filesystem;

const std::vector<Content> kContents{{"model.bin", noise(5000, 1)}, {"tokenizer.json", "{}"}};

// A catalog of one model with a source on the hub, and one without any.
std::vector<Model> small_catalog() {
  Model hub = catalog_model("tiny-hub", kContents);
  hub.sources.push_back({Source::From::hub, "someone/tiny@0123", {}, {}});
  return {hub, catalog_model("tiny-part", {{"a.onnx", "abc"}})};
}

TEST(Library, MissingModelsNameTheCommand) {
  TemporaryFolder folder;
  const Library library(folder / "models", {});
  EXPECT_TRUE(library.list().empty());
  const auto missing = library.find("small");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::model_unavailable);
  EXPECT_EQ(missing.error().message,
            "model whisper-small is not installed; run: hansard models install whisper-small");
  const auto part = library.find("diarization-default");
  ASSERT_FALSE(part);
  EXPECT_NE(part.error().message.find("hansard models import"), std::string::npos) << part.error().message;
}

TEST(Library, UnknownModelsGetNearNames) {
  TemporaryFolder folder;
  const Library library(folder / "models", {});
  const auto unknown = library.find("whisper-bse");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::model_unknown);
  EXPECT_NE(unknown.error().message.find("whisper-base"), std::string::npos) << unknown.error().message;
  EXPECT_NE(unknown.error().message.find("hansard models list"), std::string::npos)
      << unknown.error().message;
  EXPECT_EQ(library.find("../../etc").error().code, ErrorCode::model_unknown);
}

TEST(Library, FindsInBothKindsOfFolders) {
  TemporaryFolder folder;
  lay_model(folder / "own", "mine", kContents);
  lay_model(folder / "other", "theirs", kContents);
  lay_model(folder / "other", "whisper-base", kContents);
  write(folder / "other" / "broken" / "model.json", "{");
  write(
      folder / "other" / "traveller" / "model.json",
      R"({"id":"traveller","kind":"speech","files":[{"name":"../mine/model.bin","size_bytes":1,"sha256":")" +
          sha256_hex("") + "\"}]}");
  const Library library(folder / "own", {folder / "absent", folder / "other"});
  const auto all = library.list();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].id, "mine");
  EXPECT_FALSE(all[0].read_only);
  EXPECT_EQ(all[1].id, "theirs");
  EXPECT_TRUE(all[1].read_only);
  const auto base = library.find("whisper-1");
  ASSERT_TRUE(base) << base.error().message;
  EXPECT_EQ(base->id, "whisper-base");
  EXPECT_EQ(base->folder, folder / "other" / "whisper-base");
  EXPECT_EQ(library.find("MINE")->folder, folder / "own" / "mine");
  EXPECT_FALSE(library.find("traveller"));
}

TEST(Library, DigestNamesTheBytes) {
  TemporaryFolder folder;
  lay_model(folder / "own", "a", kContents);
  lay_model(folder / "own", "b", {kContents[1], kContents[0]});
  lay_model(folder / "own", "c", {kContents[0], {"tokenizer.json", "{ }"}});
  const Library library(folder / "own", {});
  EXPECT_EQ(library.find("a")->digest, library.find("b")->digest);
  EXPECT_NE(library.find("a")->digest, library.find("c")->digest);
}

TEST(Library, TruncatedModelsAreNamedWithTheRemedy) {
  TemporaryFolder folder;
  lay_model(folder / "own", "tiny-hub", kContents);
  fs::resize_file(folder / "own" / "tiny-hub" / "model.bin", 100);
  const auto catalog = small_catalog();
  const Library library(folder / "own", {folder / "other"}, {.catalog = catalog});
  const auto damaged = library.find("tiny-hub");
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::model_corrupt);
  EXPECT_EQ(damaged.error().message,
            "model tiny-hub is damaged: model.bin has 100 bytes instead of 5000; "
            "run: hansard models install tiny-hub");

  fs::remove(folder / "own" / "tiny-hub" / "model.bin");
  EXPECT_NE(library.find("tiny-hub").error().message.find("model.bin is missing"), std::string::npos);

  // A whole copy elsewhere serves.
  lay_model(folder / "other", "tiny-hub", kContents);
  ASSERT_TRUE(library.find("tiny-hub"));
  EXPECT_TRUE(library.find("tiny-hub")->read_only);
}

TEST(Library, VerifyReadsEveryByte) {
  TemporaryFolder folder;
  const auto catalog = small_catalog();
  const Library library(folder / "own", {}, {.catalog = catalog});
  lay_model(folder / "own", "tiny-hub", kContents);
  const Installed whole = *library.find("tiny-hub");
  EXPECT_TRUE(library.verify(whole, {}));

  std::string altered = kContents[0].bytes;
  altered[4000] ^= 1;
  write(folder / "own" / "tiny-hub" / "model.bin", altered);
  ASSERT_TRUE(library.find("tiny-hub"));
  const auto verified = library.verify(whole, {});
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, ErrorCode::model_corrupt);
  EXPECT_EQ(verified.error().message,
            "model tiny-hub is damaged: model.bin has another checksum than it should; "
            "run: hansard models install tiny-hub");

  // Whole in itself, but not the model of that name.
  lay_model(folder / "own", "tiny-hub", {{"model.bin", altered}, kContents[1]});
  const auto other = library.verify(*library.find("tiny-hub"), {});
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("catalog"), std::string::npos);

  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(library.verify(whole, stopped.get_token()).error().code, ErrorCode::canceled);
}

// The models that the build fetched are those of the catalog, byte for byte.
TEST(Library, FetchedPartsAreTheCatalogs) {
  const fs::path parts = parts_folder();
  if (!fs::exists(parts / "models")) GTEST_SKIP() << "no fetched models in " << parts;
  TemporaryFolder folder;
  const Library library(folder / "own", {parts / "models"});
  for (const std::string_view id : {kDefaultTranscriptionModel, kDefaultDiarizationModel, kSpeechModel}) {
    const auto model = library.find(id);
    ASSERT_TRUE(model) << model.error().message;
    const auto verified = library.verify(*model, {});
    EXPECT_TRUE(verified) << verified.error().message;
  }
}

}  // namespace
}  // namespace hansard::models
