// What the transcript has to know of writing: UTF-8, width on a screen, and where sentences and clauses end.
// Pure functions. Every text is valid UTF-8 but where said otherwise; columns are those of a fixed-width
// screen.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/writing.h"

namespace hansard::transcript {

// The last character; 0 of an empty text.
char32_t last_character(std::string_view text);
size_t character_count(std::string_view text);
std::string_view first_characters(std::string_view text, size_t count);

// Any bytes as one line of valid UTF-8: what is no UTF-8 becomes U+FFFD, control characters and white space
// become single spaces, none at the ends.
std::string cleaned(std::string_view bytes);

// 2 for East Asian wide characters, 0 for combining marks, else 1 (Unicode Annex 11).
int display_width(char32_t character);
int display_width(std::string_view text);
// True where a text may not be cut between these two: before marks, around joiners, inside a flag.
bool clings_to(char32_t before, char32_t character);

// True if `text` ends where a sentence does. Not after "Mr.", "e.g.", "J." or "3.".
bool ends_sentence(std::string_view text);
// True if `text` ends with a comma or what is like it.
bool ends_clause(std::string_view text);
// Only closing marks (".", "?", "”"): never the first of a line or a segment.
bool is_closing(std::string_view text);
// Ends with a mark that belongs to what follows ("(", "«").
bool ends_opening(std::string_view text);

}  // namespace hansard::transcript
