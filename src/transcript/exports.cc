#include "transcript/exports.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "transcript/formats.h"

namespace hansard::transcript {
namespace {

constexpr std::array<std::string_view, 9> kNames = {"md",   "txt", "srt",  "vtt", "tsv",
                                                    "json", "csv", "rttm", "docx"};

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// A field of a line of fields.
std::string one_field(std::string_view text) {
  std::string field(text);
  std::ranges::replace_if(field, [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return field;
}

// A field as RFC 4180 has it.
std::string quoted_field(std::string_view text) {
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + "\"";
}

// A name without spaces, as the fields of RTTM must be.
std::string joined_name(std::string_view text) {
  std::string name = one_field(text);
  std::ranges::replace(name, ' ', '_');
  return name.empty() ? "recording" : name;
}

}  // namespace

std::optional<Format> parse_format(std::string_view name) {
  if (name.starts_with('.')) name.remove_prefix(1);
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (std::ranges::equal(name, kNames[i], {}, to_lower)) return static_cast<Format>(i);
  }
  return std::nullopt;
}

std::string_view format_name(Format format) {
  return kNames[static_cast<size_t>(format)];
}

std::string display_name(const Document& document, std::string_view speaker_id) {
  const auto speaker = std::ranges::find(document.speakers, speaker_id, &Speaker::id);
  if (speaker != document.speakers.end() && speaker->name && !speaker->name->empty()) return *speaker->name;
  constexpr std::string_view kPrefix = "SPEAKER_";
  if (!speaker_id.starts_with(kPrefix)) return std::string(speaker_id);
  const std::string_view digits = speaker_id.substr(kPrefix.size());
  unsigned index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::string(speaker_id);
  return fmt::format("Speaker {}", index + 1UL);
}

std::string to_tsv(const Document& document) {
  std::string out = "start_ms\tend_ms\tspeaker\ttext\n";
  for (const Segment& segment : document.segments) {
    const std::string name = document.diarized ? display_name(document, segment.speaker) : "";
    out += fmt::format("{}\t{}\t{}\t{}\n", std::llround(segment.start * 1000),
                       std::llround(segment.end * 1000), one_field(name), one_field(segment.text));
  }
  return out;
}

std::string to_csv(const Document& document) {
  std::string out = "start,end,speaker,text\r\n";
  for (const Segment& segment : document.segments) {
    const std::string name = document.diarized ? display_name(document, segment.speaker) : "";
    out += fmt::format("{:.3f},{:.3f},{},{}\r\n", segment.start, segment.end, quoted_field(name),
                       quoted_field(segment.text));
  }
  return out;
}

std::string to_rttm(const Document& document) {
  std::string out;
  for (const Turn& turn : document.turns) {
    out += fmt::format("SPEAKER {} 1 {:.3f} {:.3f} <NA> <NA> {} <NA> <NA>\n", joined_name(document.title),
                       turn.start, turn.end - turn.start, turn.speaker);
  }
  return out;
}

std::string export_document(const Document& document, Format format) {
  switch (format) {
    case Format::md:
      return to_markdown(document);
    case Format::txt:
      return to_plain_text(document);
    case Format::srt:
      return to_srt(document);
    case Format::vtt:
      return to_vtt(document);
    case Format::tsv:
      return to_tsv(document);
    case Format::json:
      return to_json(document);
    case Format::csv:
      return to_csv(document);
    case Format::rttm:
      return to_rttm(document);
    case Format::docx:
      return to_docx(document);
  }
  return {};
}

}  // namespace hansard::transcript
