// Subtitles: SRT and WebVTT. Words become cues by the cheapest way to cut them (dynamic programming over all
// cuts that keep the limits), so that cues end where sentences, clauses or pauses do, and their lines are
// even.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "transcript/assemble.h"
#include "transcript/exports.h"
#include "transcript/formats.h"
#include "transcript/text.h"

namespace hansard::transcript {
namespace {

// What viewers read with ease: the usual rules of broadcasters.
constexpr int kLineWidth = 42;
constexpr double kLongestCue_s = 7;
constexpr double kShortestCue_s = 1;
constexpr double kLongPause_s = 1;  // no cue spans it
constexpr double kNoticedPause_s = 0.3;
constexpr double kHalfMillisecond_s = 0.0005;
constexpr int kPrefixWidth = 30;    // of a speaker's name in SRT
constexpr size_t kMostAtoms = 200;  // of a cue; more would be marks without width

// Costs of a cut. Only their relations matter: one more cue is worth avoiding a cut between two words of a
// clause, not one at a clause's end.
constexpr int kCueCost = 40;
constexpr int kCutInClauseCost = 60;
constexpr int kCutAtClauseCost = 12;
constexpr int kCutAtPauseCost = 10;
constexpr int kInnerSentenceCost = 10;
constexpr int kInnerPauseCostPerSecond = 40;
constexpr int kFlashCost = 30;  // for a cue that is shown for less than kShortestCue_s
constexpr int kLineInClauseCost = 8;
constexpr int kLineAtClauseCost = 2;
constexpr int kUnevenColumnsPerCost = 4;
constexpr int kImpossible = std::numeric_limits<int>::max() / 4;

// What no line break divides: mostly a word with the marks around it.
struct Atom {
  double start = 0;
  double end = 0;
  std::string text;
  bool space_before = true;
};

// Atoms of one speaker without a long pause.
struct Block {
  std::string speaker;
  bool begins_with_name = false;  // the first atom is the speaker's name
  std::vector<Atom> atoms;
};

struct Cue {
  int64_t start_ms = 0;
  int64_t end_ms = 0;
  std::string speaker;
  std::vector<std::string> lines;  // one or two
};

// ---- words to atoms

// Divides `text` into words where it has spaces, and between any two characters where its script has none.
std::vector<Atom> words_of_text(std::string_view text) {
  std::vector<Atom> words;
  char32_t before = U' ';
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t character = next_character(text, at);
    const bool cut = before == U' ' ||
                     (!clings_to(before, character) && (is_spaceless(before) || is_spaceless(character)));
    if (character != U' ') {
      if (cut) words.push_back({0, 0, "", before == U' '});
      words.back().text += text.substr(begin, at - begin);
    }
    before = character;
  }
  return words;
}

// Gives each part its share of the time by its characters.
void share_time(std::span<Atom> parts, double start, double end) {
  size_t total = 0;
  for (const Atom& part : parts) total += character_count(part.text);
  size_t done = 0;
  for (Atom& part : parts) {
    const auto time_at = [&](size_t characters) {
      return start + (end - start) * static_cast<double>(characters) / static_cast<double>(total);
    };
    part.start = time_at(done);
    done += character_count(part.text);
    part.end = time_at(done);
  }
}

std::vector<Atom> words_of(const Document& document, size_t segment_index) {
  const Segment& segment = document.segments[segment_index];
  std::vector<Atom> words;
  if (segment.word_count == 0) {
    words = words_of_text(segment.text);
    share_time(words, segment.start, segment.end);
    if (!words.empty()) words.front().space_before = space_before_segment(document, segment_index);
    return words;
  }
  for (const Word& word : std::span(document.words).subspan(segment.first_word, segment.word_count)) {
    words.push_back({word.start, word.end, word.text, word.space_before});
  }
  return words;
}

// Bytes of the first part of a text that is wider than a line: up to a hyphen or slash in the later half of
// the line, else all that fits.
size_t first_part_bytes(std::string_view text) {
  size_t fitting = 0;
  size_t after_mark = 0;
  int width = 0;
  char32_t before = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t character = next_character(text, at);
    if (begin > 0 && !clings_to(before, character)) {
      fitting = begin;
      const bool mark = std::u32string_view(U"-/_.,:;=&?").find(before) != std::u32string_view::npos;
      if (mark && width > kLineWidth / 2) after_mark = begin;
    }
    width += display_width(character);
    if (width > kLineWidth) {
      if (fitting == 0) fitting = begin;  // one character with more marks than a line holds
      break;
    }
    before = character;
  }
  return after_mark > 0 ? after_mark : fitting;
}

