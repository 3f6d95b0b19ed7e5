#include "engine/child/whisper/words.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "engine/child/whisper/characters.h"
#include "engine/child/whisper/pieces.h"

namespace hansard::engine::whisper {
namespace {

// Marks that belong to the word after them, if a space or nothing stands before; and to the word before them.
constexpr std::string_view kOpening = "\"'“¿([{-";
constexpr std::string_view kClosing = "\"'.。,，!！?？:：”)]}、";
constexpr std::array<std::string_view, 6> kSentenceEnds = {".", "。", "!", "！", "?", "？"};
// Longer than this no word's usual length is taken to be.
constexpr double kLongMedianSeconds = 0.7;

bool writes_without_spaces(std::string_view language) {
  constexpr std::array<std::string_view, 6> kLanguages = {"zh", "ja", "th", "lo", "my", "yue"};
  return std::find(kLanguages.begin(), kLanguages.end(), language) != kLanguages.end();
}

std::string_view without_space(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool is_one_of(std::string_view text, std::string_view marks) {
  return !text.empty() && first_character(text).length_bytes == text.size() &&
         marks.find(text) != std::string_view::npos;
}

bool is_ascii_punctuation(std::string_view text) {
  return text.size() == 1 && std::ispunct(static_cast<unsigned char>(text[0])) != 0;
}

bool ends_sentence(std::string_view text) {
  return std::find(kSentenceEnds.begin(), kSentenceEnds.end(), text) != kSentenceEnds.end();
}

// The bytes so far end inside of a character.
bool is_cut_off(std::string_view bytes) {
  while (!bytes.empty()) {
    const Character character = first_character(bytes);
    if (character.cut_off) return true;
    bytes.remove_prefix(character.length_bytes);
  }
  return false;
}

// A word while it is put together from tokens.
struct Draft {
  std::string bytes;
  double start = 0;
  double end = 0;
  double probability_sum = 0;
  int tokens = 0;
  double seconds() const { return end - start; }
};

void append(Draft& draft, const Draft& next) {
  draft.bytes += next.bytes;
  draft.end = next.end;
  draft.probability_sum += next.probability_sum;
  draft.tokens += next.tokens;
}

// Tokens joined until they are whole characters.
std::vector<Draft> by_character(const Tokenizer& tokenizer, std::span<const int> tokens,
                                std::span<const TokenTime> times) {
  std::vector<Draft> drafts;
  bool open = false;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Draft next{std::string(tokenizer.bytes(tokens[i])), times[i].start, times[i].end,
                     times[i].probability, 1};
    if (open) {
      append(drafts.back(), next);
    } else {
      drafts.push_back(next);
    }
    open = is_cut_off(drafts.back().bytes);
  }
  return drafts;
}

// A new word begins at a space; punctuation stands alone until its length has been looked at.
std::vector<Draft> by_space(std::vector<Draft> parts) {
  std::vector<Draft> words;
  for (Draft& part : parts) {
    if (words.empty() || part.bytes.starts_with(' ') || is_ascii_punctuation(without_space(part.bytes))) {
      words.push_back(std::move(part));
    } else {
      append(words.back(), part);
    }
  }
  return words;
}

double usual_seconds(std::span<const Draft> words) {
  std::vector<double> lengths;
  for (const Draft& word : words) {
    if (word.seconds() > 0) lengths.push_back(word.seconds());
  }
  if (lengths.empty()) return 0;
  const auto middle = lengths.begin() + std::ssize(lengths) / 2;
  std::nth_element(lengths.begin(), middle, lengths.end());
  double median = *middle;
  if (lengths.size() % 2 == 0) median = (median + *std::max_element(lengths.begin(), middle)) / 2;
  return std::min(median, kLongMedianSeconds);
}

// The pause between sentences goes to the mark or to the first word of the next: both are cut to twice the
// usual length of a word.
void cut_at_sentence_ends(std::vector<Draft>& words, double most) {
  if (most <= 0) return;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].seconds() <= most) continue;
    if (ends_sentence(words[i].bytes)) {
      words[i].end = words[i].start + most;
    } else if (ends_sentence(words[i - 1].bytes)) {
      words[i].start = words[i].end - most;
    }
  }
}

// Punctuation joins its word: opening marks the next one, whatever has no space before it the one before.
// Closing marks do not make a word longer.
std::vector<Draft> with_punctuation(std::vector<Draft> parts, bool spaces) {
  for (size_t i = parts.size(); i-- > 1;) {
    Draft& mark = parts[i - 1];
    if (!mark.bytes.starts_with(' ') || !is_one_of(without_space(mark.bytes), kOpening)) continue;
    parts[i].bytes = mark.bytes + parts[i].bytes;
    mark.bytes.clear();
  }
  std::vector<Draft> words;
  for (Draft& part : parts) {
    if (part.bytes.empty()) continue;
    const bool closing = is_one_of(part.bytes, kClosing);
    const bool joins = !words.empty() && (closing || (spaces && !part.bytes.starts_with(' ')));
    if (!joins) {
      words.push_back(std::move(part));
    } else if (closing) {
      words.back().bytes += part.bytes;
    } else {
      append(words.back(), part);
    }
  }
  return words;
}

// The silence before the first word goes to it, or to it and the second.
void cut_at_start(std::vector<Draft>& words, double usual) {
  const double most = 2 * usual;
  Draft& first = words.front();
  Draft* second = words.size() > 1 ? &words[1] : nullptr;
  const bool long_first = first.seconds() > most;
  const bool long_two = second != nullptr && second->end - first.start > 2 * most;
  if (first.end <= 4 * usual || (!long_first && !long_two)) return;
  if (second != nullptr && second->seconds() > most) {
    const double border = std::max(second->end / 2, second->end - most);
    first.end = border;
    second->start = border;
  }
  first.start = std::max(0.0, first.end - most);
}

}  // namespace

std::vector<Word> make_words(const Tokenizer& tokenizer, std::string_view language,
                             std::span<const int> tokens, std::span<const TokenTime> times) {
  const bool spaces = !writes_without_spaces(language);
  std::vector<Draft> parts = by_character(tokenizer, tokens, times);
  if (spaces) parts = by_space(std::move(parts));
  const double usual = usual_seconds(parts);
  cut_at_sentence_ends(parts, 2 * usual);
  std::vector<Draft> drafts = with_punctuation(std::move(parts), spaces);
  if (!drafts.empty()) cut_at_start(drafts, usual);
  std::vector<Word> words;
  for (const Draft& draft : drafts) {
    words.push_back({draft.start, draft.end, repaired(draft.bytes),
                     static_cast<float>(draft.probability_sum / draft.tokens)});
  }
  return words;
}

std::vector<Word> place_words(std::span<const Word> words, std::span<const Piece> pieces) {
  std::vector<Word> placed(words.begin(), words.end());
  double last = 0;
  for (Word& word : placed) {
    const Span span = to_recording(pieces, {word.start, word.end});
    word.start = std::max(span.start, last);
    word.end = std::max(span.end, word.start);
    last = word.start;
  }
  return placed;
}

}  // namespace hansard::engine::whisper
