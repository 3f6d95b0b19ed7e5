#include "engine/child/whisper/languages.h"

#include <algorithm>

#include "base/audio.h"
#include "engine/child/whisper/pieces.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {
namespace {

// As windows are packed.
constexpr int64_t kJoinedSamples = kSampleRate * 299 / 10;

}  // namespace

Shares shares_of(std::span<const Heard> heard) {
  double seconds = 0;
  for (const Heard& window : heard) seconds += window.seconds;
  Shares shares;
  for (const Heard& window : heard) {
    for (const auto& [language, probability] : window.languages) {
      shares[language] += static_cast<double>(probability) * window.seconds / seconds;
    }
  }
  return shares;
}

std::string largest(const Shares& shares) {
  if (shares.empty()) return {};
  return std::max_element(shares.begin(), shares.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::vector<std::string> present(const Shares& shares) {
  std::vector<std::string> languages;
  const std::string main = largest(shares);
  for (const auto& [language, share] : shares) {
    if (share >= strategy::kLeastShare || language == main) languages.push_back(language);
  }
  return languages;
}

std::optional<std::string> sure_language(const Heard& heard, std::span<const std::string> present) {
  if (heard.languages.empty()) return std::nullopt;
  const auto& [language, probability] = heard.languages.front();
  if (static_cast<double>(probability) < strategy::kSureOfLanguage) return std::nullopt;
  if (std::find(present.begin(), present.end(), language) == present.end()) return std::nullopt;
  return language;
}

std::string language_of_part(const Heard& part, std::span<const std::string> present) {
  const bool sure = !part.languages.empty() && part.seconds >= strategy::kSurePartSeconds &&
                    static_cast<double>(part.languages.front().second) >= strategy::kSureOfPart;
  if (sure) return part.languages.front().first;
  for (const auto& [language, probability] : part.languages) {
    if (std::find(present.begin(), present.end(), language) != present.end()) return language;
  }
  return present.front();
}

std::vector<std::vector<Piece>> language_regions(std::span<const Piece> window,
                                                 std::span<const Piece> regions) {
  std::vector<std::vector<Piece>> parts;
  for (const Piece& piece : window) {
    for (const Piece& region : regions) {
      const Piece inside = {std::max(region.start, piece.start), std::min(region.end, piece.end)};
      if (inside.start >= inside.end) continue;
      if (parts.empty() || seconds_of(parts.back()) >= strategy::kLanguageRegionSeconds) {
        parts.push_back({inside});
      } else if (parts.back().back().end == inside.start) {
        parts.back().back().end = inside.end;
      } else {
        parts.back().push_back(inside);
      }
    }
  }
  return parts;
}

std::vector<Window> join_same_language(std::vector<Window> windows) {
  std::vector<Window> joined;
  for (Window& window : windows) {
    const bool joins = !joined.empty() && joined.back().language == window.language &&
                       joined.back().sample_count() + window.sample_count() <= kJoinedSamples;
    if (!joins) {
      joined.push_back(std::move(window));
      continue;
    }
    for (const Piece& piece : window.pieces) {
      std::vector<Piece>& pieces = joined.back().pieces;
      if (pieces.back().end == piece.start) {
        pieces.back().end = piece.end;
      } else {
        pieces.push_back(piece);
      }
    }
  }
  return joined;
}

}  // namespace hansard::engine::whisper
