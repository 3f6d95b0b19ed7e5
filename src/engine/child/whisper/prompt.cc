#include "engine/child/whisper/prompt.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {
namespace {

// More text than its last tokens is never needed; a token is rarely longer than 16 bytes.
constexpr size_t kMostBytes = 16 * strategy::kPromptTokens;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

}  // namespace

Result<Prompts> Prompts::make(const Tokenizer& tokenizer, bool multilingual) {
  Prompts prompts(tokenizer);
  prompts.multilingual_ = multilingual;
  const std::pair<const char*, int*> names[] = {{"startoftranscript", &prompts.start_of_transcript_},
                                                {"startofprev", &prompts.start_of_previous_},
                                                {"notimestamps", &prompts.no_timestamps_},
                                                {"transcribe", &prompts.transcribe_},
                                                {"translate", &prompts.translate_}};
  for (const auto& [name, id] : names) {
    const std::optional<int> token = tokenizer.special(name);
    if (!token) {
      return fail(ErrorCode::model_corrupt, fmt::format("The model's tokenizer.json has no <|{}|>.", name));
    }
    *id = *token;
  }
  return prompts;
}

std::vector<int> Prompts::start(const std::string& language, Task task) const {
  std::vector<int> tokens = {start_of_transcript_};
  if (!multilingual_) return tokens;
  tokens.push_back(tokenizer_->language(language).value_or(start_of_transcript_ + 1));
  tokens.push_back(task == Task::translate ? translate_ : transcribe_);
  return tokens;
}

std::vector<int> Prompts::before(const TranscribeOptions& options) const {
  std::vector<std::string_view> hotwords;
  for (const std::string& word : options.hotwords) {
    if (!trimmed(word).empty()) hotwords.push_back(trimmed(word));
  }
  std::vector<int> tokens;
  if (!hotwords.empty()) {
    const std::string text = fmt::format(" {}", fmt::join(hotwords, ", "));
    tokens = tokenizer_->encode(std::string_view(text).substr(0, kMostBytes));
    if (tokens.size() > strategy::kPromptTokens) tokens.resize(strategy::kPromptTokens);
  }
  std::string_view prompt = trimmed(options.initial_prompt);
  if (prompt.size() > kMostBytes) prompt.remove_prefix(prompt.size() - kMostBytes);
  if (!prompt.empty()) {
    const std::vector<int> text = tokenizer_->encode(fmt::format(" {}", prompt));
    const size_t room = strategy::kPromptTokens - tokens.size();
    tokens.insert(tokens.end(), text.end() - static_cast<std::ptrdiff_t>(std::min(room, text.size())),
                  text.end());
  }
  if (!tokens.empty()) tokens.insert(tokens.begin(), start_of_previous_);
  return tokens;
}

}  // namespace hansard::engine::whisper
