#include "transcript/align.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "transcript/text.h"

namespace hansard::transcript {
namespace {

// Beyond so many words that differ on both sides of a change, nothing is the same by more than chance.
constexpr size_t kMostPaired = 2000;

using Texts = std::set<std::string_view>;

// Words that no space parts, by the text that they make.
std::map<std::string, std::span<const Word>> chunks_of(std::span<const Word> words) {
  std::map<std::string, std::span<const Word>> chunks;
  size_t first = 0;
  for (size_t i = 1; i <= words.size(); ++i) {
    if (i < words.size() && !words[i].space_before) continue;
    std::string text;
    for (const Word& word : words.subspan(first, i - first)) text += word.text;
    chunks.emplace(std::move(text), words.subspan(first, i - first));
    first = i;
  }
  return chunks;
}

// The first word of a text without spaces, as far as `known` words tell: the longest of them, else a
// character of a language without spaces, else all up to one.
std::string_view first_word(std::string_view text, const Texts& known) {
  size_t best = 0;
  for (const std::string_view word : known) {
    if (word.size() > best && text.starts_with(word)) best = word.size();
  }
  size_t at = 0;
  char32_t before = next_character(text, at);
  const bool spaceless = is_spaceless(before);
  while (at < text.size()) {
    const size_t here = at;
    const char32_t next = next_character(text, at);
    const bool ends = spaceless || is_spaceless(next);
    if (ends && here >= best && !clings_to(before, next)) return text.substr(0, here);
    before = next;
  }
  return text;
}

// A text's words without times. A part that is what it was has the words that it had.
std::vector<Word> words_of(std::string_view text, std::span<const Word> before) {
  const auto chunks = chunks_of(before);
  Texts known;
  for (const Word& word : before) known.insert(word.text);
  std::vector<Word> words;
  const auto add = [&](std::string_view word, bool space) {
    words.push_back({.text = std::string(word), .space_before = space});
  };
  while (!text.empty()) {
    std::string_view chunk = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(chunk.size() + 1, text.size()));
    bool space = true;
    if (const auto same = chunks.find(std::string(chunk)); same != chunks.end()) {
      for (const Word& word : same->second) add(word.text, std::exchange(space, false));
      continue;
    }
    while (!chunk.empty()) {
      const std::string_view word = first_word(chunk, known);
      add(word, std::exchange(space, false));
      chunk.remove_prefix(word.size());
    }
  }
  return words;
}

// What is heard of a word: without ASCII marks around it, and in small letters.
std::string heard(std::string_view word) {
  const auto is_mark = [](char c) { return std::ispunct(static_cast<unsigned char>(c)) != 0; };
  std::string_view bare = word;
  while (!bare.empty() && is_mark(bare.front())) bare.remove_prefix(1);
  while (!bare.empty() && is_mark(bare.back())) bare.remove_suffix(1);
  std::string text(bare.empty() ? word : bare);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

struct Pair {
  size_t before = 0;
  size_t after = 0;
};

// A longest common subsequence, by dynamic programming from the end.
void pair_middle(std::span<const std::string> before, std::span<const std::string> after, size_t offset,
                 std::vector<Pair>& pairs) {
  if (before.size() > kMostPaired || after.size() > kMostPaired) return;
  const size_t width = after.size() + 1;
  std::vector<uint16_t> lengths((before.size() + 1) * width, 0);
  for (size_t i = before.size(); i-- > 0;) {
    for (size_t j = after.size(); j-- > 0;) {
      lengths[i * width + j] = before[i] == after[j]
                                   ? static_cast<uint16_t>(lengths[(i + 1) * width + j + 1] + 1)
                                   : std::max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  for (size_t i = 0, j = 0; i < before.size() && j < after.size();) {
    if (before[i] == after[j]) {
      pairs.push_back({offset + i++, offset + j++});
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
}

// The words that stay, in order; behind them a pair of both ends.
std::vector<Pair> pairs_of(std::span<const Word> before, std::span<const Word> after) {
  std::vector<std::string> a;
  std::vector<std::string> b;
  for (const Word& word : before) a.push_back(heard(word.text));
  for (const Word& word : after) b.push_back(heard(word.text));
  size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  size_t tail = 0;
  while (tail < a.size() - head && tail < b.size() - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
    ++tail;
  std::vector<Pair> pairs;
  for (size_t i = 0; i < head; ++i) pairs.push_back({i, i});
  pair_middle(std::span(a).subspan(head, a.size() - tail - head),
              std::span(b).subspan(head, b.size() - tail - head), head, pairs);
  for (size_t i = tail + 1; i-- > 0;) pairs.push_back({a.size() - i, b.size() - i});
  return pairs;
}

// Gives words without times those of `replaced`, or the time from `start_s` to `end_s` where that is empty.
void spread(std::span<Word> words, std::span<const Word> replaced, double start_s, double end_s) {
  if (words.size() == replaced.size()) {
    for (size_t i = 0; i < words.size(); ++i) {
      words[i].start = replaced[i].start;
      words[i].end = replaced[i].end;
    }
    return;
  }
  if (!replaced.empty()) {
    start_s = replaced.front().start;
    end_s = replaced.back().end;
  }
  size_t characters = 0;
  for (const Word& word : words) characters += character_count(word.text);
  const double step_s = std::max(end_s - start_s, 0.0) / static_cast<double>(std::max<size_t>(characters, 1));
  size_t passed = 0;
  for (Word& word : words) {
    word.start = start_s + step_s * static_cast<double>(passed);
    passed += character_count(word.text);
    word.end = start_s + step_s * static_cast<double>(passed);
  }
}

}  // namespace

std::vector<Word> realign(std::span<const Word> before, std::string_view text) {
  std::vector<Word> words = words_of(text, before);
  if (before.empty() || words.empty()) return words;
  words.front().space_before = before.front().space_before;
  for (Word& word : words) {
    word.speaker = before.front().speaker;
    word.confidence = 1;
  }
  Pair next;
  for (const Pair& pair : pairs_of(before, words)) {
    const auto fresh = std::span(words).subspan(next.after, pair.after - next.after);
    const double start_s = next.before == 0 ? before.front().start : before[next.before - 1].end;
    const double end_s = pair.before == before.size() ? before.back().end : before[pair.before].start;
    spread(fresh, before.subspan(next.before, pair.before - next.before), start_s, end_s);
    if (pair.before == before.size()) break;
    words[pair.after].start = before[pair.before].start;
    words[pair.after].end = before[pair.before].end;
    words[pair.after].confidence = before[pair.before].confidence;
    next = {pair.before + 1, pair.after + 1};
  }
  return words;
}

}  // namespace hansard::transcript
