// The exports one by one; export_document() chooses among them. Pure functions.
#pragma once

#include <string>

#include "transcript/document.h"

namespace hansard::transcript {

std::string to_markdown(const Document& document);
// The same for word processors.
std::string to_docx(const Document& document);
// "Speaker 1: text" lines; without diarization paragraphs.
std::string to_plain_text(const Document& document);
// One line a segment: start_ms, end_ms, speaker, text.
std::string to_tsv(const Document& document);
// One line a segment: start and end in seconds, speaker, text, as RFC 4180 quotes them.
std::string to_csv(const Document& document);
// The turns as NIST's Rich Transcription Time Marked lines, for scoring tools.
std::string to_rttm(const Document& document);
std::string to_srt(const Document& document);
std::string to_vtt(const Document& document);

}  // namespace hansard::transcript
