#include "transcript/text.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace hansard::transcript {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool in(std::u32string_view set, char32_t character) {
  return set.find(character) != std::u32string_view::npos;
}

bool is_space(char32_t c) {
  return c <= 0x20 || (c >= 0x7F && c <= 0x9F) || in(U"\u1680\u2028\u2029\u205F\u3000", c) ||
         (c >= 0x2000 && c <= 0x200A);
}

constexpr char32_t kNoBreakSpace = 0xA0;

// Marks after which a sentence's end still shows: Hello.” (He left.)
bool is_closer(char32_t c) {
  return in(U"\"'`)]}”’“»›」』）】》〉］｣", c);
}
bool is_opener(char32_t c) {
  return in(U"\"'`([{“‘„«‹「『（【《〈［｢¿¡", c);
}
bool is_sentence_mark(char32_t c) {
  return in(U"?!…。？！．｡؟۔।॥።။។‼⁇⁈⁉", c);
}
bool is_clause_mark(char32_t c) {
  return in(U",;:–—―、，；：،؛·፣", c);
}

std::string_view without_last(std::string_view text) {
  size_t size = text.size();
  while (size > 0) {
    --size;
    if ((static_cast<unsigned char>(text[size]) & 0xC0U) != 0x80U) break;
  }
  return text.substr(0, size);
}

std::string_view without_closers(std::string_view text) {
  while (!text.empty()) {
    const char32_t last = last_character(text);
    if (!is_closer(last) && !is_space(last) && last != kNoBreakSpace) break;
    text = without_last(text);
  }
  return text;
}

// What stands between the last space or opening mark and the final full stop.
std::string_view last_token(std::string_view text) {
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_character(text, at);
    if (is_space(c) || is_opener(c) || c == kNoBreakSpace) begin = at;
  }
  return text.substr(begin);
}

// Short forms before a full stop that are followed by what they belong to. Those that often end a sentence
// ("etc.", "No.") are left out.
constexpr std::array<std::string_view, 46> kShortForms = {
    "approx", "bijv", "bzw", "ca",  "capt", "cf",  "col", "corp", "dhr", "dr",  "dra",  "evtl",
    "fig",    "gen",  "ggf", "gov", "hon",  "hr",  "inc", "jr",   "lt",  "ltd", "mevr", "mlle",
    "mme",    "mr",   "mrs", "ms",  "mt",   "mx",  "ph",  "prof", "rep", "rev", "sen",  "sgt",
    "sig",    "sr",   "sra", "st",  "str",  "tel", "usw", "vgl",  "viz", "vs"};

bool is_short_form(std::string_view token) {
  std::string lower(token);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::ranges::find(kShortForms, lower) != kShortForms.end();
}

// "e.g", "U.S", "p.m", "Ph.D": parts of one or two letters.
bool is_dotted(std::string_view token) {
  if (token.find('.') == std::string_view::npos) return false;
  size_t letters = 0;
  for (size_t at = 0; at < token.size();) {
    letters = next_character(token, at) == U'.' ? 0 : letters + 1;
    if (letters > 2) return false;
  }
  return true;
}

// "J", but not "I", which ends sentences in English, and no Chinese character.
bool is_initial(std::string_view token) {
  constexpr char32_t kEndOfLatin = 0x250;
  return character_count(token) == 1 && token != "I" && last_character(token) < kEndOfLatin;
}

bool is_digit(char32_t c) {
  return c >= U'0' && c <= U'9';
}

}  // namespace

char32_t last_character(std::string_view text) {
  if (text.empty()) return 0;
  size_t at = without_last(text).size();
  return next_character(text, at);
}

size_t character_count(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) next_character(text, at);
  return count;
}

std::string_view first_characters(std::string_view text, size_t count) {
  size_t end = 0;
  for (; count > 0 && end < text.size(); --count) next_character(text, end);
  return text.substr(0, end);
}

std::string cleaned(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  bool space = false;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const bool well_formed = well_formed_size(bytes, at) != 0;
    const char32_t character = next_character(bytes, at);
    if (is_space(character)) {
      space = true;
      continue;
    }
    if (space && !text.empty()) text += ' ';
    space = false;
    text += well_formed ? bytes.substr(begin, at - begin) : kReplacement;
  }
  return text;
}

bool ends_sentence(std::string_view text) {
  text = without_closers(text);
  const char32_t last = last_character(text);
  if (is_sentence_mark(last)) return true;
  if (last != U'.') return false;
  const std::string_view token = last_token(without_last(text));
  if (token.empty() || token.ends_with('.')) return true;  // "wait..."
  return !is_digit(last_character(token)) && !is_dotted(token) && !is_initial(token) && !is_short_form(token);
}

bool ends_clause(std::string_view text) {
  return is_clause_mark(last_character(without_closers(text)));
}

bool is_closing(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_character(text, at);
    const bool closing = c == U'.' || c == U'%' || is_closer(c) || is_sentence_mark(c) ||
                         (is_clause_mark(c) && !in(U"–—―·", c)) || c == kNoBreakSpace;
    if (!closing || is_opener(c)) return false;
  }
  return !text.empty();
}

bool ends_opening(std::string_view text) {
  const char32_t last = last_character(text);
  return is_opener(last) && !is_closer(last);
}

}  // namespace hansard::transcript
