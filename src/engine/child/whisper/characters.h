// Characters as GPT-2's splitter sees them, and reading of UTF-8 that may be broken.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hansard::engine::whisper {

enum class CharacterClass { other, letter, number, space };

// Unicode's general categories L* and N*, and the property White_Space. Exact for the first 65,536
// characters, by block beyond them. Any thread.
CharacterClass class_of(char32_t character);

struct Character {
  char32_t value = 0;
  size_t length_bytes = 1;
  bool valid = true;     // false: these bytes are no character
  bool cut_off = false;  // the text ends inside of this character; more bytes could complete it
};

// The character at the start of `text`, which is not empty. Broken bytes come in the pieces that Unicode
// recommends to replace one by one: the longest start of a character, else one byte.
Character first_character(std::string_view text);

// `text` with U+FFFD in place of broken bytes.
std::string repaired(std::string_view text);

}  // namespace hansard::engine::whisper
