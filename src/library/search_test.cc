#include "library/search.h"

#include <fmt/format.h>

#include "library/kept_library_test.h"
#include "library/versions.h"

namespace hansard::library {
namespace {

// "word|beginning*|two words"
std::string parsed(std::string_view text) {
  const auto terms = parse_search(text);
  if (!terms) return "(too many)";
  std::string all;
  for (const store::SearchTerm& term : *terms)
    all += fmt::format("{}{}{}", all.empty() ? "" : "|", term.text, term.prefix ? "*" : "");
  return all;
}

TEST(SearchQuery, HasWordsPhrasesAndBeginnings) {
  EXPECT_EQ(parsed("  the  budget "), "the|budget");
  EXPECT_EQ(parsed("\"the budget\" fine"), "the budget|fine");
  EXPECT_EQ(parsed("budg* \"the bud\"* x"), "budg*|the bud*|x");
  EXPECT_EQ(parsed("a* 会* ab**"), "a|会*|ab*");
  EXPECT_EQ(parsed("a\"b c\"d"), "a|b c|d");
  EXPECT_EQ(parsed("\"open end"), "open end");
  EXPECT_EQ(parsed("\"\" \" \" * \"*"), "*");
  EXPECT_EQ(parsed(""), "");
  std::string many = "a";
  for (size_t i = 1; i < kSearchTerms; ++i) many += " a";
  EXPECT_EQ(parse_search(many)->size(), kSearchTerms);
  EXPECT_EQ(parsed(many + " a"), "(too many)");
}

TEST(SearchCursor, ComesBackAsItWasAndNothingElseIsOne) {
  const auto place = parse_search_cursor(make_cursor({900, 1'500'000, 17}));
  ASSERT_TRUE(place);
  EXPECT_EQ(place->window, 900);
  EXPECT_EQ(place->score, 1'500'000);
  EXPECT_EQ(place->id, 17);
  for (const char* text :
       {"", "1", "1-2", "1-2-", "1-2-3-", "1-2-x", "-1-2-3", "1--2-3", " 1-2-3", "ffffffffffffffffff-1-1"}) {
    EXPECT_FALSE(parse_search_cursor(text)) << text;
  }
}

TEST(SearchSnippet, IsHtmlInWhichOnlyTheMarksAre) {
  EXPECT_EQ(snippet_html("<b>\x02"
                         "a & \"b'\x03</b>"),
            "&lt;b&gt;<mark>a &amp; &quot;b&#39;</mark>&lt;/b&gt;");
}

class Searchable : public KeptLibrary {
 protected:
  std::vector<std::string> found(const std::string& word) const {
    std::vector<std::string> texts;
    read([&](store::Reader& reader) -> Result<void> {
      for (const auto& hit : TRY(reader.search({.user_id = "ann", .terms = {{word}}})).hits)
        texts.push_back(hit.passage.text);
      return {};
    });
    return texts;
  }
  // As an earlier Hansard has left it.
  void leave(const std::string& id, std::string_view status,
             const std::vector<std::string>& documents) const {
    static constexpr store::Statement kFile{
        "test.file",
        "INSERT INTO files (id, user_id, title, kind, status, created_at, updated_at) VALUES "
        "('file_1', 'ann', 'a', 'audio', 'uploaded', 1, 1) ON CONFLICT (id) DO NOTHING"};
    static constexpr store::Statement kTranscription{"test.transcription",
                                                     "INSERT INTO transcriptions (id, user_id, file_id, "
                                                     "client, title, status, options, priority, progress, "
                                                     "progress_stage, queued_at, completed_at, attempt, "
                                                     "failures, crashes, recoveries, warnings, created_at, "
                                                     "updated_at) VALUES ($1, 'ann', 'file_1', 'api', $1, "
                                                     "$2, '{}', 5, 1, $2, 1, CASE WHEN $2 = 'completed' "
                                                     "THEN 1 END, 1, 0, 0, 0, '[]', 1, 1)"};
    static constexpr store::Statement kVersion{"test.version",
                                               "INSERT INTO transcripts (transcription_id, version, kind, "
                                               "document, created_at) VALUES ($1, $2, CASE "
                                               "WHEN $2 = 1 THEN 'machine' ELSE 'edit' END, $3, 1)"};
    write([&](store::Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kFile));
      TRY(transaction.change(kTranscription, id, status));
      for (size_t i = 0; i < documents.size(); ++i)
        TRY(transaction.change(kVersion, id, i + 1, documents[i]));
      return {};
    });
  }
};

TEST_F(Searchable, IsWhatWasThereBefore) {
  for (int i = 0; i < 12; ++i)
    leave(fmt::format("tr_{}", i), "completed", {fmt::format(R"({{"text":"Speech {}.","duration":3}})", i)});
  leave("tr_edited", "completed", {R"({"text":"Speech wrong."})", R"({"text":"Speech right."})"});
  leave("tr_silent", "completed", {R"({"text":""})"});
  leave("tr_broken", "completed", {"not JSON"});
  leave("tr_queued", "queued", {});
  EXPECT_EQ(found("speech").size(), 0U);
  EXPECT_EQ(make_searchable(*store_, {}).value(), 15);
  EXPECT_EQ(found("speech").size(), 13U);
  EXPECT_EQ(found("wrong").size(), 0U);
  EXPECT_EQ(found("right"), std::vector<std::string>{"Speech right."});
  // Once, and each for itself.
  EXPECT_EQ(make_searchable(*store_, {}).value(), 0);
}

TEST_F(Searchable, IsTheNewestVersionWithTheNamesInIt) {
  leave("tr_1", "completed", {R"({"text":"Before."})"});
  transcript::MergeInput input;
  input.words = {{.start = 0, .end = 1, .text = "After."}};
  input.duration_s = 1;
  input.diarized = true;
  transcript::Document document = transcript::merge(std::move(input));
  document.speakers.at(0).name = "Ada";
  write([&](store::Transaction& transaction) -> Result<void> {
    EXPECT_EQ(TRY(add_version(transaction, "ann", "tr_1", 1, document)), 2);
    return {};
  });
  // An edit makes it searchable; nothing is left to do.
  EXPECT_EQ(make_searchable(*store_, {}).value(), 0);
  EXPECT_EQ(found("before").size(), 0U);
  read([&](store::Reader& reader) -> Result<void> {
    const auto page = TRY(reader.search({.user_id = "ann", .terms = {{"after"}}}));
    EXPECT_EQ(page.hits.size(), 1U);
    EXPECT_EQ(page.hits.at(0).passage.speaker, "SPEAKER_00");
    EXPECT_EQ(page.hits.at(0).passage.speaker_name, "Ada");
    EXPECT_EQ(page.hits.at(0).passage.end_s, 1);
    return {};
  });
}

}  // namespace
}  // namespace hansard::library
