#include "models/catalog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace hansard::models {
namespace {

std::string id_of(std::string_view name) {
  const Model* model = find_model(name);
  return model == nullptr ? "" : model->id;
}

TEST(Catalog, NamesAndAliases) {
  EXPECT_EQ(id_of("whisper-base"), "whisper-base");
  EXPECT_EQ(id_of("base"), kDefaultTranscriptionModel);
  EXPECT_EQ(id_of("whisper-1"), kDefaultTranscriptionModel);
  EXPECT_EQ(id_of("large"), "whisper-large-v3");
  EXPECT_EQ(id_of("Turbo"), "whisper-large-v3-turbo");
  EXPECT_EQ(id_of("tiny.en"), "whisper-tiny.en");
  EXPECT_EQ(id_of("distil-large-v3"), "whisper-distil-large-v3");
  EXPECT_EQ(id_of(kDefaultDiarizationModel), "diarization-default");
  EXPECT_EQ(id_of(kSpeechModel), "speech-silero");
  EXPECT_EQ(find_model("whisper-huge"), nullptr);
  EXPECT_EQ(find_model(""), nullptr);
}

TEST(Catalog, EveryModelSaysWhatItIs) {
  std::set<std::string> names;
  for (const Model& model : catalog()) {
    SCOPED_TRACE(model.id);
    EXPECT_TRUE(names.insert(model.id).second);
    EXPECT_TRUE(names.insert(model.short_name).second);
    EXPECT_FALSE(model.title.empty());
    EXPECT_FALSE(model.license.empty());
    EXPECT_FALSE(model.attribution.empty());
    EXPECT_GT(model.size_bytes(), 1'000'000u);
    for (const auto variant : model.variants()) {
      for (const File& file : variant) {
        EXPECT_GT(file.size_bytes, 0u) << file.name;
        EXPECT_TRUE(file.sha256.empty() || file.sha256.size() == 64) << file.name;
      }
    }
  }
  EXPECT_EQ(catalog()[0].id, kDefaultTranscriptionModel);
  EXPECT_NE(find_model("diarization")->license.find("CC-BY-4.0"), std::string::npos);
  EXPECT_NE(find_model("diarization")->attribution.find("WeSpeaker"), std::string::npos);
}

// A source that cannot be pinned would give another model tomorrow.
TEST(Catalog, SourcesArePinned) {
  for (const Model& model : catalog()) {
    for (const Source& source : model.sources) {
      SCOPED_TRACE(model.id);
      if (source.from == Source::From::hub) {
        const size_t at = source.where.find('@');
        ASSERT_NE(at, std::string::npos);
        EXPECT_EQ(source.where.size() - at - 1, 40u) << source.where;
      }
      for (const Source::Member& member : source.members) {
        EXPECT_NE(member.package.find("=="), std::string::npos);
        const auto files = model.files_of(source);
        EXPECT_TRUE(
            std::any_of(files.begin(), files.end(), [&](const File& f) { return f.name == member.file; }));
      }
    }
  }
}

TEST(Catalog, NearNamesAreNear) {
  const std::vector<std::string> none;
  EXPECT_EQ(near_names("whisper-bse", catalog(), none).front(), "whisper-base");
  EXPECT_EQ(near_names("smal", catalog(), none).front(), "whisper-small");
  EXPECT_LE(near_names("large-v4", catalog(), none).size(), 3u);
  EXPECT_TRUE(near_names("parakeet", catalog(), none).empty());
  const std::vector<std::string> others{"parakeet-tdt"};
  EXPECT_EQ(near_names("parakeet-tdx", catalog(), others).front(), "parakeet-tdt");
}

}  // namespace
}  // namespace hansard::models
