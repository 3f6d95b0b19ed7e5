#include "transcript/edit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "transcript/exports.h"

namespace hansard::transcript {
namespace {

Word word(double start, double end, const std::string& text, double confidence = 0.9) {
  return {.start = start, .end = end, .text = text, .confidence = confidence};
}

// "We meet on Monday. Fine by me. Good." of Ada, Bob, Ada.
Document meeting() {
  MergeInput input;
  input.words = {word(0.5, 0.7, "We"),      word(0.7, 1.0, "meet", 0.5), word(1.0, 1.2, "on"),
                 word(1.2, 2.0, "Monday."), word(3.0, 3.4, "Fine"),      word(3.4, 3.6, "by"),
                 word(3.6, 4.0, "me."),     word(5.0, 5.5, "Good.")};
  input.turns = {{0.4, 2.2, "a"}, {2.9, 4.1, "b"}, {4.9, 5.6, "a"}};
  input.diarized = true;
  input.duration_s = 6;
  return merge(std::move(input));
}

// "We 0.5-0.7 0.9|meet …", as far as a test's eye needs it.
std::string words_of(const Document& document, size_t segment) {
  std::string text;
  const Segment& one = document.segments.at(segment);
  for (size_t i = one.first_word; i < one.first_word + one.word_count; ++i) {
    const Word& w = document.words.at(i);
    text +=
        fmt::format("{}{} {:.2f}-{:.2f} {}", text.empty() ? "" : "|", w.text, w.start, w.end, w.confidence);
  }
  return text;
}

std::string turns_of(const Document& document) {
  std::string text;
  for (const Turn& turn : document.turns)
    text +=
        fmt::format("{}{:.1f}-{:.1f} {}", text.empty() ? "" : "|", turn.start, turn.end, turn.speaker.back());
  return text;
}

std::string speakers_of(const Document& document) {
  std::string text;
  for (const Speaker& speaker : document.speakers) {
    text += fmt::format("{}{} {} {:.1f}", text.empty() ? "" : "|", speaker.id.back(),
                        speaker.name.value_or("-"), speaker.seconds);
  }
  return text;
}

Document with_text(Document document, size_t segment, const std::string& text) {
  const SegmentChange change{document.segments.at(segment).id, text, std::nullopt};
  Edited edited = change_segments(std::move(document), std::span(&change, 1));
  EXPECT_TRUE(edited) << edited.error().field << " " << edited.error().message;
  return std::move(*edited);
}

std::string refused(const Edited& edited) {
  return edited ? "allowed" : edited.error().field + ": " + edited.error().message;
}

// What document.h promises, and that JSON keeps all of it.
void expect_sound(const Document& document, const std::string& what) {
  double last = 0;
  for (const Word& w : document.words) {
    EXPECT_LE(last, w.start) << what;
    EXPECT_LE(w.start, w.end) << what;
    EXPECT_LE(w.end, document.duration_s) << what;
    EXPECT_FALSE(w.text.empty()) << what;
    last = w.start;
  }
  size_t next = 0;
  last = 0;
  for (const Segment& segment : document.segments) {
    EXPECT_LE(last, segment.start) << what;
    EXPECT_LE(segment.start, segment.end) << what;
    EXPECT_LE(segment.end, document.duration_s) << what;
    EXPECT_EQ(segment.first_word, next) << what;
    next += segment.word_count;
    last = segment.start;
    std::string text;
    for (size_t i = segment.first_word; i < next; ++i) {
      if (!text.empty() && document.words.at(i).space_before) text += ' ';
      text += document.words.at(i).text;
      EXPECT_EQ(document.words.at(i).speaker, segment.speaker) << what;
    }
    EXPECT_EQ(text, segment.text) << what;
  }
  EXPECT_EQ(next, document.words.size()) << what;
  const auto read = from_json(to_json(document));
  ASSERT_TRUE(read) << what;
  EXPECT_EQ(to_json(*read), to_json(document)) << what;
  ASSERT_EQ(read->segments.size(), document.segments.size()) << what;
  for (size_t i = 0; i < read->segments.size(); ++i)
    EXPECT_EQ(read->segments[i].word_count, document.segments[i].word_count) << what;
}

TEST(Edit, WordsThatStayKeepTheirTimesAndChangedOnesTakeOver) {
  // One for one, beside a capital and a mark that change nothing of what was heard.
  Document document = with_text(meeting(), 0, "we met on Monday!");
  EXPECT_EQ(words_of(document, 0), "we 0.50-0.70 0.9|met 0.70-1.00 1|on 1.00-1.20 0.9|Monday! 1.20-2.00 0.9");
  EXPECT_EQ(document.segments[0].text, "we met on Monday!");
  // "meet on" became three words of 4, 2 and 3 of 9 characters: 0.7 to 1.2 is theirs.
  document = with_text(meeting(), 0, "We were at the Monday.");
  EXPECT_EQ(words_of(document, 0),
            "We 0.50-0.70 0.9|were 0.70-0.92 1|at 0.92-1.03 1|the 1.03-1.20 1|Monday. 1.20-2.00 0.9");
  // Two became one.
  EXPECT_EQ(words_of(with_text(meeting(), 0, "We gather Monday."), 0),
            "We 0.50-0.70 0.9|gather 0.70-1.20 1|Monday. 1.20-2.00 0.9");
  // A new word where nothing was replaced has no time of its own.
  EXPECT_EQ(words_of(with_text(meeting(), 1, "Fine by me, too."), 1),
            "Fine 3.00-3.40 0.9|by 3.40-3.60 0.9|me, 3.60-4.00 0.9|too. 4.00-4.00 1");
  // A word that goes takes its time with it; the segment begins with its first word.
  document = with_text(meeting(), 0, "meet on Monday.");
  EXPECT_EQ(words_of(document, 0), "meet 0.70-1.00 0.5|on 1.00-1.20 0.9|Monday. 1.20-2.00 0.9");
  EXPECT_EQ(document.segments[0].start, 0.7);
  // Nothing is left of what was said.
  EXPECT_EQ(words_of(with_text(meeting(), 2, "Oh yes"), 2), "Oh 5.00-5.20 1|yes 5.20-5.50 1");
  // The other segments are as they were.
  EXPECT_EQ(words_of(document, 1), words_of(meeting(), 1));
  EXPECT_EQ(document.segments[1].id, "seg_000002");
  EXPECT_EQ(turns_of(document), turns_of(meeting()));
}

TEST(Edit, ALanguageWithoutSpacesKeepsItsWords) {
  MergeInput input;
  input.words = {word(0, 0.4, "会議"), word(0.4, 0.6, "は"), word(0.6, 1.0, "明日"),
                 word(1.0, 1.4, "です。")};
  for (size_t i = 1; i < 4; ++i) input.words[i].space_before = false;
  input.duration_s = 2;
  const Document before = merge(std::move(input));
  ASSERT_EQ(before.segments.at(0).text, "会議は明日です。");
  const Document after = with_text(before, 0, "会議は今日です。");
  EXPECT_EQ(words_of(after, 0),
            "会議 0.00-0.40 0.9|は 0.40-0.60 0.9|今 0.60-0.80 1|日 0.80-1.00 1|です。 1.00-1.40 0.9");
  expect_sound(after, "Japanese");
}

TEST(Edit, ATextWithoutWordTimesGetsNone) {
  const Document after = with_text(from_plain_text("Do you hear me", 4), 0, " Do  you\nhear me? ");
  EXPECT_EQ(after.segments[0].text, "Do you hear me?");
  EXPECT_TRUE(after.words.empty());
  EXPECT_EQ(after.segments[0].end, 4);
}

TEST(Edit, AnEmptyTextTakesTheSegmentAway) {
  const Document after = with_text(meeting(), 1, " ");
  ASSERT_EQ(after.segments.size(), 2U);
  EXPECT_EQ(after.text(), "We meet on Monday. Good.");
  EXPECT_EQ(after.segments[1].id, "seg_000003");
  expect_sound(after, "removed");
}

TEST(Edit, ASegmentGoesToAnotherSpeakerWithItsPartOfTheTurn) {
  const std::vector<SegmentChange> bob{{"seg_000001", std::nullopt, "SPEAKER_01"}};
  const Document after = change_segments(meeting(), bob).value();
  EXPECT_EQ(after.segments[0].speaker, "SPEAKER_01");
  EXPECT_EQ(after.words[0].speaker, "SPEAKER_01");
  EXPECT_EQ(turns_of(after), "0.4-2.2 1|2.9-4.1 1|4.9-5.6 0");
  EXPECT_EQ(speakers_of(after), "0 - 0.7|1 - 3.0");
  expect_sound(after, "speaker");

  // Somebody new; and the last segment of a speaker is the end of that one.
  const std::vector<SegmentChange> carol{{"seg_000002", "Fine.", "SPEAKER_02"}};
  EXPECT_EQ(speakers_of(change_segments(meeting(), carol).value()), "0 - 2.5|2 - 1.2");

  // One turn over two segments is cut where the second begins.
  Document long_turn = meeting();
  long_turn.turns = {{0.4, 4.1, "SPEAKER_00"}};
  long_turn.segments[1].speaker = "SPEAKER_00";
  const std::vector<SegmentChange> cut{{"seg_000002", std::nullopt, "SPEAKER_01"}};
  EXPECT_EQ(turns_of(change_segments(long_turn, cut).value()), "0.4-2.0 0|2.0-4.1 1");
}

TEST(Edit, ATranscriptWithoutSpeakersGetsThem) {
  MergeInput input;
  input.words = {word(0, 1, "Hello."), word(1, 2, "Hi.")};
  input.duration_s = 2;
  const std::vector<SegmentChange> second{{"seg_000002", std::nullopt, "SPEAKER_01"}};
  const Document after = change_segments(merge(std::move(input)), second).value();
  EXPECT_TRUE(after.diarized);
  EXPECT_EQ(speakers_of(after), "0 - 1.0|1 - 1.0");
  expect_sound(after, "first speakers");
}

TEST(Edit, ASegmentIsCutAtAWordOrATimeAndJoinedAgain) {
  const Document cut = split_segment(meeting(), "seg_000001", 2).value();
  ASSERT_EQ(cut.segments.size(), 4U);
  EXPECT_EQ(cut.segments[0].text, "We meet");
  EXPECT_EQ(cut.segments[0].id, "seg_000001");
  EXPECT_EQ(cut.segments[0].end, 1.0);
  EXPECT_EQ(cut.segments[1].text, "on Monday.");
  EXPECT_EQ(cut.segments[1].id, "seg_000004");
  EXPECT_EQ(cut.segments[1].start, 1.0);
  EXPECT_EQ(cut.segments[1].speaker, "SPEAKER_00");
  expect_sound(cut, "cut");
  EXPECT_EQ(to_json(split_segment_at(meeting(), "seg_000001", 1.05).value()), to_json(cut));
  // The middle of "on" is at 1.1.
  EXPECT_EQ(split_segment_at(meeting(), "seg_000001", 1.15)->segments[0].text, "We meet on");

  const std::vector<std::string> parts{"seg_000001", "seg_000004"};
  EXPECT_EQ(to_json(join_segments(cut, parts).value()), to_json(meeting()));
  // The first one's speaker has all of it.
  const std::vector<std::string> all{"seg_000001", "seg_000002", "seg_000003"};
  const Document joined = join_segments(meeting(), all).value();
  ASSERT_EQ(joined.segments.size(), 1U);
  EXPECT_EQ(joined.segments[0].text, "We meet on Monday. Fine by me. Good.");
  EXPECT_EQ(joined.segments[0].word_count, 8U);
  EXPECT_EQ(speakers_of(joined), "0 - 3.7");
  expect_sound(joined, "joined");
}

TEST(Edit, SpeakersAreNamedAndExportsSaySo) {
  Document named = name_speakers(meeting(), {{"SPEAKER_00", " Ada  Lovelace "}}).value();
  EXPECT_EQ(speakers_of(named), "0 Ada Lovelace 2.5|1 - 1.2");
  EXPECT_EQ(export_document(named, Format::txt),
            "Ada Lovelace: We meet on Monday.\nSpeaker 2: Fine by me.\nAda Lovelace: Good.\n");
  EXPECT_NE(export_document(named, Format::vtt).find("<v Ada Lovelace>Good."), std::string::npos);
  EXPECT_EQ(speakers_of(from_json(to_json(named)).value()), speakers_of(named));
  named = name_speakers(named, {{"SPEAKER_00", ""}, {"SPEAKER_01", "Bob"}}).value();
  EXPECT_EQ(speakers_of(named), "0 - 2.5|1 Bob 1.2");
}

TEST(Edit, TwoSpeakersBecomeOne) {
  const Document named = name_speakers(meeting(), {{"SPEAKER_01", "Ada"}}).value();
  const Document merged = merge_speakers(named, "SPEAKER_01", "SPEAKER_00").value();
  EXPECT_EQ(speakers_of(merged), "0 Ada 3.7");
  EXPECT_EQ(turns_of(merged), "0.4-2.2 0|2.9-4.1 0|4.9-5.6 0");
  for (const Segment& segment : merged.segments) EXPECT_EQ(segment.speaker, "SPEAKER_00");
  expect_sound(merged, "merged");
}

TEST(Edit, WhatCannotBeHadIsSaid) {
  const auto change = [](std::vector<SegmentChange> changes) {
    return refused(change_segments(meeting(), changes));
  };
  EXPECT_EQ(change({{"seg_9", "x", {}}}), "segments[0].id: there is no such segment");
  EXPECT_EQ(change({{"seg_000001", {}, {}}}), "segments[0]: needs a text or a speaker");
  EXPECT_EQ(change({{"seg_000001", "x", {}}, {"seg_000001", "y", {}}}), "segments[1].id: is there twice");
  EXPECT_EQ(change({{"seg_000001", {}, "Ada"}}),
            "segments[0].speaker: must be a speaker's id, such as SPEAKER_00");
  EXPECT_EQ(change({{"seg_000001", std::string(20'001, 'x'), {}}}),
            "segments[0].text: must have at most 20000 characters");
  EXPECT_EQ(refused(split_segment(meeting(), "seg_000001", 0)),
            "word: must be inside of the segment, which has 4 words from 0.5 to 2 s");
  EXPECT_EQ(refused(split_segment(meeting(), "seg_000003", 1)),
            "segment: has no words with times to be cut between");
  EXPECT_EQ(refused(split_segment_at(meeting(), "seg_000001", 0.5)).substr(0, 4), "time");
  EXPECT_EQ(refused(split_segment_at(meeting(), "seg_000001", 5)).substr(0, 4), "time");
  const std::vector<std::string> apart{"seg_000001", "seg_000003"};
  EXPECT_EQ(refused(join_segments(meeting(), apart)), "segments[1]: does not follow the one before it");
  EXPECT_EQ(refused(join_segments(meeting(), std::span(apart).first(1))),
            "segments: name two segments or more");
  EXPECT_EQ(refused(name_speakers(meeting(), {{"SPEAKER_07", "Ada"}})),
            "SPEAKER_07: there is no such speaker");
  EXPECT_EQ(refused(merge_speakers(meeting(), "SPEAKER_00", "SPEAKER_00")), "into: must be another speaker");
  EXPECT_EQ(refused(merge_speakers(meeting(), "SPEAKER_00", "SPEAKER_02")), "into: there is no such speaker");
}

// ---- whatever people do

class Hand {
 public:
  explicit Hand(unsigned seed) : random_(seed) {}
  size_t below(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }

  Document recording() {
    MergeInput input;
    double at = 0;
    for (size_t i = 0; i < 5 + below(60); ++i) {
      at += static_cast<double>(below(1500)) / 1000;
      input.words.push_back(word(at, at + static_cast<double>(below(600)) / 1000, any_word()));
      input.words.back().space_before = !chance(0.2);
    }
    input.duration_s = at + 1;
    input.diarized = chance(0.7);
    for (double from = 0; from < at; from += 2) {
      input.turns.push_back({from, from + static_cast<double>(below(4000)) / 1000, std::to_string(below(3))});
    }
    return merge(std::move(input));
  }
  std::string any_word() {
    static const std::vector<std::string> kWords{"the",   "The",   "meeting", "is",   "on.",
                                                 "well-", "known", "会議",    "は",   "です。",
                                                 "«so»",  "a",     "ไป",      "yes,", "1,000"};
    return kWords[below(kWords.size())];
  }
  // Words of `text` go, come, and change.
  std::string changed(const std::string& text) {
    std::string result;
    for (size_t at = 0; at < text.size();) {
      const size_t space = std::min(text.find(' ', at), text.size());
      if (chance(0.3)) result += any_word() + (chance(0.8) ? " " : "");
      if (!chance(0.3)) result += text.substr(at, space - at) + " ";
      at = space + 1;
    }
    return result;
  }
  Edited edit(const Document& document) {
    const Segment& segment = document.segments[below(document.segments.size())];
    const std::string speaker = fmt::format("SPEAKER_0{}", below(4));
    switch (below(6)) {
      case 0: {
        const std::vector<SegmentChange> one{{segment.id, std::nullopt, speaker}};
        return change_segments(document, one);
      }
      case 1:
        return split_segment(document, segment.id, 1 + below(3));
      case 2:
        return split_segment_at(document, segment.id,
                                segment.start + static_cast<double>(below(2000)) / 1000);
      case 3: {
        const size_t first = below(document.segments.size());
        std::vector<std::string> ids;
        for (size_t i = first; i < std::min(first + 3, document.segments.size()); ++i)
          ids.push_back(document.segments[i].id);
        return join_segments(document, ids);
      }
      case 4:
        return merge_speakers(document, speaker, fmt::format("SPEAKER_0{}", below(4)));
      default: {
        const std::vector<SegmentChange> one{{segment.id, changed(segment.text), std::nullopt}};
        return change_segments(document, one);
      }
    }
  }

 private:
  std::mt19937 random_;
};

TEST(Edit, WhateverIsChangedTheDocumentHoldsWhatItPromises) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    Hand hand(seed);
    Document document = hand.recording();
    for (int step = 0; step < 25 && !document.segments.empty(); ++step) {
      Edited edited = hand.edit(document);
      if (!edited) continue;
      document = std::move(*edited);
      expect_sound(document, fmt::format("seed {} step {}", seed, step));
      if (HasFailure()) return;
    }
  }
}

// An edit's words that stay have the times that they had: all of them, where a text only loses words.
TEST(Edit, ATextThatOnlyLosesWordsKeepsTheTimesOfTheOthers) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    Hand hand(seed);
    MergeInput input;
    for (size_t i = 0; i < 20; ++i)
      input.words.push_back(
          word(static_cast<double>(i), static_cast<double>(i) + 0.5, fmt::format("w{}", i)));
    input.duration_s = 30;
    const Document before = merge(std::move(input));
    std::string text;
    std::vector<Word> left;
    const Segment& segment = before.segments[0];
    for (size_t i = 0; i < segment.word_count; ++i) {
      if (hand.chance(0.4)) continue;
      left.push_back(before.words[i]);
      text += before.words[i].text + " ";
    }
    const Document after = with_text(before, 0, text);
    for (size_t i = 0; i < left.size(); ++i) {
      EXPECT_EQ(after.words[i].text, left[i].text) << "seed " << seed;
      EXPECT_EQ(after.words[i].start, left[i].start) << "seed " << seed;
      EXPECT_EQ(after.words[i].end, left[i].end) << "seed " << seed;
      EXPECT_EQ(after.words[i].confidence, left[i].confidence) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace hansard::transcript
