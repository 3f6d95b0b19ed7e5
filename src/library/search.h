// Searching all that was said, as people ask for it.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace hansard::library {

// More words are no question.
inline constexpr size_t kSearchTerms = 16;

// Words, "words in a row", and the beginnings of words (budg*). A star after a single letter counts for
// nothing, since half of all words begin with it; nothing else has a meaning. Nothing for more terms than
// kSearchTerms.
std::optional<std::vector<store::SearchTerm>> parse_search(std::string_view text);

// A place in a search as an opaque word, and back; nothing for what is none.
std::string make_cursor(const store::SearchPlace& place);
std::optional<store::SearchPlace> parse_search_cursor(std::string_view cursor);

// A snippet as HTML: the marks as <mark>, and nothing else in it that has a meaning there.
std::string snippet_html(std::string_view snippet);

// Makes transcripts searchable that were there before there was a search. How many; ends early when it is
// told to stop.
Result<int64_t> make_searchable(store::Store& store, const std::stop_token& stop);

}  // namespace hansard::library
