// Searching what was said: a store operation, since each database has an index of words of its own. What is
// found are passages: the segments of each transcript's newest version. Case and diacritics do not count;
// languages without spaces are found by their characters.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hansard::store {

class Transaction;

// Times in seconds since the start of the recording.
struct Passage {
  std::string segment_id;
  double start_s = 0;
  double end_s = 0;
  std::optional<std::string> speaker;
  std::optional<std::string> speaker_name;
  std::string text;
};

// Replaces all passages of a transcription. With the rows of the transcription they go by themselves.
Result<void> put_passages(Transaction& transaction, std::string_view user_id,
                          std::string_view transcription_id, std::span<const Passage> passages);

// A word, or words that follow each other; `prefix`: the last of them may go on. Any text: what has a meaning
// to the database is its driver's to escape.
struct SearchTerm {
  std::string text;
  bool prefix = false;
};

// Where a page ended. What matches is taken in windows, the latest first, and ranked within each: so a word
// that is everywhere costs no more than a rare one. Where matches fit one window, all are ranked.
struct SearchPlace {
  int64_t window = 0;  // of passages before this one
  int64_t score = 0;
  int64_t id = 0;
};

struct SearchQuery {
  std::string user_id;
  std::vector<SearchTerm> terms;  // all of them must be there
  int64_t limit = 50;
  std::optional<SearchPlace> after;
};

struct SearchHit {
  std::string transcription_id;
  std::string title;
  Passage passage;
  std::string snippet;  // of its text, with kMarkBegin and kMarkEnd around what was found
};
inline constexpr char kMarkBegin = '\x02';
inline constexpr char kMarkEnd = '\x03';

struct SearchPage {
  std::vector<SearchHit> hits;
  std::optional<SearchPlace> next;  // nothing at the end
};

}  // namespace hansard::store
