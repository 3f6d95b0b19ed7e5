// What the decoder is given before its first token.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/child/whisper/tokenizer.h"
#include "engine/types.h"

namespace hansard::engine::whisper {

// The special tokens of one model, and the user's words that go before every window.
class Prompts {
 public:
  // `multilingual` as the model says. Errors: model_corrupt where a special token is missing.
  static Result<Prompts> make(const Tokenizer& tokenizer, bool multilingual);

  // "<|startoftranscript|>", and language and task in a multilingual model: what alignment starts from. A
  // language that the model does not know is left to the caller to refuse.
  std::vector<int> start(const std::string& language, Task task) const;

  // Hotwords and the prompt's end, after <|startofprev|>; empty where there are none. Hotwords come first, so
  // that what stands nearest to the speech is the running text.
  std::vector<int> before(const TranscribeOptions& options) const;

  int no_timestamps() const { return no_timestamps_; }

 private:
  explicit Prompts(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  const Tokenizer* tokenizer_;
  bool multilingual_ = false;
  int start_of_transcript_ = 0;
  int start_of_previous_ = 0;
  int no_timestamps_ = 0;
  int transcribe_ = 0;
  int translate_ = 0;
};

}  // namespace hansard::engine::whisper
