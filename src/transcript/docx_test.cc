// The document against one written by hand, and the package as Python's own readers of zip and XML see it.
#include <gtest/gtest.h>

#include <array>

#include "base/archive.h"
#include "base/file.h"
#include "base/process.h"
#include "base/temporary_folder.h"
#include "transcript/exports.h"

namespace hansard::transcript {
namespace {

class Docx : public testing::Test {
 protected:
  Docx() {
    document_.title = "R&D <board>";
    document_.language = "en";
    document_.duration_s = 3.5;
    document_.diarized = true;
    document_.segments = {{"seg_000001", 0, 1.5, "SPEAKER_00", "Is 1 < 2?", 0, 0},
                          {"seg_000002", 2, 3.5, "SPEAKER_01", "Yes.", 0, 0}};
    document_.speakers = {{"SPEAKER_00", "Ada", 1.5}, {"SPEAKER_01", {}, 1.5}};
    document_.warnings = {{"LOW", "Half of it is noise."}};
  }
  std::string part(const std::string& name) {
    const std::string bytes = export_document(document_, Format::docx);
    EXPECT_TRUE(write_file_atomically(folder_ / "a.docx", bytes, Sync::no));
    Archive archive = Archive::open(folder_ / "a.docx", Archive::Format::zip, {.bytes = 1 << 20}).value();
    for (auto entry = archive.next(); entry && *entry; entry = archive.next()) {
      if ((*entry)->path != name) continue;
      std::string text;
      EXPECT_TRUE(archive.read([&](std::string_view piece) -> Result<void> {
        text += piece;
        return {};
      }));
      return text;
    }
    return "";
  }
  static std::string between(const std::string& text, std::string_view from, std::string_view to) {
    const size_t begin = text.find(from) + from.size();
    return text.substr(begin, text.find(to, begin) - begin);
  }

  const TemporaryFolder folder_;
  Document document_;
};

TEST_F(Docx, HasATitleFactsHeadingsAndTimes) {
  EXPECT_EQ(
      between(part("word/document.xml"), "<w:body>", "<w:sectPr>"),
      R"(<w:p><w:pPr><w:pStyle w:val="Title"/></w:pPr><w:r><w:t xml:space="preserve">)"
      R"(R&amp;D &lt;board&gt;</w:t></w:r></w:p>)"
      R"(<w:p><w:pPr><w:pStyle w:val="Fact"/></w:pPr><w:r><w:rPr><w:b/></w:rPr>)"
      R"(<w:t xml:space="preserve">Speakers: </w:t></w:r><w:r><w:t xml:space="preserve">2</w:t></w:r></w:p>)"
      R"(<w:p><w:pPr><w:pStyle w:val="Fact"/></w:pPr><w:r><w:rPr><w:b/></w:rPr>)"
      R"(<w:t xml:space="preserve">Duration: </w:t></w:r><w:r><w:t xml:space="preserve">0:00:04</w:t></w:r></w:p>)"
      R"(<w:p><w:pPr><w:pStyle w:val="Fact"/></w:pPr><w:r><w:rPr><w:b/></w:rPr>)"
      R"(<w:t xml:space="preserve">Language: </w:t></w:r><w:r><w:t xml:space="preserve">English (en)</w:t></w:r></w:p>)"
      R"(<w:p><w:pPr><w:pStyle w:val="Fact"/></w:pPr><w:r><w:rPr><w:b/></w:rPr>)"
      R"(<w:t xml:space="preserve">Note: </w:t></w:r><w:r><w:t xml:space="preserve">)"
      R"(Half of it is noise.</w:t></w:r></w:p>)"
      R"(<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t xml:space="preserve">Ada</w:t></w:r></w:p>)"
      R"(<w:p><w:r><w:rPr><w:rStyle w:val="Time"/></w:rPr><w:t xml:space="preserve">)"
      R"([00:00.0 - 00:01.5] </w:t></w:r><w:r><w:t xml:space="preserve">Is 1 &lt; 2?</w:t></w:r></w:p>)"
      R"(<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t xml:space="preserve">)"
      R"(Speaker 2</w:t></w:r></w:p>)"
      R"(<w:p><w:r><w:rPr><w:rStyle w:val="Time"/></w:rPr><w:t xml:space="preserve">)"
      R"([00:02.0 - 00:03.5] </w:t></w:r><w:r><w:t xml:space="preserve">Yes.</w:t></w:r></w:p>)");
}

TEST_F(Docx, IsAPackageThatOthersRead) {
  // What XML has no character for, and a language that is written from the right.
  document_.language = "he";
  document_.segments[0].text = "a\x01\xEF\xBF\xBF\tb \xD7\xA9";
  EXPECT_NE(part("word/document.xml").find("<w:bidi/>"), std::string::npos);
  constexpr const char* kScript = R"(
import sys, xml.etree.ElementTree as tree, zipfile
package = zipfile.ZipFile(sys.argv[1])
assert package.testzip() is None
parts = {name: tree.fromstring(package.read(name)) for name in package.namelist()}
word = '{http://schemas.openxmlformats.org/wordprocessingml/2006/main}'
print(list(parts)[0], len(parts))
used = {style.get(word + 'val') for kind in ('pStyle', 'rStyle') for style in parts['word/document.xml'].iter(word + kind)}
known = {style.get(word + 'styleId') for style in parts['word/styles.xml'].iter(word + 'style')}
print(sorted(used - known))
print([text.text for text in parts['word/document.xml'].iter(word + 't')][-4])
)";
  const auto output = run_child({.argv = {"/usr/bin/python3", "-c", kScript, (folder_ / "a.docx").string()}},
                                std::chrono::seconds(30), 1 << 20);
  ASSERT_TRUE(output && output->exit.ok()) << output->standard_error;
  EXPECT_EQ(output->standard_output, "[Content_Types].xml 5\n[]\na b \xD7\xA9\n");
}

TEST_F(Docx, TheSameTranscriptGivesTheSameBytes) {
  EXPECT_EQ(export_document(document_, Format::docx), export_document(document_, Format::docx));
}

TEST_F(Docx, WithoutSpeechItSaysSo) {
  document_.segments.clear();
  EXPECT_NE(part("word/document.xml").find("No speech was found in this recording."), std::string::npos);
}

}  // namespace
}  // namespace hansard::transcript
