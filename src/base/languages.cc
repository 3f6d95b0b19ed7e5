#include "base/languages.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/spelling.h"

namespace hansard {
namespace {

constexpr std::array<Language, 100> kLanguages{{
    {"af", "Afrikaans"},   {"am", "Amharic"},
    {"ar", "Arabic"},      {"as", "Assamese"},
    {"az", "Azerbaijani"}, {"ba", "Bashkir"},
    {"be", "Belarusian"},  {"bg", "Bulgarian"},
    {"bn", "Bengali"},     {"bo", "Tibetan"},
    {"br", "Breton"},      {"bs", "Bosnian"},
    {"ca", "Catalan"},     {"cs", "Czech"},
    {"cy", "Welsh"},       {"da", "Danish"},
    {"de", "German"},      {"el", "Greek"},
    {"en", "English"},     {"es", "Spanish"},
    {"et", "Estonian"},    {"eu", "Basque"},
    {"fa", "Persian"},     {"fi", "Finnish"},
    {"fo", "Faroese"},     {"fr", "French"},
    {"gl", "Galician"},    {"gu", "Gujarati"},
    {"ha", "Hausa"},       {"haw", "Hawaiian"},
    {"he", "Hebrew"},      {"hi", "Hindi"},
    {"hr", "Croatian"},    {"ht", "Haitian Creole"},
    {"hu", "Hungarian"},   {"hy", "Armenian"},
    {"id", "Indonesian"},  {"is", "Icelandic"},
    {"it", "Italian"},     {"ja", "Japanese"},
    {"jw", "Javanese"},    {"ka", "Georgian"},
    {"kk", "Kazakh"},      {"km", "Khmer"},
    {"kn", "Kannada"},     {"ko", "Korean"},
    {"la", "Latin"},       {"lb", "Luxembourgish"},
    {"ln", "Lingala"},     {"lo", "Lao"},
    {"lt", "Lithuanian"},  {"lv", "Latvian"},
    {"mg", "Malagasy"},    {"mi", "Maori"},
    {"mk", "Macedonian"},  {"ml", "Malayalam"},
    {"mn", "Mongolian"},   {"mr", "Marathi"},
    {"ms", "Malay"},       {"mt", "Maltese"},
    {"my", "Burmese"},     {"ne", "Nepali"},
    {"nl", "Dutch"},       {"nn", "Norwegian Nynorsk"},
    {"no", "Norwegian"},   {"oc", "Occitan"},
    {"pa", "Punjabi"},     {"pl", "Polish"},
    {"ps", "Pashto"},      {"pt", "Portuguese"},
    {"ro", "Romanian"},    {"ru", "Russian"},
    {"sa", "Sanskrit"},    {"sd", "Sindhi"},
    {"si", "Sinhala"},     {"sk", "Slovak"},
    {"sl", "Slovenian"},   {"sn", "Shona"},
    {"so", "Somali"},      {"sq", "Albanian"},
    {"sr", "Serbian"},     {"su", "Sundanese"},
    {"sv", "Swedish"},     {"sw", "Swahili"},
    {"ta", "Tamil"},       {"te", "Telugu"},
    {"tg", "Tajik"},       {"th", "Thai"},
    {"tk", "Turkmen"},     {"tl", "Tagalog"},
    {"tr", "Turkish"},     {"tt", "Tatar"},
    {"uk", "Ukrainian"},   {"ur", "Urdu"},
    {"uz", "Uzbek"},       {"vi", "Vietnamese"},
    {"yi", "Yiddish"},     {"yo", "Yoruba"},
    {"yue", "Cantonese"},  {"zh", "Chinese"},
}};

}  // namespace

std::span<const Language> languages() {
  return kLanguages;
}

std::string_view language_name(std::string_view code) {
  const auto found = std::find_if(kLanguages.begin(), kLanguages.end(),
                                  [&](const Language& language) { return language.code == code; });
  return found == kLanguages.end() ? code : found->name;
}

Result<std::string> parse_language(std::string_view text) {
  const std::string wanted = lower(text);
  if (wanted == "auto") return std::string("auto");
  // "en-US" and "en_US": the region says nothing to the models.
  const std::string code = wanted.substr(0, wanted.find_first_of("-_"));
  for (const Language& language : kLanguages) {
    if (language.code == code || lower(language.name) == wanted) return std::string(language.code);
  }
  return fail(ErrorCode::invalid_request,
              fmt::format("language \"{}\" is not known; use a code such as en or fr, or auto", text));
}

}  // namespace hansard
