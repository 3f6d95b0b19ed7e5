// Each export against a file written by hand, and the rules of subtitles on random words.

#include "transcript/exports.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <regex>
#include <sstream>

#include "base/json.h"
#include "transcript/text.h"

namespace hansard::transcript {
namespace {

std::string golden(const std::string& name) {
  std::ifstream file(std::string(HANSARD_SOURCE_DIR) + "/src/transcript/testdata/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Word word(double start, double end, const std::string& text) {
  Word result;
  result.start = start;
  result.end = end;
  result.text = text;
  result.confidence = 0.875;
  return result;
}

// Two people, an hour in: Ada asks, Ben answers.
Document conversation() {
  MergeInput input;
  input.words = {word(0.5, 0.75, "Do"),     word(0.75, 1, "you"), word(1, 1.5, "hear"),
                 word(1.5, 2, "me?"),       word(2.5, 3, "Yes,"), word(3, 3.25, "R&D"),
                 word(3.25, 4, "hears"),    word(4, 4.5, "you."), word(3700, 3700.5, "Not"),
                 word(3700.5, 3701, "now.")};
  input.turns = {{0.5, 2, "SPEAKER_00"}, {2.5, 4.5, "SPEAKER_01"}, {3700, 3701, "SPEAKER_00"}};
  input.diarized = true;
  input.duration_s = 3702.5;
  Document document = merge(std::move(input));
  document.title = "board_meeting";
  document.language = "en";
  document.date = "2026-11-24";
  document.provider = "local";
  document.transcription_model = "whisper-base";
  document.diarization_model = "diarization-default";
  return document;
}

TEST(Exports, AreWhatTheFilesSay) {
  for (const Format format : {Format::md, Format::txt, Format::srt, Format::vtt, Format::tsv}) {
    const std::string name = "conversation." + std::string(format_name(format));
    EXPECT_EQ(export_document(conversation(), format), golden(name)) << name;
  }
  // Of JSON the values count, not where its lines end.
  EXPECT_EQ(json::parse(export_document(conversation(), Format::json)).value(),
            json::parse(golden("conversation.json")).value());
}

TEST(Exports, WithoutSpeakersNobodyIsNamed) {
  MergeInput input;
  input.words = {word(0, 1, "Hello"), word(1, 2, "world.")};
  input.duration_s = 2;
  const Document document = merge(std::move(input));
  EXPECT_EQ(export_document(document, Format::json).find("speaker"), std::string::npos);
  EXPECT_EQ(export_document(document, Format::md).find("Speaker"), std::string::npos);
  EXPECT_NE(export_document(document, Format::srt).find("\nHello world.\n"), std::string::npos);
}

TEST(Exports, AnEmptyTranscriptSaysSo) {
  const Document document = merge({{}, {}, true, 5});
  EXPECT_NE(export_document(document, Format::md).find("No speech"), std::string::npos);
  EXPECT_EQ(export_document(document, Format::vtt), "WEBVTT\n");
  EXPECT_TRUE(export_document(document, Format::srt).empty());
}

TEST(Exports, FormatsAreFoundByName) {
  EXPECT_EQ(parse_format(".SRT"), Format::srt);
  EXPECT_EQ(parse_format("md"), Format::md);
  EXPECT_FALSE(parse_format("doc"));
}

double seconds(const std::string& clock) {
  int h = 0, m = 0, s = 0, ms = 0;
  std::sscanf(clock.c_str(), "%d:%d:%d,%d", &h, &m, &s, &ms);
  return h * 3600 + m * 60 + s + ms / 1000.0;
}

// Whatever the words are: at most 2 lines of 42 columns, at most 7 s, no overlap, all words, in order.
TEST(Subtitles, KeepTheirRulesOnRandomWords) {
  static const char* const kWords[] = {
      "a",   "of",     "house,", "transcription", "Yes.",  "incomprehensibilities",
      "und", "Grüße!", "日本語", "12,000",        "naïve", "x"};
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    MergeInput input;
    double at = 0;
    std::string spoken;
    for (int i = 0; i < 120; ++i) {
      const double length = 0.05 + (random() % 100) / 100.0;
      const std::string text = kWords[random() % std::size(kWords)];
      input.words.push_back(word(at, at + length, text));
      spoken += text;
      at += length + (random() % 12 == 0 ? 2.5 : 0.02);
    }
    input.turns = {{0, at / 2, "SPEAKER_00"}, {at / 2, at, "SPEAKER_01"}};
    input.diarized = true;
    input.duration_s = at;
    const std::string srt = export_document(merge(std::move(input)), Format::srt);
    std::istringstream lines(srt);
    std::string line;
    std::string shown;
    double last_end = 0;
    int lines_of_cue = 0;
    const std::regex times(R"((\d+:\d+:\d+,\d+) --> (\d+:\d+:\d+,\d+))");
    while (std::getline(lines, line)) {
      std::smatch match;
      if (std::regex_match(line, match, times)) {
        const double start = seconds(match[1]);
        const double end = seconds(match[2]);
        EXPECT_GE(start, last_end - 1e-9);
        EXPECT_GE(end, start);
        EXPECT_LE(end - start, 7.0005);
        last_end = end;
        lines_of_cue = 0;
      } else if (line.empty() || line.find_first_not_of("0123456789") == std::string::npos) {
        continue;
      } else {
        EXPECT_LE(++lines_of_cue, 2) << srt;
        EXPECT_LE(display_width(line), 42) << line;
        shown += std::regex_replace(line, std::regex("^Speaker \\d: ?"), "");
      }
    }
    const auto without_spaces = [](std::string text) {
      std::erase(text, ' ');
      return text;
    };
    EXPECT_EQ(without_spaces(shown), without_spaces(spoken));
  }
}

TEST(Exports, CsvQuotesWhatASpreadsheetWouldSplit) {
  Document document;
  document.diarized = true;
  document.segments = {{"seg_000001", 0.5, 2, "SPEAKER_00", "She said \"no\", twice.", 0, 0}};
  EXPECT_EQ(export_document(document, Format::csv),
            "start,end,speaker,text\r\n0.500,2.000,\"Speaker 1\",\"She said \"\"no\"\", twice.\"\r\n");
}

TEST(Exports, RttmHasALineForEachTurn) {
  Document document;
  document.title = "Team sync";
  document.turns = {{0.25, 1.5, "SPEAKER_00"}, {1, 3, "SPEAKER_01"}};
  EXPECT_EQ(export_document(document, Format::rttm),
            "SPEAKER Team_sync 1 0.250 1.250 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
            "SPEAKER Team_sync 1 1.000 2.000 <NA> <NA> SPEAKER_01 <NA> <NA>\n");
}

}  // namespace
}  // namespace hansard::transcript
