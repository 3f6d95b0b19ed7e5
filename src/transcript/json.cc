// Writes the canonical JSON, and reads it, its older forms and what Whisper's own tools write.
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/json.h"
#include "base/languages.h"
#include "transcript/assemble.h"
#include "transcript/document.h"
#include "transcript/text.h"

namespace hansard::transcript {
namespace {

namespace bj = boost::json;

// ---- writing

std::string quoted(std::string_view text) {
  return bj::serialize(bj::string_view(text.data(), text.size()));
}

std::string quoted_or_null(std::string_view text) {
  return text.empty() ? "null" : quoted(text);
}

std::string number(double value) {
  std::string text = fmt::format("{}", json::rounded(value, 3) + 0.0);  // + 0.0: no negative zero
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string speaker_field(const Document& document, std::string_view speaker) {
  return document.diarized ? fmt::format(",\"speaker\":{}", quoted(speaker)) : "";
}

// ,"name":[ and one item a line: a transcript in a repository has readable differences.
template <typename Items, typename Write>
void append_array(std::string& out, std::string_view name, const Items& items, const Write& write) {
  out += fmt::format(",\n\"{}\":[", name);
  std::string_view separator = "\n  ";
  for (const auto& item : items) {
    out += separator;
    out += write(item);
    separator = ",\n  ";
  }
  out += ']';
}

// ---- reading

tl::unexpected<Error> at(std::string_view path, Error error) {
  error.message = fmt::format("{}: {}", path, error.message);
  return fail(std::move(error));
}

const bj::value* present(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains({name.data(), name.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

// The first of `names` that is there, as clean text; empty where there is none.
Result<std::string> optional_text(const bj::object& object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (present(object, name) != nullptr) return cleaned(TRY(json::get_string(object, name)));
  }
  return std::string();
}

Result<std::optional<double>> optional_number(const bj::object& object,
                                              std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (present(object, name) != nullptr) return std::optional(TRY(json::get_number(object, name)));
  }
  return std::optional<double>();
}

// Calls `read(object)` for each object of the array `name`, if there is one.
template <typename Read>
Result<void> for_each(const bj::object& object, std::string_view name, const Read& read) {
  if (present(object, name) == nullptr) return {};
  const bj::array& array = *TRY(json::get_array(object, name));
  for (size_t i = 0; i < array.size(); ++i) {
    const std::string path = fmt::format("{}[{}]", name, i);
    if (!array[i].is_object()) return fail(ErrorCode::invalid_request, path + " is not an object");
    Result<void> result = read(array[i].get_object());
    if (!result) return at(path, std::move(result).error());
  }
  return {};
}

struct ReadWords {
  std::vector<Word> words;
  bool all_timed = true;
  bool spaced = false;  // some word came with its leading space, as Whisper writes them
};

Result<void> read_word(const bj::object& object, ReadWords& out) {
  Word word;
  const std::string_view name = present(object, "word") != nullptr ? "word" : "text";
  const std::string raw = TRY(json::get_string(object, name));
  word.text = cleaned(raw);
  word.space_before = raw.starts_with(' ');
  out.spaced |= word.space_before;
  word.speaker = TRY(optional_text(object, {"speaker"}));
  word.confidence = TRY(optional_number(object, {"confidence", "probability", "score"})).value_or(0);
  const auto start = TRY(optional_number(object, {"start"}));
  const auto end = TRY(optional_number(object, {"end"}));
  out.all_timed &= start && end;
  word.start = start.value_or(0);
  word.end = end.value_or(0);
  if (!word.text.empty()) out.words.push_back(std::move(word));
  return {};
}

Result<ReadWords> read_words(const bj::object& object, std::string_view name) {
  ReadWords out;
  TRY(for_each(object, name, [&](const bj::object& word) { return read_word(word, out); }));
  return out;
}

// A segment as it stands in the file, with the words inside it.
struct ReadSegment {
  Segment segment;
  ReadWords inner;
};

Result<ReadSegment> read_segment(const bj::object& object) {
  ReadSegment out;
  if (const bj::value* id = present(object, "id"); id != nullptr && id->is_string()) {
    out.segment.id = cleaned(std::string_view(id->get_string()));
  }
  out.segment.start = TRY(json::get_number(object, "start"));
  out.segment.end = TRY(json::get_number(object, "end"));
  out.segment.speaker = TRY(optional_text(object, {"speaker"}));
  out.segment.text = TRY(optional_text(object, {"text"}));
  out.inner = TRY(read_words(object, "words"));
  if (!out.inner.all_timed) out.inner = {};
  return out;
}

// How many words from the first on make up `text`, all of it; notes which of them follow a space. The first
// word keeps what it has.
std::optional<size_t> match_words(std::string_view text, std::span<Word> words) {
  size_t at = 0;
  size_t count = 0;
  while (at < text.size()) {
    const bool space = text[at] == ' ';
    if (space) ++at;
    if (count == words.size() || !text.substr(at).starts_with(words[count].text)) return std::nullopt;
    if (count > 0) words[count].space_before = space;
    at += words[count++].text.size();
  }
  return count;
}

void guess_spaces(std::span<Word> words) {
  for (size_t i = 1; i < words.size(); ++i) {
    words[i].space_before = space_between(words[i - 1].text, words[i].text);
  }
}

// Takes over the words inside of the segments.
void adopt_inner_words(Document& document, std::vector<ReadSegment>& read) {
  const bool spaced = std::ranges::any_of(read, [](const ReadSegment& one) { return one.inner.spaced; });
  for (ReadSegment& one : read) {
    Segment segment = std::move(one.segment);
    std::vector<Word>& words = one.inner.words;
    if (!spaced) guess_spaces(words);
    if (segment.text.empty()) segment.text = text_of(words);
    if (segment.text.empty()) continue;
    segment.first_word = document.words.size();
    segment.word_count = match_words(segment.text, words) == words.size() ? words.size() : 0;
    document.words.insert(document.words.end(), words.begin(), words.end());
    document.segments.push_back(std::move(segment));
  }
}

// Finds each segment's words among the document's. A segment whose text a person has changed has none.
void match_segments(Document& document, std::vector<ReadSegment>& read) {
  size_t next = 0;
  for (ReadSegment& one : read) {
    Segment segment = std::move(one.segment);
    if (segment.text.empty()) continue;
    segment.first_word = next;
    const auto count = match_words(segment.text, std::span(document.words).subspan(next));
    segment.word_count = count.value_or(0);
    next += segment.word_count;
    while (!count && next < document.words.size() &&
           document.words[next].start + document.words[next].end < 2 * segment.end) {
      ++next;
    }
    document.segments.push_back(std::move(segment));
  }
}

// Whether the first word of each segment follows a space is seen only in the whole text.
void match_whole_text(Document& document, std::string_view whole) {
  size_t at = 0;
  for (const Segment& segment : document.segments) {
    const bool space = whole.substr(at).starts_with(' ');
    if (space) ++at;
    if (!whole.substr(at).starts_with(segment.text)) return;
    if (segment.word_count > 0 && at > 0) document.words[segment.first_word].space_before = space;
    at += segment.text.size();
  }
}

double last_end(const Document& document) {
  double end = 0;
  for (const Segment& segment : document.segments) end = std::max({end, segment.start, segment.end});
  for (const Word& word : document.words) end = std::max({end, word.start, word.end});
  for (const Turn& turn : document.turns) end = std::max({end, turn.start, turn.end});
  return end;
}

// Every segment, and every word in one, gets its segment's speaker; without one, that of the segment before.
void settle_speakers(Document& document) {
  std::string before;
  for (const Segment& segment : document.segments) {
    if (before.empty()) before = segment.speaker;
  }
  for (const Word& word : document.words) {
    if (before.empty()) before = word.speaker;
  }
  if (before.empty()) before = document.turns.empty() ? speaker_id(0) : document.turns.front().speaker;
  for (Segment& segment : document.segments) {
    const auto words = std::span(document.words).subspan(segment.first_word, segment.word_count);
    if (segment.speaker.empty() && !words.empty()) segment.speaker = words.front().speaker;
    if (segment.speaker.empty()) segment.speaker = before;
    for (Word& word : words) word.speaker = segment.speaker;
    before = segment.speaker;
  }
  for (Word& word : document.words) {
    if (word.speaker.empty()) word.speaker = before;
    before = word.speaker;
  }
}

// Other tools' speakers ("A", "Ada") become names of ours.
void relabel_foreign_speakers(Document& document) {
  std::set<std::string> taken;
  for (const Speaker& speaker : document.speakers) taken.insert(speaker.id);
  std::map<std::string, std::string> labels;
  for (Speaker& speaker : document.speakers) {
    if (is_speaker_id(speaker.id)) continue;
    size_t index = 0;
    while (taken.contains(speaker_id(index))) ++index;
    if (!speaker.name) speaker.name = speaker.id;
    taken.insert(speaker_id(index));
    speaker.id = labels[speaker.id] = speaker_id(index);
  }
  const auto relabel = [&](std::string& speaker) {
    if (const auto label = labels.find(speaker); label != labels.end()) speaker = label->second;
  };
  for (Word& word : document.words) relabel(word.speaker);
  for (Segment& segment : document.segments) relabel(segment.speaker);
  for (Turn& turn : document.turns) relabel(turn.speaker);
}

Result<void> read_speakers(const bj::object& object, Document& document) {
  TRY(for_each(object, "speakers", [&](const bj::object& entry) -> Result<void> {
    Speaker speaker;
    speaker.id = cleaned(TRY(json::get_string(entry, "id")));
    if (speaker.id.empty()) return fail(ErrorCode::invalid_request, "field \"id\" is empty");
    const std::string name = TRY(optional_text(entry, {"name"}));
    if (!name.empty()) speaker.name = name;
    speaker.seconds = std::max(TRY(optional_number(entry, {"seconds"})).value_or(0), 0.0);
    document.speakers.push_back(std::move(speaker));
    return {};
  }));
  return for_each(object, "turns", [&](const bj::object& entry) -> Result<void> {
    const double start = TRY(json::get_number(entry, "start"));
    const double end = TRY(json::get_number(entry, "end"));
    document.turns.push_back({start, end, cleaned(TRY(json::get_string(entry, "speaker")))});
    return {};
  });
}

Result<void> read_facts(const bj::object& object, Document& document) {
  document.transcription_id = TRY(optional_text(object, {"transcription_id"}));
  document.language = TRY(optional_text(object, {"language"}));
  if (auto code = parse_language(document.language)) document.language = *code;  // some tools write the name
  if (present(object, "engine") != nullptr) {
    const bj::object& engine = *TRY(json::get_object(object, "engine"));
    document.provider = TRY(optional_text(engine, {"provider"}));
    document.transcription_model = TRY(optional_text(engine, {"transcription_model"}));
    document.diarization_model = TRY(optional_text(engine, {"diarization_model"}));
  }
  return for_each(object, "warnings", [&](const bj::object& entry) -> Result<void> {
    std::string code_of_warning = cleaned(TRY(json::get_string(entry, "code")));
    document.warnings.push_back({std::move(code_of_warning), TRY(optional_text(entry, {"message"}))});
    return {};
  });
}

// Words and segments, whichever way the file relates them.
Result<void> read_content(const bj::object& object, std::string_view whole, Document& document) {
  std::vector<ReadSegment> read;
  TRY(for_each(object, "segments", [&](const bj::object& entry) -> Result<void> {
    read.push_back(TRY(read_segment(entry)));
    return {};
  }));
  if (std::ranges::any_of(read, [](const ReadSegment& one) { return !one.inner.words.empty(); })) {
    adopt_inner_words(document, read);
    return {};
  }
  const bool canonical = present(object, "words") != nullptr;
  ReadWords words = TRY(read_words(object, canonical ? "words" : "word_segments"));
  if (!words.all_timed) return fail(ErrorCode::invalid_request, "a word lacks \"start\" or \"end\"");
  document.words = std::move(words.words);
  if (!words.spaced) guess_spaces(document.words);
  match_segments(document, read);
  match_whole_text(document, whole);
  return {};
}

// Ids of a person's edits are kept where they can be told apart, else segments are numbered.
void settle_ids(std::vector<Segment>& segments) {
  std::set<std::string_view> ids;
  for (const Segment& segment : segments) {
    if (segment.id.starts_with("seg_")) ids.insert(segment.id);
  }
  if (ids.size() == segments.size()) return;
  for (size_t i = 0; i < segments.size(); ++i) segments[i].id = segment_id(i);
}

bool has_speakers(const bj::object& object, const Document& document) {
  return present(object, "speakers") != nullptr || !document.turns.empty() ||
         std::ranges::any_of(document.words, [](const Word& w) { return !w.speaker.empty(); }) ||
         std::ranges::any_of(document.segments, [](const Segment& s) { return !s.speaker.empty(); });
}

}  // namespace

std::string to_json(const Document& document) {
  const auto times = [](const auto& item) {
    return fmt::format("\"start\":{},\"end\":{}", number(item.start), number(item.end));
  };
  std::string out =
      fmt::format("{{\"transcription_id\":{},\n\"text\":{},\n\"language\":{},\n\"duration_seconds\":{}",
                  quoted_or_null(document.transcription_id), quoted(document.text()),
                  quoted_or_null(document.language), number(document.duration_s));
  append_array(out, "segments", document.segments, [&](const Segment& segment) {
    return fmt::format("{{\"id\":{},{}{},\"text\":{}}}", quoted(segment.id), times(segment),
                       speaker_field(document, segment.speaker), quoted(segment.text));
  });
  append_array(out, "words", document.words, [&](const Word& word) {
    return fmt::format("{{{},\"word\":{}{},\"confidence\":{}}}", times(word), quoted(word.text),
                       speaker_field(document, word.speaker), number(word.confidence));
  });
  if (document.diarized) {
    append_array(out, "speakers", document.speakers, [](const Speaker& speaker) {
      return fmt::format("{{\"id\":{},\"name\":{},\"seconds\":{}}}", quoted(speaker.id),
                         quoted_or_null(speaker.name.value_or("")), number(speaker.seconds));
    });
    append_array(out, "turns", document.turns, [&](const Turn& turn) {
      return fmt::format("{{{},\"speaker\":{}}}", times(turn), quoted(turn.speaker));
    });
  }
  out += fmt::format(",\n\"engine\":{{\"provider\":{},\"transcription_model\":{},\"diarization_model\":{}}}",
                     quoted_or_null(document.provider), quoted_or_null(document.transcription_model),
                     quoted_or_null(document.diarization_model));
  if (!document.warnings.empty()) {
    append_array(out, "warnings", document.warnings, [](const Warning& warning) {
      return fmt::format("{{\"code\":{},\"message\":{}}}", quoted(warning.code), quoted(warning.message));
    });
  }
  out += "}\n";
  return out;
}

Result<Document> from_json(std::string_view text) {
  const bj::object object = TRY(json::parse_object(text));
  Document document;
  TRY(read_facts(object, document));
  const std::string whole = TRY(optional_text(object, {"text"}));
  TRY(read_content(object, whole, document));
  TRY(read_speakers(object, document));
  const auto duration = TRY(optional_number(object, {"duration_seconds", "duration"}));
  if (duration.value_or(0) < 0) return fail(ErrorCode::invalid_request, "the duration is less than 0");
  document.duration_s = held_duration(duration.value_or(last_end(document)));

  document.diarized = has_speakers(object, document);
  if (document.diarized) settle_speakers(document);
  hold_document(document);
  if (document.segments.empty()) {
    document.segments = document.words.empty() ? from_plain_text(whole, document.duration_s).segments
                                               : segments_of(document.words);
  }
  settle_ids(document.segments);
  if (document.diarized) {
    for (Segment& segment : document.segments) {
      if (segment.speaker.empty()) segment.speaker = speaker_id(0);  // plain text with a list of speakers
    }
    list_speakers(document);
    relabel_foreign_speakers(document);
  }
  return document;
}

}  // namespace hansard::transcript
