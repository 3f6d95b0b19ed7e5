// What merge(), from_json() and edits share: making words, turns and segments from elsewhere hold what the
// document promises. Pure functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "transcript/document.h"

namespace hansard::transcript {

// Times are kept to the millisecond, so that every export and what is read back from JSON agree.
double to_milliseconds(double seconds);
// A duration that is finite and not negative.
double held_duration(double seconds);

// Makes the items' times finite, never decreasing and within [0, duration_s]; each ends before the next
// begins.
template <typename Item>
void hold_times(std::vector<Item>& items, double duration_s) {
  double last = 0;
  for (Item& item : items) {
    item.start = std::isnan(item.start) ? last : to_milliseconds(std::clamp(item.start, last, duration_s));
    item.end =
        std::isnan(item.end) ? item.start : to_milliseconds(std::clamp(item.end, item.start, duration_s));
    last = item.start;
  }
  for (size_t i = 1; i < items.size(); ++i) items[i - 1].end = std::min(items[i - 1].end, items[i].start);
}

// Words with clean text, none empty, confidence in 0..1; times as hold_times() makes them.
void hold_words(std::vector<Word>& words, double duration_s);

// Turns by start within [0, duration_s]; a speaker's turns that touch or overlap are one.
std::vector<Turn> held_turns(std::vector<Turn> turns, double duration_s);

// All of these, and each segment's times from its words; where it has none, its own.
void hold_document(Document& document);

// Segments over all words, each of one speaker.
std::vector<Segment> segments_of(std::span<const Word> words);

// The words' texts with the spaces between them.
std::string text_of(std::span<const Word> words);

// Whether a space stands between two texts that follow each other; between segment `i` and the one before it.
bool space_between(std::string_view before, std::string_view after);
bool space_before_segment(const Document& document, size_t i);

// "seg_000001", … and "SPEAKER_00", …
std::string segment_id(size_t index);
std::string speaker_id(size_t index);
bool is_speaker_id(std::string_view id);

// Adds the speakers of turns and segments that `document` does not list yet, in order of appearance, and
// counts the seconds of those that have none: from the turns, where there are none from the segments.
void list_speakers(Document& document);

}  // namespace hansard::transcript
