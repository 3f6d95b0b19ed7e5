// GET /search: over all that was said to this user.
#include <fmt/format.h>

#include "api/v1/common.h"
#include "library/search.h"
#include "transcript/text.h"

namespace hansard::api::v1 {
namespace {

Outcome<store::SearchQuery> query_of(const Services& services, const Request& request) {
  constexpr size_t kLongest = 500;
  const std::string asked = request.query_value("q").value_or("");
  const std::string text = transcript::cleaned(asked);
  if (text.empty() || transcript::character_count(asked) > kLongest)
    return fail(Problem(422, fmt::format("must be text of 1 to {} characters", kLongest), "q"));
  auto terms = library::parse_search(text);
  if (!terms)
    return fail(Problem(422, fmt::format("must have at most {} words", library::kSearchTerms), "q"));
  store::SearchQuery query{.user_id = user_of(services, request), .terms = std::move(*terms)};
  query.limit = TRY(limit_of(request));
  if (const auto cursor = request.query_value("cursor")) {
    query.after = library::parse_search_cursor(*cursor);
    if (!query.after) return fail(Problem(422, "is not the next_cursor of a search", "cursor"));
  }
  return query;
}

bj::object to_json(const store::SearchHit& hit) {
  bj::object json{{"transcription_id", hit.transcription_id}, {"title", hit.title}};
  json["segment_id"] = hit.passage.segment_id;
  json["start"] = json::rounded(hit.passage.start_s, 3);
  json["end"] = json::rounded(hit.passage.end_s, 3);
  json["speaker"] = text_or_null(hit.passage.speaker);
  json["speaker_name"] = text_or_null(hit.passage.speaker_name);
  json["snippet"] = library::snippet_html(hit.snippet);
  return json;
}

Answer search(Services& services, const Request& request) {
  const store::SearchQuery query = TRY(query_of(services, request));
  const auto page =
      TRY(read<store::SearchPage>(services, [&](store::Reader& reader) -> Outcome<store::SearchPage> {
        return TRY(reader.search(query));
      }));
  bj::array items;
  for (const store::SearchHit& hit : page.hits) items.push_back(to_json(hit));
  return http::json_response(
      200, page_json(std::move(items),
                     page.next ? std::optional(library::make_cursor(*page.next)) : std::nullopt));
}

}  // namespace

void add_search_routes(http::Router& router, Services& services) {
  router.get("/api/v1/search", bind(services, search));
}

}  // namespace hansard::api::v1
