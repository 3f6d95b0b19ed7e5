// The languages that recordings may be in: ISO 639 codes and English names, those that Whisper was trained
// on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hansard {

struct Language {
  std::string_view code;  // "en"
  std::string_view name;  // "English"
};

std::span<const Language> languages();  // by code

// "English" for "en"; the code itself where it is not known.
std::string_view language_name(std::string_view code);

// A code out of what people write: "en", "EN", "english", "en-US"; "auto" stays. Errors: invalid_request.
Result<std::string> parse_language(std::string_view text);

}  // namespace hansard
