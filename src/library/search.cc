#include "library/search.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/log.h"
#include "base/writing.h"
#include "jobs/passages.h"
#include "transcript/document.h"

namespace hansard::library {
namespace {

using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

bool may_be_prefix(std::string_view word) {
  size_t at = 0;
  const char32_t first = next_character(word, at);
  return at < word.size() || is_spaceless(first);
}

struct Unsearchable {
  std::string id;
  std::string user_id;
  int64_t version = 0;
  std::vector<store::Passage> passages;
};

std::vector<store::Passage> passages_in(const std::string& id, const std::string& document) {
  const auto read = transcript::from_json(document);
  if (read) return jobs::passages_of(*read);
  log::warning("{}: its transcript cannot be searched: {}", id, read.error().message);
  return {};
}

Result<std::vector<Unsearchable>> next_unsearchable(Reader& reader) {
  static constexpr Statement kNext{
      "transcriptions.unsearchable",
      "SELECT t.id, t.user_id, v.version, v.document FROM transcriptions AS t JOIN transcripts AS v ON "
      "v.transcription_id = t.id AND v.version = (SELECT MAX(version) FROM transcripts WHERE "
      "transcription_id = "
      "t.id) WHERE t.status = 'completed' AND t.searchable_version IS NULL LIMIT 5"};
  std::vector<Unsearchable> next;
  for (const Row& row : TRY(reader.rows(kNext)))
    next.push_back({row.text(0), row.text(1), row.integer(2), passages_in(row.text(0), row.text(3))});
  return next;
}

// Nothing where an edit came before.
Result<void> put(Transaction& transaction, const Unsearchable& one) {
  static constexpr Statement kMark{
      "transcriptions.searchable",
      "UPDATE transcriptions SET searchable_version = $2 WHERE id = $1 AND searchable_version IS NULL AND "
      "$2 = (SELECT MAX(version) FROM transcripts WHERE transcription_id = $1)"};
  if (TRY(transaction.change(kMark, one.id, one.version)) == 0) return {};
  return put_passages(transaction, one.user_id, one.id, one.passages);
}

}  // namespace

std::optional<std::vector<store::SearchTerm>> parse_search(std::string_view text) {
  std::vector<store::SearchTerm> terms;
  for (size_t at = text.find_first_not_of(' '); at < text.size(); at = text.find_first_not_of(' ', at)) {
    const bool phrase = text[at] == '"';
    if (phrase) ++at;
    const size_t end = std::min(text.find_first_of(phrase ? "\"" : " \"", at), text.size());
    std::string_view words = text.substr(at, end - at);
    at = phrase && end < text.size() ? end + 1 : end;
    bool prefix = false;
    for (; !phrase && words.ends_with('*'); words.remove_suffix(1)) prefix = true;
    for (; phrase && at < text.size() && text[at] == '*'; ++at) prefix = true;
    if (words.find_first_not_of(' ') == std::string_view::npos) continue;
    terms.push_back({std::string(words), prefix && may_be_prefix(words)});
  }
  return terms.size() > kSearchTerms ? std::nullopt : std::optional(std::move(terms));
}

std::string make_cursor(const store::SearchPlace& place) {
  return fmt::format("{:x}-{:x}-{:x}", place.window, place.score, place.id);
}

std::optional<store::SearchPlace> parse_search_cursor(std::string_view cursor) {
  store::SearchPlace place;
  const char* at = cursor.data();
  const char* const end = at + cursor.size();
  for (int64_t* number : {&place.window, &place.score, &place.id}) {
    if (number != &place.window) {
      if (at == end || *at != '-') return std::nullopt;
      ++at;
    }
    const auto [next, error] = std::from_chars(at, end, *number, 16);
    if (error != std::errc() || *number < 0) return std::nullopt;
    at = next;
  }
  return at == end ? std::optional(place) : std::nullopt;
}

std::string snippet_html(std::string_view snippet) {
  std::string html;
  for (const char c : snippet) {
    switch (c) {
      case store::kMarkBegin:
        html += "<mark>";
        break;
      case store::kMarkEnd:
        html += "</mark>";
        break;
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

Result<int64_t> make_searchable(store::Store& store, const std::stop_token& stop) {
  int64_t count = 0;
  while (!stop.stop_requested()) {
    std::vector<Unsearchable> next;
    TRY(store.read([&](Reader& reader) -> Result<void> {
      next = TRY(next_unsearchable(reader));
      return {};
    }));
    if (next.empty()) break;
    TRY(store.write([&](Transaction& transaction) -> Result<void> {
      for (const Unsearchable& one : next) TRY(put(transaction, one));
      return {};
    }));
    count += static_cast<int64_t>(next.size());
  }
  return count;
}

}  // namespace hansard::library
