// The words of a text that a person has changed: what was heard keeps its time, what is new gets the time of
// what it stands for. Pure functions.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "transcript/document.h"

namespace hansard::transcript {

// The words of `text`, which is clean and stands where the words `before` stood, all of one speaker. A
// longest common subsequence of both pairs the words that stay, whatever became of their capitals and marks:
// those keep time and confidence. Where as many words were replaced as there are now, each takes the time of
// its own; else they share that of all that were replaced, by their characters. Words that replace none have
// the time between their neighbours, which may be none. The confidence of what a person wrote is 1. Times are
// held to those of `before`, whose first word says whether a space stands before the text.
std::vector<Word> realign(std::span<const Word> before, std::string_view text);

}  // namespace hansard::transcript
