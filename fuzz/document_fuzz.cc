// Transcripts written by who knows what, and every export of them.

#include "transcript/document.h"
#include "transcript/exports.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hansard::transcript;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto document = from_json(bytes)) {
    for (const Format format :
         {Format::md, Format::txt, Format::srt, Format::vtt, Format::tsv, Format::json}) {
      (void)export_document(*document, format);
    }
  }
  return 0;
}
