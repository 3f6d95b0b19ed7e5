#include "transcript/edit.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "transcript/align.h"
#include "transcript/assemble.h"
#include "transcript/text.h"

namespace hansard::transcript {
namespace {

// A segment with its words taken out of the document, so that their number may change.
struct Piece {
  Segment segment;
  std::vector<Word> words;
};

std::vector<Piece> take_pieces(Document& document) {
  std::vector<Piece> pieces;
  for (Segment& segment : document.segments) {
    const auto first = document.words.begin() + static_cast<std::ptrdiff_t>(segment.first_word);
    const auto end = first + static_cast<std::ptrdiff_t>(segment.word_count);
    Piece piece{std::move(segment), {std::move_iterator(first), std::move_iterator(end)}};
    pieces.push_back(std::move(piece));
  }
  document.segments.clear();
  document.words.clear();
  return pieces;
}

// Speakers who have something left, with the names that they had.
void relist_speakers(Document& document) {
  std::map<std::string, std::optional<std::string>> names;
  for (Speaker& speaker : document.speakers) names[speaker.id] = std::move(speaker.name);
  document.speakers.clear();
  list_speakers(document);
  for (Speaker& speaker : document.speakers) speaker.name = std::move(names[speaker.id]);
  std::ranges::sort(document.speakers, {}, &Speaker::id);
}

Document put_back(Document document, std::vector<Piece> pieces) {
  for (Piece& piece : pieces) {
    if (piece.segment.text.empty()) continue;
    piece.segment.first_word = document.words.size();
    piece.segment.word_count = piece.words.size();
    std::ranges::move(piece.words, std::back_inserter(document.words));
    document.segments.push_back(std::move(piece.segment));
  }
  hold_document(document);
  if (document.diarized) relist_speakers(document);
  return document;
}

tl::expected<size_t, EditProblem> place_of(const std::vector<Piece>& pieces, std::string_view id,
                                           std::string field) {
  const auto found = std::ranges::find(pieces, id, [](const Piece& piece) { return piece.segment.id; });
  if (found == pieces.end()) return fail(EditProblem{std::move(field), "there is no such segment"});
  return static_cast<size_t>(found - pieces.begin());
}

std::string new_segment_id(const std::vector<Piece>& pieces) {
  size_t last = 0;
  for (const Piece& piece : pieces) {
    const std::string_view number = std::string_view(piece.segment.id).substr(segment_id(0).find('_') + 1);
    size_t value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    last = std::max(last, value);
  }
  return segment_id(last);
}

// ---- text and speaker

EditProblem too_long(std::string field) {
  return {std::move(field), fmt::format("must have at most {} characters", kSegmentCharacters)};
}

void change_text(Piece& piece, std::string text) {
  if (!piece.words.empty()) piece.words = realign(piece.words, text);
  piece.segment.text = std::move(text);
}

// Between its neighbours: the pauses around a segment belong to it.
struct Reach {
  double start_s = 0;
  double end_s = 0;
};
Reach reach_of(const std::vector<Piece>& pieces, size_t place, double duration_s) {
  const Segment& segment = pieces[place].segment;
  return {place == 0 ? 0 : std::min(pieces[place - 1].segment.end, segment.start),
          place + 1 == pieces.size() ? duration_s : std::max(pieces[place + 1].segment.start, segment.end)};
}

void hand_over_turns(std::vector<Turn>& turns, const Segment& segment, const Reach& reach,
                     const std::string& to) {
  std::vector<Turn> result;
  bool found = false;
  for (const Turn& turn : turns) {
    const bool touches =
        turn.speaker == segment.speaker && turn.start < segment.end && turn.end > segment.start;
    if (!touches) {
      result.push_back(turn);
      continue;
    }
    found = true;
    result.push_back({turn.start, std::min(turn.end, reach.start_s), turn.speaker});
    result.push_back({std::max(turn.start, reach.start_s), std::min(turn.end, reach.end_s), to});
    result.push_back({std::max(turn.start, reach.end_s), turn.end, turn.speaker});
  }
  if (!found) result.push_back({segment.start, segment.end, to});
  turns = std::move(result);  // those without a length go when times are held
}

void change_speaker(Document& document, std::vector<Piece>& pieces, size_t place,
                    const std::string& speaker) {
  if (!document.diarized) {
    document.diarized = true;
    for (Piece& piece : pieces) {
      piece.segment.speaker = speaker_id(0);
      for (Word& word : piece.words) word.speaker = speaker_id(0);
    }
  }
  Piece& piece = pieces[place];
  if (piece.segment.speaker == speaker) return;
  if (!document.turns.empty()) {
    hand_over_turns(document.turns, piece.segment, reach_of(pieces, place, document.duration_s), speaker);
  }
  piece.segment.speaker = speaker;
  for (Word& word : piece.words) word.speaker = speaker;
}

tl::expected<void, EditProblem> check(const SegmentChange& change, const std::string& field,
                                      std::set<std::string_view>& seen) {
  if (!change.text && !change.speaker) return fail(EditProblem{field, "needs a text or a speaker"});
  if (!seen.insert(change.id).second) return fail(EditProblem{field + ".id", "is there twice"});
  if (change.speaker && !is_speaker_id(*change.speaker)) {
    return fail(EditProblem{field + ".speaker", "must be a speaker's id, such as SPEAKER_00"});
  }
  if (change.text && character_count(*change.text) > kSegmentCharacters)
    return fail(too_long(field + ".text"));
  return {};
}

// ---- cutting

Edited cut(Document document, std::vector<Piece> pieces, size_t place, size_t word) {
  Piece& first = pieces[place];
  Piece second;
  second.segment = first.segment;
  second.segment.id = new_segment_id(pieces);
  const auto at = first.words.begin() + static_cast<std::ptrdiff_t>(word);
  second.words.assign(at, first.words.end());
  first.words.erase(at, first.words.end());
  first.segment.text = text_of(first.words);
  second.segment.text = text_of(second.words);
  pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(place) + 1, std::move(second));
  return put_back(std::move(document), std::move(pieces));
}

EditProblem uncuttable(const Piece& piece, std::string field) {
  if (piece.words.size() < 2) return {"segment", "has no words with times to be cut between"};
  return {std::move(field), fmt::format("must be inside of the segment, which has {} words from {} to {} s",
                                        piece.words.size(), piece.segment.start, piece.segment.end)};
}

}  // namespace