// Appends `atom`, cut into parts that fit a line.
void append_cut(std::vector<Atom>& atoms, Atom atom) {
  if (display_width(atom.text) <= kLineWidth) {
    atoms.push_back(std::move(atom));
    return;
  }
  const size_t first = atoms.size();
  std::string_view rest = atom.text;
  while (display_width(rest) > kLineWidth) {
    const size_t bytes = first_part_bytes(rest);
    atoms.push_back({0, 0, std::string(rest.substr(0, bytes)), atoms.size() == first && atom.space_before});
    rest.remove_prefix(bytes);
  }
  atoms.push_back({0, 0, std::string(rest), false});
  share_time(std::span(atoms).subspan(first), atom.start, atom.end);
}

// Whether no line may break between two words.
bool belong_together(const Atom& before, const Atom& word) {
  if (display_width(before.text) + (word.space_before ? 1 : 0) + display_width(word.text) > kLineWidth)
    return false;
  if (is_closing(word.text) || ends_opening(before.text)) return true;
  size_t at = 0;
  return !word.space_before && !is_spaceless(last_character(before.text)) &&
         !is_spaceless(next_character(word.text, at));
}

void append_word(std::vector<Atom>& atoms, Atom word) {
  if (!atoms.empty() && belong_together(atoms.back(), word)) {
    if (word.space_before) atoms.back().text += ' ';
    atoms.back().text += word.text;
    atoms.back().end = std::max(atoms.back().end, word.end);
    return;
  }
  append_cut(atoms, std::move(word));
}

std::vector<Block> blocks_of(const Document& document) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < document.segments.size(); ++i) {
    const std::string& speaker = document.segments[i].speaker;
    for (Atom& word : words_of(document, i)) {
      const bool goes_on = !blocks.empty() && blocks.back().speaker == speaker &&
                           word.start - blocks.back().atoms.back().end <= kLongPause_s + kHalfMillisecond_s;
      if (!goes_on) blocks.push_back({speaker, false, {}});
      append_word(blocks.back().atoms, std::move(word));
    }
  }
  return blocks;
}

// ---- atoms to cues

// Cuts one block into cues.
class Cutter {
 public:
  // `next_start_s`: when the next block begins.
  Cutter(const Block& block, double next_start_s)
      : atoms_(block.atoms), begins_with_name_(block.begins_with_name), next_start_s_(next_start_s) {
    offsets_.push_back(0);
    for (const Atom& atom : atoms_) {
      offsets_.push_back(offsets_.back() + (atom.space_before ? 1 : 0) + display_width(atom.text));
      ends_sentence_.push_back(ends_sentence(atom.text));
      ends_clause_.push_back(ends_clause(atom.text));
    }
  }

  // The first atoms of the cues, and the end of the last: {0, …, count}.
  std::vector<size_t> cut() const {
    const size_t count = atoms_.size();
    std::vector<int> costs(count + 1, kImpossible);
    std::vector<size_t> starts(count + 1, 0);
    costs[0] = 0;
    for (size_t end = 1; end <= count; ++end) {
      int inner_cost = 0;
      for (size_t length = 1; length <= end && length <= kMostAtoms; ++length) {
        const size_t first = end - length;
        if (first + 1 < end) inner_cost += inner_cost_before(first + 1);
        if (width(first, end) > 2 * kLineWidth + 1 || lasts_too_long(first, end)) break;
        const int cost = costs[first] + cue_cost(first, end) + inner_cost;
        if (costs[first] < kImpossible && cost < costs[end]) {
          costs[end] = cost;
          starts[end] = first;
        }
      }
    }
    std::vector<size_t> cuts = {count};
    while (cuts.back() > 0) cuts.push_back(starts[cuts.back()]);
    std::ranges::reverse(cuts);
    return cuts;
  }

