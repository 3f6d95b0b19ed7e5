#include "jobs/passages.h"

#include <algorithm>

namespace hansard::jobs {

std::vector<store::Passage> passages_of(const transcript::Document& document) {
  std::vector<store::Passage> passages;
  for (const transcript::Segment& segment : document.segments) {
    store::Passage passage{segment.id, segment.start, segment.end, std::nullopt, std::nullopt, segment.text};
    if (document.diarized) passage.speaker = segment.speaker;
    const auto speaker = std::ranges::find(document.speakers, segment.speaker, &transcript::Speaker::id);
    if (speaker != document.speakers.end()) passage.speaker_name = speaker->name;
    passages.push_back(std::move(passage));
  }
  return passages;
}

}  // namespace hansard::jobs
