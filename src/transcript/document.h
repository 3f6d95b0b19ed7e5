// The canonical transcript: words, segments, speakers and turns of one recording. What everything else
// (exports, the API, edits) is made from. Times are seconds since the start of the recording, never decrease,
// lie within the media, and start <= end. Plain values; no I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hansard::transcript {

struct Word {
  double start = 0;
  double end = 0;
  std::string text;          // without spaces around it
  bool space_before = true;  // false inside a sentence of a language that writes none
  std::string speaker;       // "SPEAKER_00"; empty without diarization
  double confidence = 0;     // 0..1
};

struct Segment {
  std::string id;  // "seg_000001", …: in order until a person cuts one
  double start = 0;
  double end = 0;
  std::string speaker;
  std::string text;
  size_t first_word = 0;  // words [first_word, first_word + word_count) of the document
  size_t word_count = 0;  // 0 where no word times are known
};

struct Speaker {
  std::string id;
  std::optional<std::string> name;  // given by a person
  double seconds = 0;
};

struct Turn {
  double start = 0;
  double end = 0;
  std::string speaker;
};

struct Warning {
  std::string code;  // "DIARIZATION_FAILED"
  std::string message;
};

struct Document {
  std::string transcription_id;  // empty outside of the library
  std::string title;
  std::string language;   // code; empty where nothing was said
  double duration_s = 0;  // of the recording
  std::string date;       // "2026-11-24": when the transcript was made
  std::vector<Word> words;
  std::vector<Segment> segments;
  std::vector<Speaker> speakers;
  std::vector<Turn> turns;
  bool diarized = false;  // false: the speaker fields are absent from JSON
  std::string provider;
  std::string transcription_model;
  std::string diarization_model;
  std::vector<Warning> warnings;

  std::string text() const;  // the segments' texts, joined
};

// Builds a document's segments, speakers and each word's speaker from words and turns. A word's speaker is
// the one that overlaps it most; with none, the nearest within 0.5 s; else that of the word before it. A
// segment has one speaker and ends at a sentence's end, a long pause, or when it grows too long. Times are
// made to hold what the document promises. Empty `turns` with `diarized` true means that nobody was told
// apart: one speaker. Words that know their speakers, since each has a channel, keep them, and the turns are
// made from them.
struct MergeInput {
  std::vector<Word> words;  // in order
  std::vector<Turn> turns;  // speakers as "SPEAKER_00"; may overlap
  bool diarized = false;
  double duration_s = 0;
};
Document merge(MergeInput input);

// The canonical JSON of a document, and a document from it. Reads older rows too: JSON without words or
// turns, and plain text (one segment over the whole duration). Errors: invalid_request.
std::string to_json(const Document& document);
Result<Document> from_json(std::string_view json);
Document from_plain_text(std::string_view text, double duration_s);

}  // namespace hansard::transcript
