// Words to speakers: each word goes to whoever speaks most of it, with ties broken towards no change.
#include <map>

#include "transcript/assemble.h"
#include "transcript/document.h"
#include "transcript/text.h"

namespace hansard::transcript {
namespace {

constexpr double kReach_s = 0.5;        // how far a word outside of all turns looks for one
constexpr double kSame_s = 0.0005;      // times are whole milliseconds
constexpr double kFaint_s = 0.05;       // a lead in overlap that is within the error of word times
constexpr double kJoinedPause_s = 0.3;  // below it, words belong to one flow of speech

struct Overlap {
  std::string_view speaker;
  double overlap_s = 0;
  double distance_s = 0;  // from the nearest turn; 0 inside
};

// Overlaps of a word with each speaker around it, by the start of the speaker's first turn there.
std::vector<Overlap> overlaps_of(const Word& word, std::span<const Turn* const> near) {
  std::vector<Overlap> overlaps;
  for (const Turn* turn : near) {
    const double shared = std::min(word.end, turn->end) - std::max(word.start, turn->start);
    auto found = std::ranges::find(overlaps, turn->speaker, &Overlap::speaker);
    if (found == overlaps.end()) {
      overlaps.push_back({turn->speaker, 0, kReach_s * 2});
      found = std::prev(overlaps.end());
    }
    found->overlap_s += std::max(shared, 0.0);
    found->distance_s = std::min(found->distance_s, std::max(-shared, 0.0));
  }
  return overlaps;
}

double overlap_with(std::span<const Overlap> overlaps, std::string_view speaker) {
  const auto found = std::ranges::find(overlaps, speaker, &Overlap::speaker);
  return found == overlaps.end() ? 0 : found->overlap_s;
}

// Who speaks most of the word, or is nearest to it. Ties go to the speaker of the word before, then to who
// began first. Nobody within reach: the speaker of the word before.
std::string_view speaker_of(std::span<const Overlap> overlaps, std::string_view before) {
  const Overlap* best = nullptr;
  for (const Overlap& one : overlaps) {
    if (one.distance_s > kReach_s + kSame_s) continue;
    if (best == nullptr) {
      best = &one;
      continue;
    }
    const double lead = one.overlap_s - best->overlap_s + best->distance_s - one.distance_s;
    if (lead > kSame_s || (lead > -kSame_s && one.speaker == before)) best = &one;
  }
  return best == nullptr ? before : best->speaker;
}

// The lead of a word's speaker over that of the word before, where both overlap it.
struct Lead {
  std::string before;
  double seconds = 0;
};

// A word between two of one speaker stays with them where another leads by less than word times can tell.
void smooth(std::vector<Word>& words, std::span<const Lead> leads) {
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const std::string& around = words[i - 1].speaker;
    if (words[i].speaker == around || words[i + 1].speaker != around) continue;
    if (leads[i].before != around || leads[i].seconds > kFaint_s) continue;
    if (words[i].start - words[i - 1].end > kJoinedPause_s) continue;
    if (words[i + 1].start - words[i].end > kJoinedPause_s) continue;
    words[i].speaker = around;
  }
}

// Words and turns by start, times held.
void assign_speakers(std::vector<Word>& words, std::span<const Turn> turns) {
  std::vector<const Turn*> near;
  std::vector<Lead> leads(words.size());
  std::string before;
  size_t next = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    Word& word = words[i];
    while (next < turns.size() && turns[next].start <= word.end + kReach_s + kSame_s) {
      near.push_back(&turns[next++]);
    }
    std::erase_if(near, [&](const Turn* turn) { return turn->end < word.start - kReach_s - kSame_s; });
    const std::vector<Overlap> overlaps = overlaps_of(word, near);
    const bool is_mark = !before.empty() && !word.space_before && is_closing(word.text);
    word.speaker = is_mark ? before : std::string(speaker_of(overlaps, before));
    const double shared_before = overlap_with(overlaps, before);
    if (shared_before > 0) leads[i] = {before, overlap_with(overlaps, word.speaker) - shared_before};
    before = word.speaker;
  }
  const auto first_known = std::ranges::find_if(words, [](const Word& w) { return !w.speaker.empty(); });
  const std::string& first_speaker =
      first_known == words.end() ? turns.front().speaker : first_known->speaker;
  for (auto word = words.begin(); word != first_known; ++word) word->speaker = first_speaker;
  smooth(words, leads);
}

// SPEAKER_00, … in the order in which they first speak.
void relabel(std::vector<Turn>& turns) {
  std::map<std::string, std::string> labels;
  for (Turn& turn : turns) {
    turn.speaker = labels.try_emplace(turn.speaker, speaker_id(labels.size())).first->second;
  }
}

// What each says without a pause worth the name.
std::vector<Turn> turns_of(std::span<const Word> words) {
  std::vector<Turn> turns;
  std::map<std::string_view, size_t> last;
  for (const Word& word : words) {
    const auto found = last.find(word.speaker);
    if (found != last.end() && word.start - turns[found->second].end <= kReach_s) {
      turns[found->second].end = std::max(turns[found->second].end, word.end);
    } else {
      last[word.speaker] = turns.size();
      turns.push_back({word.start, word.end, word.speaker});
    }
  }
  return turns;
}

}  // namespace

Document merge(MergeInput input) {
  Document document;
  document.duration_s = held_duration(input.duration_s);
  document.diarized = input.diarized;
  document.words = std::move(input.words);
  const bool known = input.diarized && !document.words.empty() && !document.words.front().speaker.empty();
  if (known) input.turns = turns_of(document.words);
  hold_words(document.words, document.duration_s);
  if (input.diarized) document.turns = held_turns(std::move(input.turns), document.duration_s);
  if (!known) {
    for (Word& word : document.words) word.speaker = input.diarized ? speaker_id(0) : std::string();
    relabel(document.turns);
    if (!document.turns.empty()) assign_speakers(document.words, document.turns);
  }
  document.segments = segments_of(document.words);
  if (document.diarized) list_speakers(document);
  return document;
}

}  // namespace hansard::transcript
