#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "media/media.h"

namespace hansard::media {
namespace {

// By the alphabet, for the search.
constexpr std::array<std::string_view, 61> kExtensions = {
    "3g2", "3ga",  "3gp", "aac", "ac3",  "aif", "aifc", "aiff", "alac", "amr",  "ape", "asf", "au",
    "avi", "awb",  "caf", "dct", "divx", "ds2", "dss",  "dts",  "dv",   "eac3", "f4a", "f4v", "flac",
    "flv", "m2ts", "m4a", "m4b", "m4v",  "mka", "mkv",  "mov",  "mp2",  "mp3",  "mp4", "mpc", "mpeg",
    "mpg", "mpga", "mts", "mxf", "nut",  "oga", "ogg",  "ogm",  "ogv",  "opus", "qt",  "ra",  "rm",
    "snd", "spx",  "tak", "tta", "vob",  "wav", "webm", "wma",  "wmv"};
static_assert(std::is_sorted(kExtensions.begin(), kExtensions.end()));

}  // namespace

bool is_media_name(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos || name.front() == '.') return false;
  std::string extension = name.substr(dot + 1);
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::binary_search(kExtensions.begin(), kExtensions.end(), extension);
}

}  // namespace hansard::media
