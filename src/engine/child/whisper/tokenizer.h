// Whisper's tokens: byte-level byte pairs as GPT-2 has them, with the ids and special tokens of the model's
// own tokenizer.json. Nothing is assumed about ids: English-only and multilingual models differ.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace hansard::engine::whisper {

class Tokenizer {
 public:
  // From the text of tokenizer.json (Hugging Face's format). Errors: model_corrupt, saying what is wrong.
  static Result<Tokenizer> parse(std::string_view json);

  // Tokens of plain text; "<|en|>" is plain text here. Any thread, as all that follows.
  std::vector<int> encode(std::string_view text) const;

  // Text of text tokens; special tokens have none. Bytes that are no characters become U+FFFD.
  std::string decode(std::span<const int> tokens) const;

  // The bytes of a text token, which may be a part of a character; empty for special tokens.
  std::string_view bytes(int token) const;

  // The id of "<|startoftranscript|>" and its like, by the name between the bars.
  std::optional<int> special(std::string_view name) const;
  std::optional<int> language(std::string_view code) const;  // of "<|en|>"

  bool is_text(int token) const { return token < end_of_text_; }
  int end_of_text() const { return end_of_text_; }

 private:
  struct Merge {
    int rank;
    int result;
  };

  void encode_piece(std::string_view piece, std::vector<int>& out) const;

  std::vector<std::string> bytes_;  // by id
  std::vector<int> byte_tokens_;    // by byte
  std::unordered_map<uint64_t, Merge> merges_;
  std::unordered_map<std::string, int> specials_;
  int end_of_text_ = 0;
};

// The pieces that GPT-2 splits text into before pairs are merged: English endings after an apostrophe, and
// runs of letters, of numbers or of anything else, each with one space before it. Exposed for its test.
std::vector<std::string_view> split_pieces(std::string_view text);

}  // namespace hansard::engine::whisper
