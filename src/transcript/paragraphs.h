// What the forms for reading share: a transcript's paragraphs, and the facts above them. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "transcript/document.h"

namespace hansard::transcript {

struct Paragraph {
  double start = 0;
  double end = 0;
  std::string speaker;
  std::string text;
};
// Neighbouring segments of a speaker, joined until they are long enough.
std::vector<Paragraph> paragraphs_of(const Document& document);

// "Speakers" "2", …: those that are known.
struct Fact {
  std::string name;
  std::string value;
};
std::vector<Fact> facts_of(const Document& document);

}  // namespace hansard::transcript
