#include "engine/child/whisper/tokenizer.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/parts_folder.h"

namespace hansard::engine::whisper {
namespace {

Tokenizer load(const std::string& model) {
  return Tokenizer::parse(read_file(parts_folder() / "models" / model / "tokenizer.json", 64 << 20).value())
      .value();
}

using Tokens = std::vector<int>;

// Reference: Hugging Face's tokenizers on the same files.
TEST(TokenizerModel, EncodesAsTheReference) {
  const Tokenizer base = load("whisper-base");
  const std::vector<std::pair<std::string, Tokens>> references{
      {"Hello world!", {15947, 1002, 0}},
      {" The year is 2024, isn't it?", {440, 1064, 307, 45237, 11, 1943, 380, 309, 30}},
      {"Grüße aus München", {20038, 774, 11451, 3437, 35840, 2470}},
      {"日本語のテスト", {27311, 31348, 2972, 22985, 40498}},
      {"  two  spaces", {220, 732, 220, 7673}},
      {"naïve café — £5.50", {629, 15487, 303, 25118, 3466, 14378, 20, 13, 2803}},
      {"don't I'll we've", {13966, 380, 286, 603, 321, 600}},
      {"मानक हिन्दी", {48521, 17937, 35082, 41858, 37139, 33279, 35082, 27099, 3941, 99, 31881}},
      {"emoji 😀 end", {36221, 4013, 20732, 222, 917}},
      {"tab\tand\nnewline", {83, 455, 197, 474, 198, 7686, 1889}},
      {"ABC123def", {32, 7869, 4762, 18, 20595}},
  };
  for (const auto& [text, tokens] : references) {
    EXPECT_EQ(base.encode(text), tokens) << text;
    EXPECT_EQ(base.decode(tokens), text);
  }
  const Tokenizer english = load("whisper-tiny.en");
  EXPECT_EQ(english.encode("Grüße aus München"), (Tokens{8642, 9116, 39683, 68, 257, 385, 40790, 77, 6607}));
  EXPECT_EQ(english.encode("don't I'll we've"), (Tokens{9099, 470, 314, 1183, 356, 1053}));
}

TEST(TokenizerModel, KnowsTheSpecialTokensOfItsModel) {
  const Tokenizer base = load("whisper-base");
  EXPECT_EQ(base.end_of_text(), 50257);
  EXPECT_EQ(base.special("startoftranscript"), 50258);
  EXPECT_EQ(base.language("fr"), 50265);
  EXPECT_EQ(base.special("notimestamps"), 50363);
  EXPECT_FALSE(base.language("yue"));
  EXPECT_FALSE(base.is_text(50257));
  EXPECT_EQ(load("whisper-tiny.en").end_of_text(), 50256);
  EXPECT_EQ(base.encode("<|en|>").size(), 5U);  // text that looks like one is none
}

TEST(TokenizerModel, PartsOfCharactersAreNoCharacters) {
  const Tokenizer base = load("whisper-base");
  const Tokens smile = base.encode("😀");
  ASSERT_GT(smile.size(), 1U);
  EXPECT_EQ(base.decode(smile), "😀");
  EXPECT_EQ(base.decode(Tokens(smile.begin(), smile.end() - 1)).find("😀"), std::string::npos);
}

TEST(Tokenizer, RefusesWhatIsNoTokenizer) {
  for (const char* json :
       {"", "{}", "[]", "{\"model\":{}}", "{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}"}) {
    EXPECT_FALSE(Tokenizer::parse(json)) << json;
  }
}

TEST(Pieces, AreThoseOfGpt2) {
  using Pieces = std::vector<std::string_view>;
  EXPECT_EQ(split_pieces("It's 12 o'clock!"), (Pieces{"It", "'s", " 12", " o", "'", "clock", "!"}));
  EXPECT_EQ(split_pieces("a  b"), (Pieces{"a", " ", " b"}));
  EXPECT_TRUE(split_pieces("").empty());
}

}  // namespace
}  // namespace hansard::engine::whisper
