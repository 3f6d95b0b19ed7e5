#include "transcript/document.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "base/json.h"

namespace hansard::transcript {
namespace {

Word word(double start, double end, const std::string& text) {
  Word result;
  result.start = start;
  result.end = end;
  result.text = text;
  return result;
}

std::vector<std::string> speakers_of(const Document& document) {
  std::vector<std::string> speakers;
  for (const Word& w : document.words) speakers.push_back(w.speaker);
  return speakers;
}

TEST(Merge, AWordBelongsToWhomItOverlapsMost) {
  MergeInput input;
  input.words = {word(0, 1, "One"), word(1.2, 2.2, "two"), word(2.4, 3, "three."), word(9, 9.4, "Far")};
  input.turns = {{0, 1.5, "SPEAKER_00"}, {1.5, 3, "SPEAKER_01"}, {9.6, 11, "SPEAKER_00"}};
  input.diarized = true;
  input.duration_s = 12;
  const Document document = merge(std::move(input));
  EXPECT_EQ(speakers_of(document),
            (std::vector<std::string>{"SPEAKER_00", "SPEAKER_01", "SPEAKER_01", "SPEAKER_00"}));
  EXPECT_EQ(document.speakers.size(), 2U);
  EXPECT_NEAR(document.speakers[0].seconds, 1.5 + 1.4, 1e-6);
  for (const Segment& segment : document.segments) {
    for (size_t i = segment.first_word; i < segment.first_word + segment.word_count; ++i) {
      EXPECT_EQ(document.words[i].speaker, segment.speaker);
    }
  }
}

TEST(Merge, WordsThatKnowTheirSpeakersKeepThem) {
  const auto said = [](double start, double end, const char* text, const char* speaker) {
    return Word{.start = start, .end = end, .text = text, .speaker = speaker};
  };
  const Document document =
      merge({.words = {said(0, 0.4, "Well,", "SPEAKER_01"), said(0.3, 0.5, "Yes?", "SPEAKER_00"),
                       said(0.6, 0.9, "no.", "SPEAKER_01"), said(3, 3.5, "Good.", "SPEAKER_01")},
             .diarized = true,
             .duration_s = 5});
  ASSERT_EQ(document.words.size(), 4U);
  EXPECT_EQ(document.words[1].speaker, "SPEAKER_00");
  EXPECT_EQ(document.words[2].speaker, "SPEAKER_01");
  ASSERT_EQ(document.turns.size(), 3U);  // of the one 0 to 0.9 and 3 to 3.5, of the other in between
  EXPECT_EQ(document.turns[0].end, 0.9);
  EXPECT_EQ(document.turns[1].speaker, "SPEAKER_00");
  EXPECT_EQ(document.turns[2].start, 3);
  ASSERT_EQ(document.speakers.size(), 2U);
}

TEST(Merge, SegmentsEndWithSentencesAndPausesButNotAfterTitles) {
  MergeInput input;
  input.words = {word(0, 1, "Mr."), word(1, 2, "Dashwood"), word(2, 3, "came."),
                 word(3, 4, "He"),  word(4, 5, "sat"),      word(8, 9, "down")};
  input.duration_s = 10;
  const Document document = merge(std::move(input));
  ASSERT_EQ(document.segments.size(), 3U);
  EXPECT_EQ(document.segments[0].text, "Mr. Dashwood came.");
  EXPECT_EQ(document.segments[1].text, "He sat");
  EXPECT_EQ(document.segments[2].id, "seg_000003");
}

TEST(Merge, TimesAreMadeToHoldWhatTheDocumentPromises) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    MergeInput input;
    const auto wild = [&]() -> double {
      switch (random() % 8) {
        case 0:
          return -5;
        case 1:
          return std::numeric_limits<double>::infinity();
        case 2:
          return std::numeric_limits<double>::quiet_NaN();
        default:
          return static_cast<double>(random() % 2000) / 100;
      }
    };
    for (int i = 0; i < 30; ++i) input.words.push_back(word(wild(), wild(), i % 3 == 0 ? "end." : "word"));
    for (int i = 0; i < 5; ++i)
      input.turns.push_back({wild(), wild(), i % 2 == 0 ? "SPEAKER_00" : "SPEAKER_01"});
    input.diarized = true;
    input.duration_s = 15;
    const Document document = merge(std::move(input));
    double last = 0;
    for (const Word& w : document.words) {
      EXPECT_GE(w.start, last);
      EXPECT_GE(w.end, w.start);
      EXPECT_LE(w.end, 15);
      last = w.start;
    }
    last = 0;
    for (const Segment& segment : document.segments) {
      EXPECT_GE(segment.start, last);
      EXPECT_LE(segment.end, 15);
      last = segment.start;
    }
  }
}

TEST(Json, WhatIsWrittenIsReadAgain) {
  MergeInput input;
  input.words = {word(0, 1, "Hello"), word(1, 2, "\"world\"."), word(3, 4, "日本"), word(4, 5, "語。")};
  input.words[3].space_before = false;
  input.turns = {{0, 2, "SPEAKER_00"}, {3, 5, "SPEAKER_01"}};
  input.diarized = true;
  input.duration_s = 6;
  Document document = merge(std::move(input));
  document.language = "en";
  document.speakers[0].name = "Ada";
  document.warnings.push_back({"CODE", "Message."});
  const std::string json = to_json(document);
  const Result<Document> again = from_json(json);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), json);
  EXPECT_FALSE(again->words[3].space_before);
  EXPECT_EQ(again->speakers[0].name, "Ada");
}

TEST(Json, OlderAndOtherShapesAreRead) {
  const Result<Document> without_words = from_json(
      R"({"text":"Hi there.","segments":[{"start":0.0,"end":2.5,"text":" Hi there."}],"language":"english"})");
  ASSERT_TRUE(without_words) << without_words.error().message;
  EXPECT_EQ(without_words->language, "en");
  ASSERT_EQ(without_words->segments.size(), 1U);
  EXPECT_EQ(without_words->segments[0].text, "Hi there.");
  EXPECT_TRUE(without_words->words.empty());  // word times are never invented
  const Result<Document> with_words = from_json(
      R"({"segments":[{"start":0,"end":1,"text":" Hi","words":[{"word":" Hi","start":0.1,"end":0.9,"probability":0.5}]}]})");
  ASSERT_TRUE(with_words) << with_words.error().message;
  ASSERT_EQ(with_words->words.size(), 1U);
  EXPECT_EQ(with_words->words[0].text, "Hi");
}

TEST(Json, WhatIsNoTranscriptIsRefused) {
  for (const char* text :
       {"", "[]", "{\"segments\":7}", "{\"segments\":[{\"text\":5}]}", "{\"text\":\"a\"", "\xff"}) {
    EXPECT_FALSE(from_json(text)) << text;
  }
}

TEST(PlainText, IsOneSegment) {
  const Document document = from_plain_text("  Some words.\nAnd more. ", 12);
  ASSERT_EQ(document.segments.size(), 1U);
  EXPECT_EQ(document.segments[0].end, 12);
  EXPECT_TRUE(document.words.empty());
  EXPECT_NE(document.text().find("And more."), std::string::npos);
}

}  // namespace
}  // namespace hansard::transcript
