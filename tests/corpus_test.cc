// Real recordings with references, where HANSARD_CORPUS names a folder of them (with a manifest.json): words,
// word times, speakers. A small set always; all of them where HANSARD_WHOLE_CORPUS is set.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "base/json.h"
#include "program.h"

namespace hansard {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;

struct Item {
  std::string name;
  fs::path file;
  std::string language;
  std::string text;                        // empty: no reference
  std::map<std::string, double> speakers;  // empty: no reference
};

fs::path corpus_folder() {
  const char* folder = std::getenv("HANSARD_CORPUS");
  return folder == nullptr ? fs::path() : fs::path(folder);
}

std::vector<Item> items() {
  std::ifstream file(corpus_folder() / "manifest.json");
  std::stringstream text;
  text << file.rdbuf();
  std::vector<Item> result;
  const bj::value manifest = bj::parse(text.str());
  for (const bj::value& value : manifest.at("items").as_array()) {
    const bj::object& object = value.as_object();
    Item item;
    item.name = object.at("name").as_string();
    item.file = corpus_folder() / std::string(object.at("file").as_string());
    item.language = object.at("language").as_string();
    if (const bj::value* reference = object.if_contains("text")) item.text = reference->as_string();
    if (const bj::value* turns = object.if_contains("turns")) {
      for (const bj::value& turn : turns->as_array()) {
        item.speakers[std::string(turn.at("speaker").as_string())] +=
            turn.at("end").to_number<double>() - turn.at("start").to_number<double>();
      }
    }
    result.push_back(item);
  }
  return result;
}

// Letters and digits in lower case; everything else parts words. Enough for a bound, not for a score.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || byte >= 0x80) {
      words.back() += static_cast<char>(std::tolower(byte));
    } else if (c != '\'' && !words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

size_t word_errors(const std::vector<std::string>& reference, const std::vector<std::string>& hypothesis) {
  std::vector<size_t> row(hypothesis.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= reference.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j < row.size(); ++j) {
      const size_t above = row[j];
      row[j] =
          std::min({above + 1, row[j - 1] + 1, diagonal + (reference[i - 1] == hypothesis[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

class CorpusModel : public Program {
 protected:
  void SetUp() override {
    if (corpus_folder().empty()) GTEST_SKIP() << "HANSARD_CORPUS names no folder of recordings";
  }

  bj::object transcribe(const fs::path& file) {
    const ProgramResult result = run({"transcribe", file, "--format", "json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.exit_code == 0 ? bj::parse(result.out).as_object() : bj::object();
  }
};

TEST_F(CorpusModel, ShortRecordingsHaveTheirWords) {
  size_t errors = 0;
  size_t words = 0;
  for (const Item& item : items()) {
    const bool is_short =
        item.name.starts_with("jfk") || item.name.starts_with("librivox") || item.name.starts_with("pico");
    if (!is_short) continue;
    const bj::object document = transcribe(item.file);
    const auto reference = words_of(item.text);
    const size_t wrong = word_errors(reference, words_of(std::string(document.at("text").as_string())));
    EXPECT_EQ(std::string(document.at("language").as_string()), item.language) << item.name;
    if (item.name.starts_with("jfk")) {
      EXPECT_EQ(wrong, 0U) << document.at("text");
    }
    errors += wrong;
    words += reference.size();
  }
  EXPECT_LE(static_cast<double>(errors), 0.08 * static_cast<double>(words));
}

TEST_F(CorpusModel, SpeakersOfShortRecordingsAreCounted) {
  for (const Item& item : items()) {
    if (item.name != "two_speakers_short_en" && item.name != "five_speakers_en") continue;
    EXPECT_EQ(transcribe(item.file).at("speakers").as_array().size(), item.speakers.size()) << item.name;
  }
}

TEST_F(CorpusModel, WholeCorpusStaysWithinItsBounds) {
  if (std::getenv("HANSARD_WHOLE_CORPUS") == nullptr) {
    GTEST_SKIP() << "the whole corpus runs in ./dev check (HANSARD_WHOLE_CORPUS)";
  }
  std::map<std::string, std::pair<size_t, size_t>> by_language;
  double count_errors = 0;
  double counted = 0;
  for (const Item& item : items()) {
    const bj::object document = transcribe(item.file);
    if (!item.text.empty()) {
      const auto reference = words_of(item.text);
      auto& [errors, words] = by_language[item.language];
      errors += word_errors(reference, words_of(std::string(document.at("text").as_string())));
      words += reference.size();
    }
    if (!item.speakers.empty()) {
      const auto found = static_cast<double>(document.at("speakers").as_array().size());
      count_errors += std::abs(found - static_cast<double>(item.speakers.size()));
      counted += 1;
    }
    double last = 0;
    for (const bj::value& word : document.at("words").as_array()) {
      EXPECT_GE(word.at("start").to_number<double>(), last) << item.name;
      last = word.at("start").to_number<double>();
    }
  }
  for (const auto& [language, counts] : by_language) {
    const double rate = static_cast<double>(counts.first) / static_cast<double>(counts.second);
    fmt::print("{}: {} errors in {} words, {:.4f}\n", language, counts.first, counts.second, rate);
    // Of a language with ten words each word is a tenth: two more than the rate are let pass.
    EXPECT_LE(static_cast<double>(counts.first), 0.15 * static_cast<double>(counts.second) + 2) << language;
  }
  fmt::print("mean error of the speaker count: {:.2f}\n", count_errors / counted);
  EXPECT_LE(count_errors / counted, 0.75);
}

TEST_F(CorpusModel, ForeignContainersAndVideoAreRead) {
  for (const Item& item : items()) {
    if (item.file.extension() != ".wma") continue;
    const ProgramResult result =
        run({"transcribe", item.file, "--model", "tiny.en", "--max-duration", "30s"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_GT(words_of(result.out).size(), 20U);
  }
}

}  // namespace
}  // namespace hansard
