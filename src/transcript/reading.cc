// The forms for reading: Markdown and plain text.
#include <cctype>

#include <fmt/format.h>

#include "base/config.h"
#include "transcript/exports.h"
#include "transcript/formats.h"
#include "transcript/paragraphs.h"

namespace hansard::transcript {
namespace {

// True where `text` at `at` would be read as an entity, as in "&lt;".
bool begins_entity(std::string_view text, size_t at) {
  const std::string_view rest = text.substr(
      at + 1,
      text.find_first_not_of("#0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", at + 1) - at -
          1);
  const size_t end = at + 1 + rest.size();
  return !rest.empty() && end < text.size() && text[end] == ';';
}

// Text in which Markdown sees nothing special. It never begins a line by itself, so what is special only
// there (lists, quotes) can stay, but for the "#" at the end of a heading.
// An underscore inside a word emphasises nothing, and file names are full of them.
bool inside_word(std::string_view text, size_t at) {
  const auto letter = [&](size_t i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    return std::isalnum(byte) != 0 || byte >= 0x80;
  };
  return at > 0 && at + 1 < text.size() && letter(at - 1) && letter(at + 1);
}

std::string escaped(std::string_view text, std::string_view more = "") {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool special = std::string_view("\\`*[]<~").find(c) != std::string_view::npos ||
                         (c == '_' && !inside_word(text, i)) || more.find(c) != std::string_view::npos ||
                         (c == '&' && begins_entity(text, i));
    if (special) out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

std::string heading(std::string_view text) {
  return escaped(text, "#");
}

std::string facts(const Document& document) {
  std::string out;
  for (const Fact& fact : facts_of(document))
    out += fmt::format("- **{}:** {}\n", fact.name, escaped(fact.value));
  for (const Warning& warning : document.warnings) {
    out +=
        fmt::format("\n> **Note:** {}\n", escaped(warning.message.empty() ? warning.code : warning.message));
  }
  return out;
}

}  // namespace

std::string to_markdown(const Document& document) {
  std::string out = fmt::format("# {}\n\n", heading(document.title.empty() ? "Transcript" : document.title));
  out += facts(document);
  if (document.segments.empty()) return out + "\nNo speech was found in this recording.\n";
  std::string_view speaker;
  const std::vector<Paragraph> paragraphs = paragraphs_of(document);
  for (const Paragraph& paragraph : paragraphs) {
    if (document.diarized && paragraph.speaker != speaker) {
      out += fmt::format("\n### {}\n", heading(display_name(document, paragraph.speaker)));
    }
    speaker = paragraph.speaker;
    out += fmt::format("\n[{} - {}] {}\n", format_clock(paragraph.start), format_clock(paragraph.end),
                       escaped(paragraph.text));
  }
  return out;
}

std::string to_plain_text(const Document& document) {
  std::string out;
  for (const Paragraph& paragraph : paragraphs_of(document)) {
    if (document.diarized) {
      out += fmt::format("{}: {}\n", display_name(document, paragraph.speaker), paragraph.text);
    } else {
      out += fmt::format("{}{}\n", out.empty() ? "" : "\n", paragraph.text);
    }
  }
  return out;
}

}  // namespace hansard::transcript
