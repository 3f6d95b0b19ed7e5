#include "transcript/assemble.h"

#include <map>
#include <tuple>

#include <fmt/format.h>

#include "base/json.h"
#include "transcript/text.h"

namespace hansard::transcript {
namespace {

// A segment is what one reads at a glance and what a page plays on a click.
constexpr double kLongPause_s = 1.0;
constexpr double kLongSegment_s = 30;
constexpr size_t kLongSegmentCharacters = 400;
// Times are whole milliseconds, their differences as doubles are not.
constexpr double kHalfMillisecond_s = 0.0005;

double pause_before(std::span<const Word> words, size_t i) {
  return words[i].start - words[i - 1].end;
}

// A word that may not begin a segment: a mark that closes the word before it.
bool is_glued(const Word& word) {
  return !word.space_before && is_closing(word.text);
}

bool ends_before(std::span<const Word> words, size_t i, std::string_view text) {
  if (words[i].speaker != words[i - 1].speaker) return true;
  if (is_glued(words[i])) return false;
  return pause_before(words, i) > kLongPause_s + kHalfMillisecond_s || ends_sentence(text);
}

// Where to cut words [first, end), which are too many for a segment: in the later half, after a clause or in
// the longest pause.
size_t cut_of_long(std::span<const Word> words, size_t first, size_t end) {
  size_t best = end;
  double best_score = 0;
  for (size_t i = first + (end - first) / 2 + 1; i < end; ++i) {
    if (is_glued(words[i])) continue;
    const double score = pause_before(words, i) + (ends_clause(words[i - 1].text) ? kLongPause_s : 0);
    if (score > best_score + kHalfMillisecond_s) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

Segment segment_over(std::span<const Word> words, size_t first, size_t end) {
  Segment segment;
  segment.start = words[first].start;
  segment.end = words[end - 1].end;
  segment.speaker = words[first].speaker;
  segment.text = text_of(words.subspan(first, end - first));
  segment.first_word = first;
  segment.word_count = end - first;
  return segment;
}

}  // namespace

double to_milliseconds(double seconds) {
  return json::rounded(seconds, 3);
}

double held_duration(double seconds) {
  constexpr double kLongest_s = 1e8;  // three years: beyond it, milliseconds are still exact
  return std::isnan(seconds) ? 0 : to_milliseconds(std::clamp(seconds, 0.0, kLongest_s));
}

void hold_words(std::vector<Word>& words, double duration_s) {
  for (Word& word : words) {
    word.text = cleaned(word.text);
    word.confidence =
        std::isnan(word.confidence) ? 0 : json::rounded(std::clamp(word.confidence, 0.0, 1.0), 3);
  }
  std::erase_if(words, [](const Word& word) { return word.text.empty(); });
  if (!words.empty()) words.front().space_before = true;
  hold_times(words, duration_s);
}

std::vector<Turn> held_turns(std::vector<Turn> turns, double duration_s) {
  for (Turn& turn : turns) {
    if (std::isnan(turn.start) || std::isnan(turn.end)) turn = Turn{};
    turn.start = to_milliseconds(std::clamp(turn.start, 0.0, duration_s));
    turn.end = to_milliseconds(std::clamp(turn.end, 0.0, duration_s));
  }
  std::erase_if(turns, [](const Turn& turn) { return turn.end <= turn.start || turn.speaker.empty(); });
  std::ranges::sort(turns, {}, [](const Turn& turn) { return std::tie(turn.start, turn.end, turn.speaker); });

  std::vector<Turn> held;
  std::map<std::string, size_t> last_of;
  for (Turn& turn : turns) {
    const auto [entry, is_first] = last_of.try_emplace(turn.speaker, held.size());
    if (!is_first && turn.start <= held[entry->second].end) {
      held[entry->second].end = std::max(held[entry->second].end, turn.end);
      continue;
    }
    entry->second = held.size();
    held.push_back(std::move(turn));
  }
  return held;
}

void hold_document(Document& document) {
  hold_words(document.words, document.duration_s);
  for (Segment& segment : document.segments) {
    if (segment.word_count == 0) continue;
    segment.start = document.words[segment.first_word].start;
    segment.end = document.words[segment.first_word + segment.word_count - 1].end;
  }
  hold_times(document.segments, document.duration_s);
  document.turns = held_turns(std::move(document.turns), document.duration_s);
}

std::vector<Segment> segments_of(std::span<const Word> words) {
  std::vector<Segment> segments;
  size_t first = 0;
  std::string text;
  size_t characters = 0;
  const auto close_before = [&](size_t end) {
    segments.push_back(segment_over(words, first, end));
    first = end;
  };
  for (size_t i = 0; i < words.size(); ++i) {
    const size_t more = character_count(words[i].text) + (words[i].space_before ? 1 : 0);
    if (i > first && ends_before(words, i, text)) {
      close_before(i);
      text.clear();
      characters = 0;
    } else if (i > first && (characters + more > kLongSegmentCharacters ||
                             words[i].end - words[first].start > kLongSegment_s)) {
      close_before(cut_of_long(words, first, i));
      text = text_of(words.subspan(first, i - first));
      characters = character_count(text);
    }
    if (!text.empty() && words[i].space_before) text += ' ';
    text += words[i].text;
    characters += more;
  }
  if (first < words.size()) close_before(words.size());
  for (size_t i = 0; i < segments.size(); ++i) segments[i].id = segment_id(i);
  return segments;
}

std::string text_of(std::span<const Word> words) {
  std::string text;
  for (const Word& word : words) {
    if (!text.empty() && word.space_before) text += ' ';
    text += word.text;
  }
  return text;
}

bool space_between(std::string_view before, std::string_view after) {
  size_t at = 0;
  return before.empty() || after.empty() || !is_cjk(last_character(before)) ||
         !is_cjk(next_character(after, at));
}

bool space_before_segment(const Document& document, size_t i) {
  if (i == 0) return false;
  const Segment& segment = document.segments[i];
  if (segment.word_count > 0) return document.words[segment.first_word].space_before;
  return space_between(document.segments[i - 1].text, segment.text);
}

std::string segment_id(size_t index) {
  return fmt::format("seg_{:06}", index + 1);
}
std::string speaker_id(size_t index) {
  return fmt::format("SPEAKER_{:02}", index);
}

bool is_speaker_id(std::string_view id) {
  constexpr std::string_view kPrefix = "SPEAKER_";
  if (!id.starts_with(kPrefix) || id.size() < kPrefix.size() + 2 || id.size() > kPrefix.size() + 6)
    return false;
  return id.substr(kPrefix.size()).find_first_not_of("0123456789") == std::string_view::npos;
}

void list_speakers(Document& document) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < document.speakers.size(); ++i) place.emplace(document.speakers[i].id, i);
  const size_t listed_before = document.speakers.size();
  const auto count = [&](const std::string& id, double seconds) {
    const auto [entry, is_new] = place.try_emplace(id, document.speakers.size());
    if (is_new) document.speakers.push_back({id, std::nullopt, 0});
    if (entry->second >= listed_before) document.speakers[entry->second].seconds += seconds;
  };
  for (const Turn& turn : document.turns) count(turn.speaker, turn.end - turn.start);
  for (const Segment& segment : document.segments) {
    count(segment.speaker, document.turns.empty() ? segment.end - segment.start : 0);
  }
  for (Speaker& speaker : document.speakers) speaker.seconds = held_duration(speaker.seconds);
}

}  // namespace hansard::transcript
