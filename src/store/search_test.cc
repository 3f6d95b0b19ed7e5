// The cases of searching that every driver of the store must pass.

#include "store/search.h"

#include <gtest/gtest.h>

#include <set>

#include <fmt/format.h>

#include "store/search_conformance.h"

namespace hansard::store {
namespace {

TEST_P(StoreSearch, WordsPhrasesAndBeginningsAreFound) {
  add("tr_1", {"The budget is fine.", "Fine by me.", "We talk of budgets, and of the budget again."});
  EXPECT_EQ(found({{"budget"}}).size(), 2U);
  EXPECT_EQ(found({{"BUDGET"}, {"fine"}}), Texts{"The budget is fine."});
  EXPECT_EQ(found({{"budg", true}}).size(), 2U);
  EXPECT_EQ(found({{"budgets"}}), Texts{"We talk of budgets, and of the budget again."});
  EXPECT_EQ(found({{"by me"}}), Texts{"Fine by me."});
  EXPECT_EQ(found({{"me by"}}), Texts{});
  EXPECT_EQ(found({{"the budg", true}}).size(), 2U);
  EXPECT_EQ(found({{"rhubarb"}}), Texts{});
  EXPECT_EQ(found({}), Texts{});
  const SearchPage page = search({.user_id = "user_ann", .terms = {{"by"}}});
  ASSERT_EQ(page.hits.size(), 1U);
  const SearchHit& hit = page.hits[0];
  EXPECT_EQ(hit.transcription_id, "tr_1");
  EXPECT_EQ(hit.title, "tr_1");
  EXPECT_EQ(hit.passage.segment_id, "seg_2");
  EXPECT_EQ(hit.passage.start_s, 1);
  EXPECT_EQ(hit.passage.end_s, 1.5);
  EXPECT_EQ(hit.passage.speaker, "SPEAKER_00");
  EXPECT_EQ(hit.passage.speaker_name, std::nullopt);
  EXPECT_EQ(hit.snippet,
            "Fine \x02"
            "by\x03 me.");
  EXPECT_FALSE(page.next);
}

TEST_P(StoreSearch, CaseDiacriticsAndMarksDoNotCount) {
  add("tr_1", {"Où est le café, Zoë?", "ΑΘΗΝΑ и МОСКВА", "Don't!"});
  EXPECT_EQ(found({{"cafe"}}), Texts{"Où est le café, Zoë?"});
  EXPECT_EQ(found({{"ou"}, {"ZOE!"}}), Texts{"Où est le café, Zoë?"});
  EXPECT_EQ(found({{"αθηνα"}, {"москва"}}), Texts{"ΑΘΗΝΑ и МОСКВА"});
  EXPECT_EQ(found({{"don't"}}), Texts{"Don't!"});
  EXPECT_EQ(found({{"!!!"}}), Texts{});
  EXPECT_EQ(found({{"-"}, {"café"}, {"?"}}), Texts{"Où est le café, Zoë?"});
}

TEST_P(StoreSearch, LanguagesWithoutSpacesAreFoundByTheirCharacters) {
  add("tr_1", {"会議は明日です。", "明会議日", "ไปตลาด", "GPU是图形处理器"});
  EXPECT_EQ(found({{"明日"}}), Texts{"会議は明日です。"});
  EXPECT_EQ(found({{"会議"}}).size(), 2U);
  EXPECT_EQ(found({{"会", true}}).size(), 2U);
  EXPECT_EQ(found({{"ตลาด"}}), Texts{"ไปตลาด"});
  EXPECT_EQ(found({{"gpu"}, {"图形"}}), Texts{"GPU是图形处理器"});
}

TEST_P(StoreSearch, NothingInAQueryHasAMeaningToTheDatabase) {
  add("tr_1", {"The budget is fine."});
  for (const char* text :
       {"\"", "budget\" OR \"x", "a AND", "NOT x", "text:budget", "user_id:user_bob", "(", ")", "^budget",
        "NEAR(a b)", "{", "*", "+", "'", ";", "--", "budget OR rhubarb", "\\", "%"}) {
    EXPECT_LE(found({{text}, {"budget"}}).size(), 1U) << text;
    EXPECT_EQ(found({{text}, {"rhubarb"}}).size(), 0U) << text;
    EXPECT_LE(found({{text, true}}, "user_bob").size(), 0U) << text;
  }
  EXPECT_EQ(found({{std::string("bud\0get", 7)}}).size(), 1U);
  EXPECT_EQ(found({{"\xff\xfe"}, {"budget"}}).size(), 1U);
}

TEST_P(StoreSearch, WhatSaysItMoreOftenInFewerWordsIsFirst) {
  add("tr_1", {"A long sentence that has the word budget somewhere in the middle of all of its words.",
               "Budget, budget!", "The budget."});
  EXPECT_EQ(found({{"budget"}}),
            (Texts{"Budget, budget!", "The budget.",
                   "A long sentence that has the word budget somewhere in the middle of all of its words."}));
}

TEST_P(StoreSearch, EveryUserHasTheirOwnAndOnlyWhatIsThere) {
  add("tr_1", {"mine"});
  add("tr_2", {"mine too"}, "user_bob");
  EXPECT_EQ(found({{"mine"}}), Texts{"mine"});
  EXPECT_EQ(found({{"mine"}}, "user_bob"), Texts{"mine too"});
  EXPECT_EQ(found({{"user_bob"}}), Texts{});
  EXPECT_EQ(found({{"mine"}}, "user"), Texts{});

  static constexpr Statement kTrash{"test.trash", "UPDATE transcriptions SET deleted_at = 5 WHERE id = $1"};
  static constexpr Statement kBack{"test.back", "UPDATE transcriptions SET deleted_at = NULL WHERE id = $1"};
  static constexpr Statement kShort{"test.short",
                                    "UPDATE transcriptions SET ephemeral_until = 5 WHERE id = $1"};
  static constexpr Statement kGone{"test.gone", "DELETE FROM transcriptions WHERE id = $1"};
  change(kTrash, "tr_1");
  EXPECT_EQ(found({{"mine"}}), Texts{});
  change(kBack, "tr_1");
  EXPECT_EQ(found({{"mine"}}), Texts{"mine"});
  change(kShort, "tr_1");
  EXPECT_EQ(found({{"mine"}}), Texts{});
  change(kGone, "tr_2");
  EXPECT_EQ(found({{"mine"}}, "user_bob"), Texts{});
}

TEST_P(StoreSearch, AnEditReplacesWhatIsFoundWithItsTransaction) {
  add("tr_1", {"Tho budget.", "Fine."});
  ASSERT_FALSE(store_->write([&](Transaction& t) -> Result<void> {
    TRY(put(t, "tr_1", {"The budget."}));
    return fail(ErrorCode::invalid_request, "no");
  }));
  EXPECT_EQ(found({{"tho"}}), Texts{"Tho budget."});
  write([&](Transaction& t) { return put(t, "tr_1", {"The budget."}); });
  EXPECT_EQ(found({{"tho"}}), Texts{});
  EXPECT_EQ(found({{"fine"}}), Texts{});
  EXPECT_EQ(found({{"budget"}}), Texts{"The budget."});
  open();
  EXPECT_EQ(found({{"budget"}}), Texts{"The budget."});
}

// More than are ranked at once: every hit is on one page, and on one alone, whatever comes between.
TEST_P(StoreSearch, PagesHoldEveryHitOnce) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < 1100; ++i) texts.push_back(fmt::format("word{} {}", std::string(i % 7, '.'), i));
  for (size_t i = 0; i < 1100; i += 3) texts[i] += " word and more of the words that are said";
  add("tr_1", texts);
  add("tr_2", {"another word"}, "user_bob");
  std::set<std::string> seen;
  SearchQuery query{.user_id = "user_ann", .terms = {{"word"}}, .limit = 70};
  int pages = 0;
  for (;; ++pages) {
    const SearchPage page = search(query);
    for (const SearchHit& hit : page.hits)
      EXPECT_TRUE(seen.insert(hit.passage.segment_id).second) << hit.passage.segment_id;
    if (!page.next) break;
    EXPECT_EQ(page.hits.size(), 70U);
    query.after = page.next;
    if (pages == 2) add("tr_3", {"word", "word", "word"});
  }
  EXPECT_EQ(seen.size(), 1100U);
  EXPECT_EQ(pages, 15);
}

}  // namespace
}  // namespace hansard::store
