// Office Open XML (ECMA-376): the few parts that a text with headings needs.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/archive.h"
#include "base/config.h"
#include "transcript/exports.h"
#include "transcript/formats.h"
#include "transcript/paragraphs.h"
#include "transcript/text.h"

namespace hansard::transcript {
namespace {

#define XML_HEAD R"(<?xml version="1.0" encoding="UTF-8" standalone="yes"?>)"
#define WORD_NAMESPACE R"(xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main")"
#define PACKAGE "http://schemas.openxmlformats.org/package/2006/"
#define DOCUMENT_TYPE "application/vnd.openxmlformats-officedocument.wordprocessingml."
#define RELATIONSHIP "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"

constexpr std::string_view kContentTypes = XML_HEAD
    "<Types xmlns=\"" PACKAGE
    "content-types\">"
    "<Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>"
    "<Default Extension=\"xml\" ContentType=\"application/xml\"/>"
    "<Override PartName=\"/word/document.xml\" ContentType=\"" DOCUMENT_TYPE
    "document.main+xml\"/>"
    "<Override PartName=\"/word/styles.xml\" ContentType=\"" DOCUMENT_TYPE
    "styles+xml\"/>"
    "</Types>";

constexpr std::string_view kPackageRelations = XML_HEAD "<Relationships xmlns=\"" PACKAGE
                                                        "relationships\">"
                                                        "<Relationship Id=\"rId1\" Type=\"" RELATIONSHIP
                                                        "officeDocument\" Target=\"word/document.xml\"/>"
                                                        "</Relationships>";

constexpr std::string_view kDocumentRelations = XML_HEAD "<Relationships xmlns=\"" PACKAGE
                                                         "relationships\">"
                                                         "<Relationship Id=\"rId1\" Type=\"" RELATIONSHIP
                                                         "styles\" Target=\"styles.xml\"/>"
                                                         "</Relationships>";

// Sizes are half points, spaces twentieths of a point.
constexpr std::string_view kStyles = XML_HEAD
    "<w:styles " WORD_NAMESPACE
    ">"
    "<w:docDefaults>"
    R"(<w:rPrDefault><w:rPr><w:sz w:val="22"/><w:szCs w:val="22"/></w:rPr></w:rPrDefault>)"
    R"(<w:pPrDefault><w:pPr><w:spacing w:after="120" w:line="276" w:lineRule="auto"/></w:pPr></w:pPrDefault>)"
    "</w:docDefaults>"
    R"(<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>)"
    R"(<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/><w:basedOn w:val="Normal"/>)"
    R"(<w:next w:val="Normal"/><w:rPr><w:b/><w:sz w:val="40"/><w:szCs w:val="40"/></w:rPr></w:style>)"
    R"(<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/>)"
    R"(<w:basedOn w:val="Normal"/><w:next w:val="Normal"/>)"
    R"(<w:pPr><w:keepNext/><w:spacing w:before="240" w:after="60"/><w:outlineLvl w:val="0"/></w:pPr>)"
    R"(<w:rPr><w:b/><w:sz w:val="26"/><w:szCs w:val="26"/></w:rPr></w:style>)"
    R"(<w:style w:type="paragraph" w:customStyle="1" w:styleId="Fact"><w:name w:val="Fact"/>)"
    R"(<w:basedOn w:val="Normal"/><w:pPr><w:spacing w:after="0"/></w:pPr></w:style>)"
    R"(<w:style w:type="character" w:customStyle="1" w:styleId="Time"><w:name w:val="Time"/>)"
    R"(<w:rPr><w:color w:val="808080"/><w:sz w:val="18"/><w:szCs w:val="18"/></w:rPr></w:style>)"
    "</w:styles>";

// Written from right to left.
constexpr std::array<std::string_view, 7> kRightToLeft{"ar", "fa", "he", "ps", "sd", "ur", "yi"};

// What XML 1.0 has no character for is left out.
std::string escaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_character(text, at);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '\t' || c == '\n' || c == '\r') {
      out += ' ';
    } else if (c >= ' ' && c != 0xFFFE && c != 0xFFFF) {
      out += text.substr(begin, at - begin);
    }
  }
  return out;
}

std::string run(std::string_view text, std::string_view properties = "") {
  return fmt::format("<w:r>{}<w:t xml:space=\"preserve\">{}</w:t></w:r>",
                     properties.empty() ? "" : fmt::format("<w:rPr>{}</w:rPr>", properties), escaped(text));
}

class Body {
 public:
  explicit Body(const Document& document)
      : direction_(std::count(kRightToLeft.begin(), kRightToLeft.end(), document.language) > 0 ? "<w:bidi/>"
                                                                                               : "") {}

  void add(std::string_view style, std::string_view runs) {
    std::string properties;
    if (!style.empty()) properties = fmt::format("<w:pStyle w:val=\"{}\"/>", style);
    properties += direction_;
    xml_ += fmt::format("<w:p>{}{}</w:p>",
                        properties.empty() ? "" : fmt::format("<w:pPr>{}</w:pPr>", properties), runs);
  }

  std::string finish() const {
    // A4, with margins of 2.5 cm.
    return fmt::format(
        XML_HEAD
        "<w:document " WORD_NAMESPACE
        "><w:body>{}"
        R"(<w:sectPr><w:pgSz w:w="11906" w:h="16838"/>)"
        R"(<w:pgMar w:top="1417" w:right="1417" w:bottom="1417" w:left="1417" w:header="708" w:footer="708" w:gutter="0"/>)"
        "</w:sectPr></w:body></w:document>",
        xml_);
  }

 private:
  std::string_view direction_;
  std::string xml_;
};

std::string document_xml(const Document& document) {
  Body body(document);
  body.add("Title", run(document.title.empty() ? "Transcript" : document.title));
  for (const Fact& fact : facts_of(document)) {
    body.add("Fact", run(fact.name + ": ", "<w:b/>") + run(fact.value));
  }
  for (const Warning& warning : document.warnings) {
    body.add("Fact", run("Note: ", "<w:b/>") + run(warning.message.empty() ? warning.code : warning.message));
  }
  if (document.segments.empty()) body.add("", run("No speech was found in this recording."));
  std::string_view speaker;
  const std::vector<Paragraph> paragraphs = paragraphs_of(document);
  for (const Paragraph& paragraph : paragraphs) {
    if (document.diarized && paragraph.speaker != speaker) {
      body.add("Heading1", run(display_name(document, paragraph.speaker)));
    }
    speaker = paragraph.speaker;
    body.add("", run(fmt::format("[{} - {}] ", format_clock(paragraph.start), format_clock(paragraph.end)),
                     R"(<w:rStyle w:val="Time"/>)") +
                     run(paragraph.text));
  }
  return body.finish();
}

}  // namespace

std::string to_docx(const Document& document) {
  const std::string text = document_xml(document);
  const std::array parts{ZipMember{"[Content_Types].xml", kContentTypes},
                         ZipMember{"_rels/.rels", kPackageRelations},
                         ZipMember{"word/_rels/document.xml.rels", kDocumentRelations},
                         ZipMember{"word/styles.xml", kStyles}, ZipMember{"word/document.xml", text}};
  return make_zip(parts).value();  // fails for lack of memory alone
}

}  // namespace hansard::transcript
