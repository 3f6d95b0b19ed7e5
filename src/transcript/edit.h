// What a person changes in a transcript. Pure functions: each gives the document as it is then, or says which
// field of the wish cannot be had. What a document promises holds afterwards, and what the change does not
// name stays as it was: ids, word times, confidence.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transcript/document.h"

namespace hansard::transcript {

// A segment is what one reads at a glance; a person may make more of it, up to this.
inline constexpr size_t kSegmentCharacters = 20'000;
inline constexpr size_t kSpeakerNameCharacters = 200;

struct EditProblem {
  std::string field;  // "segments[0].id"
  std::string message;
};
using Edited = tl::expected<Document, EditProblem>;

struct SegmentChange {
  std::string id;
  std::optional<std::string> text;     // empty: the segment goes
  std::optional<std::string> speaker;  // "SPEAKER_02": one who is there, or a new one
};
// Word times follow a text as align.h says. Turns follow a speaker: those of the one before go over to the
// other, as far as the segment reaches. A document without speakers gets them: all else is SPEAKER_00's.
Edited change_segments(Document document, std::span<const SegmentChange> changes);

// Cuts a segment before its word `word` (0 is its first, which cannot be meant), or before the first word
// most of which is after `time_s`. The first part keeps the id. Segments without word times cannot be cut.
Edited split_segment(Document document, std::string_view id, size_t word);
Edited split_segment_at(Document document, std::string_view id, double time_s);

// Two or more segments, each the next one's neighbour, become one with the first one's id and speaker.
Edited join_segments(Document document, std::span<const std::string> ids);

// Names of speakers by their ids; an empty one takes the name away.
Edited name_speakers(Document document, const std::map<std::string, std::string>& names);

// All that is `from`'s becomes `into`'s, who takes the name of the other where it has none.
Edited merge_speakers(Document document, std::string_view from, std::string_view into);

}  // namespace hansard::transcript

namespace hansard {

inline tl::unexpected<transcript::EditProblem> fail(transcript::EditProblem problem) {
  return tl::unexpected<transcript::EditProblem>(std::move(problem));
}

}  // namespace hansard
