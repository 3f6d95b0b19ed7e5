// A document in the forms that people and programs take away. Pure functions; UTF-8; lines end in "\n",
// but for docx, which is bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "transcript/document.h"

namespace hansard::transcript {

enum class Format { md, txt, srt, vtt, tsv, json, csv, rttm, docx };

// "srt" or ".srt", any case; nothing for what is no format.
std::optional<Format> parse_format(std::string_view name);
std::string_view format_name(Format format);  // also the file extension
inline constexpr std::string_view kFormatNames = "md, txt, docx, srt, vtt, tsv, csv, rttm, json";

// For people: title, facts, then a heading for each speaker's turn with "[MM:SS.d - MM:SS.d]" and the text,
// neighbouring segments of a speaker joined.
// Subtitles: at most 2 lines of 42 characters, split at clauses, at most 7 s each; VTT with <v Speaker>.
std::string export_document(const Document& document, Format format);

// "Speaker 1" for SPEAKER_00, or the name a person gave.
std::string display_name(const Document& document, std::string_view speaker_id);

}  // namespace hansard::transcript
