// Which language is spoken where, out of what the model hears in single windows. Pure functions.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/types.h"

namespace hansard::engine::whisper {

// Languages of one window by falling probability, and its length.
struct Heard {
  double seconds = 0;
  std::vector<std::pair<std::string, float>> languages;
};

// Of each language, its share of what was heard: probabilities weighted by length.
using Shares = std::map<std::string, double>;
Shares shares_of(std::span<const Heard> heard);

// The language with the largest share.
std::string largest(const Shares& shares);

// Languages with enough of a share to be really there; the largest is always one.
std::vector<std::string> present(const Shares& shares);

// The language of a window that is sure of one of the `present`.
std::optional<std::string> sure_language(const Heard& heard, std::span<const std::string> present);

// The likeliest of the `present`; but a part that is long and sure of another has that one, however little of
// it the recording has.
std::string language_of_part(const Heard& part, std::span<const std::string> present);

// The regions inside of a window, short ones joined to what follows: where its language may change.
std::vector<std::vector<Piece>> language_regions(std::span<const Piece> window,
                                                 std::span<const Piece> regions);

// Joins neighbours of the same language while they fit into one window.
std::vector<Window> join_same_language(std::vector<Window> windows);

}  // namespace hansard::engine::whisper
