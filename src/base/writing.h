// The characters of a text in UTF-8, and which languages write without spaces. Pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace hansard {

// The bytes of the well-formed character at `at` (Unicode, table 3-7); 0 where there is none.
size_t well_formed_size(std::string_view bytes, size_t at);

// The character that begins at byte `at`, which moves behind it. U+FFFD for a byte that begins none.
char32_t next_character(std::string_view text, size_t& at);

// Chinese and Japanese: no spaces between words nor sentences.
bool is_cjk(char32_t character);
// Those, Thai, Lao, Khmer, Burmese and Tibetan: a line may break between any two words without a space.
bool is_spaceless(char32_t character);

}  // namespace hansard
