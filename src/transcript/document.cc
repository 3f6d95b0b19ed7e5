#include "transcript/document.h"

#include "transcript/assemble.h"
#include "transcript/text.h"

namespace hansard::transcript {

std::string Document::text() const {
  std::string text;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (space_before_segment(*this, i)) text += ' ';
    text += segments[i].text;
  }
  return text;
}

Document from_plain_text(std::string_view text, double duration_s) {
  Document document;
  document.duration_s = held_duration(duration_s);
  Segment segment;
  segment.id = segment_id(0);
  segment.end = document.duration_s;
  segment.text = cleaned(text);
  if (!segment.text.empty()) document.segments.push_back(std::move(segment));
  return document;
}

}  // namespace hansard::transcript