  std::vector<std::string> lines(size_t first, size_t end) const {
    const size_t second_line = best_break(first, end).at;
    if (second_line == end) return {text(first, end)};
    return {text(first, second_line), text(second_line, end)};
  }

 private:
  struct LineBreak {
    size_t at = 0;
    int cost = kImpossible;
  };

  int width(size_t first, size_t end) const {
    return offsets_[end] - offsets_[first] - (atoms_[first].space_before ? 1 : 0);
  }

  std::string text(size_t first, size_t end) const {
    std::string out;
    for (size_t i = first; i < end; ++i) {
      if (i > first && atoms_[i].space_before) out += ' ';
      out += atoms_[i].text;
    }
    return out;
  }

  // A single word may last as long as it likes; its cue is cut short.
  bool lasts_too_long(size_t first, size_t end) const {
    const size_t alone = begins_with_name_ && first == 0 ? 2 : 1;
    return end - first > alone &&
           atoms_[end - 1].end - atoms_[first].start > kLongestCue_s + kHalfMillisecond_s;
  }

  double pause_before(size_t i) const { return atoms_[i].start - atoms_[i - 1].end; }

  // What it costs to have the boundary before atom `i` inside of a cue.
  int inner_cost_before(size_t i) const {
    const double pause = pause_before(i);
    const int pause_cost = pause < kNoticedPause_s ? 0 : static_cast<int>(pause * kInnerPauseCostPerSecond);
    return pause_cost + (ends_sentence_[i - 1] ? kInnerSentenceCost : 0);
  }

  int cut_cost_before(size_t i) const {
    if (i == atoms_.size() || ends_sentence_[i - 1]) return 0;
    if (begins_with_name_ && i == 1) return kImpossible;
    if (pause_before(i) >= kNoticedPause_s) return kCutAtPauseCost;
    return ends_clause_[i - 1] ? kCutAtClauseCost : kCutInClauseCost;
  }

  int cue_cost(size_t first, size_t end) const {
    const int layout = best_break(first, end).cost;
    const int cut = cut_cost_before(end);
    if (layout >= kImpossible || cut >= kImpossible) return kImpossible;
    const double next_start = end < atoms_.size() ? atoms_[end].start : next_start_s_;
    const bool flashes = next_start - atoms_[first].start < kShortestCue_s;
    return kCueCost + layout + cut + (flashes ? kFlashCost : 0);
  }

  // Where the second line begins; `end` for one line.
  LineBreak best_break(size_t first, size_t end) const {
    if (width(first, end) <= kLineWidth) return {end, 0};
    LineBreak best{end, kImpossible};
    for (size_t at = first + 1; at < end; ++at) {
      const int above = width(first, at);
      const int below = width(at, end);
      if (above > kLineWidth) break;
      if (below > kLineWidth) continue;
      int cost = std::abs(above - below) / kUnevenColumnsPerCost;
      if (!ends_sentence_[at - 1]) cost += ends_clause_[at - 1] ? kLineAtClauseCost : kLineInClauseCost;
      if (cost < best.cost) best = {at, cost};
    }
    return best;
  }

  const std::vector<Atom>& atoms_;
  bool begins_with_name_;
  double next_start_s_;
  std::vector<int> offsets_;  // columns before each atom, with the space before it
  std::vector<bool> ends_sentence_;
  std::vector<bool> ends_clause_;
};

int64_t to_ms(double seconds) {
  return std::llround(seconds * 1000);
}

