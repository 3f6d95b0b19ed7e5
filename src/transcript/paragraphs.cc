#include "transcript/paragraphs.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/languages.h"
#include "transcript/assemble.h"
#include "transcript/text.h"

namespace hansard::transcript {
namespace {

// A paragraph in columns: from kFull on it ends with its sentence, at kOverfull anywhere; a pause of kPause_s
// ends one that is worth ending.
constexpr int kWorthEnding = 200;
constexpr int kFull = 500;
constexpr int kOverfull = 900;
constexpr double kPause_s = 2;

bool ends_before(const Paragraph& paragraph, int width, const Segment& next) {
  if (next.speaker != paragraph.speaker || width >= kOverfull) return true;
  if (width >= kWorthEnding && next.start - paragraph.end >= kPause_s) return true;
  return width >= kFull && ends_sentence(paragraph.text);
}

// "0:14:19"
std::string full_clock(double seconds) {
  const long whole = std::lround(seconds);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string language_fact(std::string_view code) {
  const std::string_view name = language_name(code);
  return name == code ? std::string(code) : fmt::format("{} ({})", name, code);
}

}  // namespace

std::vector<Paragraph> paragraphs_of(const Document& document) {
  std::vector<Paragraph> paragraphs;
  int width = 0;
  for (size_t i = 0; i < document.segments.size(); ++i) {
    const Segment& segment = document.segments[i];
    if (paragraphs.empty() || ends_before(paragraphs.back(), width, segment)) {
      paragraphs.push_back({segment.start, segment.end, segment.speaker, ""});
      width = 0;
    }
    Paragraph& paragraph = paragraphs.back();
    if (!paragraph.text.empty() && space_before_segment(document, i)) paragraph.text += ' ';
    paragraph.text += segment.text;
    paragraph.end = std::max(paragraph.end, segment.end);
    width += display_width(segment.text) + 1;
  }
  return paragraphs;
}

std::vector<Fact> facts_of(const Document& document) {
  std::vector<Fact> facts;
  const auto add = [&](std::string name, std::string value) {
    if (!value.empty()) facts.push_back({std::move(name), std::move(value)});
  };
  if (document.diarized) add("Speakers", fmt::format("{}", document.speakers.size()));
  add("Duration", full_clock(document.duration_s));
  add("Language", language_fact(document.language));
  add("Model", document.transcription_model);
  add("Date", document.date);
  return facts;
}

}  // namespace hansard::transcript
