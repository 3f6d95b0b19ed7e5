// Names and numbers as people and programs write them. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hansard {

// ASCII letters in lower case; all else stays.
std::string lower(std::string_view text);

// Levenshtein's distance: how many bytes must be changed, put in or left out to make `a` of `b`.
size_t edit_distance(std::string_view a, std::string_view b);

// "42" or "-7", and nothing else; nothing where it is none, or too large.
std::optional<int64_t> parse_integer(std::string_view text);

// "true" or "false", as people write it in a form: also 1, yes, on and 0, no, off, by their first letters, in
// any case; nothing where it is neither.
std::optional<bool> parse_truth(std::string_view text);

}  // namespace hansard
