// Names as people type them. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hansard {

// ASCII letters in lower case; all else stays.
std::string lower(std::string_view text);

// Levenshtein's distance: how many bytes must be changed, put in or left out to make `a` of `b`.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace hansard