Edited change_segments(Document document, std::span<const SegmentChange> changes) {
  std::vector<Piece> pieces = take_pieces(document);
  std::set<std::string_view> seen;
  for (size_t i = 0; i < changes.size(); ++i) {
    const SegmentChange& change = changes[i];
    const std::string field = fmt::format("segments[{}]", i);
    TRY(check(change, field, seen));
    const size_t place = TRY(place_of(pieces, change.id, field + ".id"));
    if (change.speaker) change_speaker(document, pieces, place, *change.speaker);
    if (change.text) change_text(pieces[place], cleaned(*change.text));
  }
  return put_back(std::move(document), std::move(pieces));
}

Edited split_segment(Document document, std::string_view id, size_t word) {
  std::vector<Piece> pieces = take_pieces(document);
  const size_t place = TRY(place_of(pieces, id, "segment"));
  if (word == 0 || word >= pieces[place].words.size()) return fail(uncuttable(pieces[place], "word"));
  return cut(std::move(document), std::move(pieces), place, word);
}

Edited split_segment_at(Document document, std::string_view id, double time_s) {
  std::vector<Piece> pieces = take_pieces(document);
  const size_t place = TRY(place_of(pieces, id, "segment"));
  const std::vector<Word>& words = pieces[place].words;
  const auto second =
      std::ranges::find_if(words, [&](const Word& word) { return word.start + word.end >= 2 * time_s; });
  if (second == words.begin() || second == words.end()) return fail(uncuttable(pieces[place], "time"));
  const auto word = static_cast<size_t>(second - words.begin());
  return cut(std::move(document), std::move(pieces), place, word);
}

Edited join_segments(Document document, std::span<const std::string> ids) {
  if (ids.size() < 2) return fail(EditProblem{"segments", "name two segments or more"});
  std::vector<Piece> pieces = take_pieces(document);
  const size_t first = TRY(place_of(pieces, ids.front(), "segments[0]"));
  std::string text;
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string field = fmt::format("segments[{}]", i);
    const size_t place = TRY(place_of(pieces, ids[i], field));
    if (place != first + i) return fail(EditProblem{field, "does not follow the one before it"});
    const Piece& piece = pieces[place];
    const bool space =
        piece.words.empty() ? space_between(text, piece.segment.text) : piece.words.front().space_before;
    if (!text.empty() && space) text += ' ';
    text += piece.segment.text;
  }
  if (character_count(text) > kSegmentCharacters) return fail(too_long("segments"));
  const std::string speaker = pieces[first].segment.speaker;
  const bool timed = std::all_of(pieces.begin() + static_cast<std::ptrdiff_t>(first),
                                 pieces.begin() + static_cast<std::ptrdiff_t>(first + ids.size()),
                                 [](const Piece& piece) { return !piece.words.empty(); });
  for (size_t i = first + 1; i < first + ids.size(); ++i) {
    if (document.diarized) change_speaker(document, pieces, i, speaker);
    Piece& into = pieces[first];
    std::ranges::move(pieces[i].words, std::back_inserter(into.words));
    into.segment.end = std::max(into.segment.end, pieces[i].segment.end);
    pieces[i].segment.text.clear();
    pieces[i].words.clear();
  }
  // Where some have no times, words would be fewer than the text says.
  if (!timed) pieces[first].words.clear();
  pieces[first].segment.text = std::move(text);
  return put_back(std::move(document), std::move(pieces));
}

Edited name_speakers(Document document, const std::map<std::string, std::string>& names) {
  for (const auto& [id, given] : names) {
    const auto speaker = std::ranges::find(document.speakers, id, &Speaker::id);
    if (speaker == document.speakers.end()) return fail(EditProblem{id, "there is no such speaker"});
    if (character_count(given) > kSpeakerNameCharacters) {
      return fail(EditProblem{id, fmt::format("must have at most {} characters", kSpeakerNameCharacters)});
    }
    std::string name = cleaned(given);
    speaker->name = name.empty() ? std::nullopt : std::optional(std::move(name));
  }
  return document;
}

Edited merge_speakers(Document document, std::string_view from, std::string_view into) {
  const auto source = std::ranges::find(document.speakers, from, &Speaker::id);
  const auto target = std::ranges::find(document.speakers, into, &Speaker::id);
  if (source == document.speakers.end()) return fail(EditProblem{"from", "there is no such speaker"});
  if (target == document.speakers.end()) return fail(EditProblem{"into", "there is no such speaker"});
  if (source == target) return fail(EditProblem{"into", "must be another speaker"});
  if (!target->name) target->name = source->name;
  const auto relabel = [&](auto& items) {
    for (auto& item : items) {
      if (item.speaker == from) item.speaker = into;
    }
  };
  relabel(document.words);
  relabel(document.segments);
  relabel(document.turns);
  hold_document(document);
  relist_speakers(document);
  return document;
}

}  // namespace hansard::transcript
