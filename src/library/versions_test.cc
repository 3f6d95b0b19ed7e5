#include "library/versions.h"

#include <fmt/format.h>

#include "library/kept_library_test.h"
#include "library/transcriptions.h"

namespace hansard::library {
namespace {

class Versions : public KeptLibrary {
 protected:
  // A completed transcription of somebody who says `text`.
  std::string completed(const std::string& text) const {
    std::string id;
    write([&](store::Transaction& transaction) -> Result<void> {
      static constexpr store::Statement kFile{
          "test.file",
          "INSERT INTO files (id, user_id, title, kind, status, created_at, updated_at) VALUES "
          "('file_1', 'ann', 'a', 'audio', 'uploaded', 1, 1) ON CONFLICT (id) DO NOTHING"};
      TRY(transaction.change(kFile));
      id = TRY(jobs::enqueue(transaction, {.user_id = "ann", .file_id = "file_1", .title = "a"})).id;
      const auto job = TRY(jobs::claim(transaction, jobs::FifoPolicy(), "test", 1000));
      TRY(jobs::complete(transaction, {job->id, "test", job->attempt},
                         {.document = to_json(saying(text)), .output_key = "k", .duration_s = 5}));
      return {};
    });
    return id;
  }
  static transcript::Document saying(const std::string& text) { return transcript::from_plain_text(text, 5); }
  std::optional<int64_t> add(const std::string& id, int64_t base, const std::string& text,
                             std::string_view user = "ann") const {
    std::optional<int64_t> number;
    write([&](store::Transaction& transaction) -> Result<void> {
      number = TRY(add_version(transaction, user, id, base, saying(text)));
      return {};
    });
    return number;
  }
  std::string said(const std::string& id, int64_t number = 0) const {
    std::string text = "(none)";
    read([&](store::Reader& reader) -> Result<void> {
      if (const auto found = TRY(find_version(reader, id, number)))
        text = TRY(transcript::from_json(found->document)).text();
      return {};
    });
    return text;
  }
};

TEST_F(Versions, OneIsAddedToTheNewestAlone) {
  const std::string id = completed("One.");
  EXPECT_EQ(add(id, 1, "Two."), 2);
  EXPECT_EQ(add(id, 1, "Lost."), std::nullopt);
  EXPECT_EQ(add(id, 3, "Early."), std::nullopt);
  EXPECT_EQ(add(id, 2, "Not mine.", "bob"), std::nullopt);
  EXPECT_EQ(add(id, 2, "Three."), 3);
  EXPECT_EQ(said(id), "Three.");
  EXPECT_EQ(said(id, 1), "One.");
  EXPECT_EQ(said(id, 2), "Two.");
  EXPECT_EQ(said(id, 4), "(none)");
  read([&](store::Reader& reader) -> Result<void> {
    const std::vector<Version> versions = TRY(list_versions(reader, id));
    EXPECT_EQ(versions.size(), 3U);
    EXPECT_EQ(versions.front().number, 3);
    EXPECT_EQ(versions.front().created_by, "ann");
    EXPECT_TRUE(versions.back().by_machine);
    return {};
  });
}

TEST_F(Versions, TheMachinesAndTheLatestAreKept) {
  const std::string id = completed("One.");
  for (int64_t number = 1; number <= kVersionsKept + 10; ++number)
    ASSERT_EQ(add(id, number, fmt::format("{}.", number + 1)), number + 1);
  read([&](store::Reader& reader) -> Result<void> {
    EXPECT_EQ(TRY(list_versions(reader, id)).size(), static_cast<size_t>(kVersionsKept));
    return {};
  });
  EXPECT_EQ(said(id, 1), "One.");
  EXPECT_EQ(said(id, 12), "(none)");
  EXPECT_EQ(said(id, 13), "13.");
  EXPECT_EQ(said(id), fmt::format("{}.", kVersionsKept + 11));
}

TEST_F(Versions, NoneIsAddedToWhatWasDeleted) {
  const std::string id = completed("One.");
  write([&](store::Transaction& transaction) -> Result<void> {
    EXPECT_TRUE(TRY(remove_transcription(transaction, "ann", id)));
    return {};
  });
  EXPECT_EQ(add(id, 1, "Two."), std::nullopt);
}

}  // namespace
}  // namespace hansard::library