// Times that keep the limits: no overlap, at most kLongestCue_s, shown for kShortestCue_s where there is
// room.
void settle_times(std::vector<Cue>& cues, double duration_s) {
  int64_t free_from = 0;
  for (Cue& cue : cues) {
    cue.start_ms = std::max(cue.start_ms, free_from);
    cue.end_ms = std::clamp(cue.end_ms, cue.start_ms, cue.start_ms + to_ms(kLongestCue_s));
    free_from = cue.start_ms;
  }
  for (size_t i = 0; i < cues.size(); ++i) {
    Cue& cue = cues[i];
    const bool last = i + 1 == cues.size();
    const int64_t room = last ? std::max(to_ms(duration_s), cue.end_ms) : cues[i + 1].start_ms;
    cue.end_ms = std::min(std::max(cue.end_ms, cue.start_ms + to_ms(kShortestCue_s)), room);
  }
}

std::vector<Cue> cues_of(std::span<const Block> blocks, double duration_s) {
  std::vector<Cue> cues;
  for (size_t b = 0; b < blocks.size(); ++b) {
    const std::vector<Atom>& atoms = blocks[b].atoms;
    const double next_start =
        b + 1 < blocks.size() ? blocks[b + 1].atoms.front().start : std::max(duration_s, atoms.back().end);
    const Cutter cutter(blocks[b], next_start);
    const std::vector<size_t> cuts = cutter.cut();
    for (size_t c = 0; c + 1 < cuts.size(); ++c) {
      cues.push_back({to_ms(atoms[cuts[c]].start), to_ms(atoms[cuts[c + 1] - 1].end), blocks[b].speaker,
                      cutter.lines(cuts[c], cuts[c + 1])});
    }
  }
  settle_times(cues, duration_s);
  return cues;
}

// ---- cues to text

std::string clock(int64_t ms, char decimal_mark) {
  return fmt::format("{:02}:{:02}:{:02}{}{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                     decimal_mark, ms % 1000);
}

// "Ada: ", short enough to stand before a word.
std::string name_prefix(std::string_view name) {
  if (display_width(name) <= kPrefixWidth) return fmt::format("{}:", name);
  int width = 1;  // of the ellipsis
  size_t end = 0;
  char32_t before = 0;
  for (size_t at = 0; at < name.size();) {
    const size_t begin = at;
    const char32_t character = next_character(name, at);
    if (!clings_to(before, character)) end = begin;
    width += display_width(character);
    if (width > kPrefixWidth) break;
    before = character;
  }
  return fmt::format("{}…:", name.substr(0, end));
}

bool has_several_speakers(std::span<const Block> blocks) {
  return std::ranges::any_of(blocks,
                             [&](const Block& block) { return block.speaker != blocks.front().speaker; });
}

// Puts its name before each block that begins what a speaker says.
void add_names(const Document& document, std::vector<Block>& blocks) {
  if (!document.diarized || !has_several_speakers(blocks)) return;
  std::string_view before;
  for (Block& block : blocks) {
    if (block.speaker != before) {
      const double start = block.atoms.front().start;
      block.atoms.front().space_before = true;
      block.atoms.insert(block.atoms.begin(),
                         {start, start, name_prefix(display_name(document, block.speaker)), true});
      block.begins_with_name = true;
    }
    before = block.speaker;
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string to_srt(const Document& document) {
  std::vector<Block> blocks = blocks_of(document);
  add_names(document, blocks);
  std::string out;
  size_t number = 0;
  for (const Cue& cue : cues_of(blocks, document.duration_s)) {
    out += fmt::format("{}{}\n{} --> {}\n", number == 0 ? "" : "\n", number + 1, clock(cue.start_ms, ','),
                       clock(cue.end_ms, ','));
    for (const std::string& line : cue.lines) out += line + "\n";
    ++number;
  }
  return out;
}

std::string to_vtt(const Document& document) {
  const std::vector<Block> blocks = blocks_of(document);
  std::string out = "WEBVTT\n";
  for (const Cue& cue : cues_of(blocks, document.duration_s)) {
    out += fmt::format("\n{} --> {}\n", clock(cue.start_ms, '.'), clock(cue.end_ms, '.'));
    if (document.diarized) out += fmt::format("<v {}>", escaped(display_name(document, cue.speaker)));
    for (const std::string& line : cue.lines) out += escaped(line) + "\n";
  }
  return out;
}

}  // namespace hansard::transcript
