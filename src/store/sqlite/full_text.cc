#include "store/sqlite/full_text.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "base/writing.h"

namespace hansard::store {

// Whose a passage is stands in the index as a word of its own, so that others' passages are never looked at.
// Prefixes of two and three letters, which fit very many words, have lists of their own; longer ones are put
// together from their words.
const char* const kPassagesIndex = R"sql(
CREATE VIRTUAL TABLE passages_index USING fts5 (
  user_id, text, content = 'passages', content_rowid = 'id', tokenize = 'hansard', prefix = '2 3'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
  INSERT INTO passages_index (rowid, user_id, text) VALUES (new.id, new.user_id, new.text);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
  INSERT INTO passages_index (passages_index, rowid, user_id, text)
  VALUES ('delete', old.id, old.user_id, old.text);
END;
)sql";

namespace {

// Matches that are ranked together.
constexpr int64_t kWindow = 400;
constexpr int kTextColumn = 1;  // of passages_index

// ---- words

// SQLite's unicode61 without diacritics, but for languages without spaces, where each character is a word:
// what stands there in a row is found as a phrase.
class Tokenizer {
 public:
  static int create(void* api, const char** /*arguments*/, int /*count*/, Fts5Tokenizer** out) {
    auto self = std::make_unique<Tokenizer>();
    void* data = nullptr;
    auto* fts = static_cast<fts5_api*>(api);
    int status = fts->xFindTokenizer(fts, "unicode61", &data, &self->inner_);
    if (status != SQLITE_OK) return status;
    // Ids of users are one word.
    std::array<const char*, 4> arguments{"remove_diacritics", "2", "tokenchars", "_"};
    status = self->inner_.xCreate(data, arguments.data(), static_cast<int>(arguments.size()),
                                  &self->inner_tokenizer_);
    if (status != SQLITE_OK) return status;
    *out = reinterpret_cast<Fts5Tokenizer*>(self.release());
    return SQLITE_OK;
  }
  static void destroy(Fts5Tokenizer* tokenizer) { delete reinterpret_cast<Tokenizer*>(tokenizer); }
  ~Tokenizer() {
    if (inner_tokenizer_ != nullptr) inner_.xDelete(inner_tokenizer_);
  }
  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  using Take = int (*)(void* context, int flags, const char* token, int size, int begin, int end);
  static int tokenize(Fts5Tokenizer* tokenizer, void* context, int flags, const char* bytes, int size,
                      Take take) {
    const std::string_view text(bytes == nullptr ? "" : bytes, static_cast<size_t>(size));
    return reinterpret_cast<Tokenizer*>(tokenizer)->tokenize(context, flags, text, take);
  }

 private:
  // What unicode61 sees is a part of the text: its places are moved to those of the whole.
  struct Part {
    void* context;
    Take take;
    int offset;
  };

  int tokenize(void* context, int flags, std::string_view text, Take take) {
    size_t part = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      const char32_t character = next_character(text, at);
      if (!is_spaceless(character)) continue;
      int status = tokenize_part(context, flags, text, part, begin, take);
      part = at;
      if (status == SQLITE_OK && !is_mark(character)) {
        status = take(context, 0, text.data() + begin, static_cast<int>(at - begin), static_cast<int>(begin),
                      static_cast<int>(at));
      }
      if (status != SQLITE_OK) return status;
    }
    return tokenize_part(context, flags, text, part, text.size(), take);
  }

  int tokenize_part(void* context, int flags, std::string_view text, size_t begin, size_t end, Take take) {
    if (begin == end) return SQLITE_OK;
    Part part{context, take, static_cast<int>(begin)};
    return inner_.xTokenize(
        inner_tokenizer_, &part, flags, text.data() + begin, static_cast<int>(end - begin),
        [](void* self, int token_flags, const char* token, int size, int from, int to) {
          const auto& moved = *static_cast<Part*>(self);
          return moved.take(moved.context, token_flags, token, size, from + moved.offset, to + moved.offset);
        });
  }

  // Of Chinese and Japanese: what is no word there.
  static bool is_mark(char32_t c) {
    return (c >= 0x3000 && c <= 0x3004) || (c >= 0x3008 && c <= 0x3020) || c == 0x30FB ||
           (c >= 0xFF01 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20) || (c >= 0xFF3B && c <= 0xFF40) ||
           (c >= 0xFF5B && c <= 0xFF65);
  }

  fts5_tokenizer inner_{};
  Fts5Tokenizer* inner_tokenizer_ = nullptr;
};

// ---- rank

// Okapi BM25 without what changes with other passages, so that pages stay what they are: how long these are
// (a usual length stands for it), and how rare a term is (every hit has all terms; and to count what is
// frequent would take as long as that is). In millionths.
void relevance(const Fts5ExtensionApi* api, Fts5Context* context, sqlite3_context* result, int /*count*/,
               sqlite3_value** /*values*/) {
  constexpr double kSaturation = 1.2;
  constexpr double kLengthWeight = 0.75;
  constexpr double kUsualLength = 15;
  int length = 0;
  int instances = 0;
  int status = api->xColumnSize(context, kTextColumn, &length);
  if (status == SQLITE_OK) status = api->xInstCount(context, &instances);
  std::vector<int> frequency(static_cast<size_t>(api->xPhraseCount(context)), 0);
  for (int i = 0; status == SQLITE_OK && i < instances; ++i) {
    int phrase = 0;
    int column = 0;
    int place = 0;
    status = api->xInst(context, i, &phrase, &column, &place);
    if (status == SQLITE_OK && column == kTextColumn) ++frequency[static_cast<size_t>(phrase)];
  }
  if (status != SQLITE_OK) return sqlite3_result_error_code(result, status);
  const double damping = kSaturation * (1 - kLengthWeight + kLengthWeight * length / kUsualLength);
  double score = 0;
  for (const int count : frequency) score += count * (kSaturation + 1) / (count + damping);
  sqlite3_result_int64(result, std::llround(score * 1e6));
}

// ---- asking

// A string of FTS5, in which nothing has a meaning.
std::string as_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    if (c != '\0') out += c;
  }
  return out + '"';
}

std::string match_of(const SearchQuery& query) {
  std::string terms;
  for (const SearchTerm& term : query.terms) terms += as_string(term.text) + (term.prefix ? " * " : " ");
  return fmt::format("user_id : {} AND text : ({})", as_string(query.user_id), terms);
}

struct Ranked {
  int64_t id = 0;
  int64_t score = 0;
  SearchHit hit;

  bool before(const SearchPlace& place) const {
    return score > place.score || (score == place.score && id >= place.id);
  }
};

Ranked ranked_from(const Row& row) {
  Ranked ranked;
  ranked.id = row.integer(0);
  ranked.score = row.integer(1);
  ranked.hit = {row.text(2),
                row.text(3),
                {row.text(4), row.number(5), row.number(6), row.text_if(7), row.text_if(8), row.text(9)},
                row.text(10)};
  return ranked;
}

// The matches of a window, the best first.
Result<std::vector<Ranked>> window_of(Connection& connection, const SearchQuery& query,
                                      const std::string& match, int64_t before_id) {
  static constexpr Statement kWindowOf{
      "passages.search",
      "SELECT p.id, relevance(passages_index), p.transcription_id, t.title, p.segment_id, p.start_seconds, "
      "p.end_seconds, p.speaker, p.speaker_name, p.text, "
      "snippet(passages_index, 1, char(2), char(3), '\xE2\x80\xA6', 32) "
      "FROM passages_index CROSS JOIN passages AS p ON p.id = passages_index.rowid "
      "CROSS JOIN transcriptions AS t ON t.id = p.transcription_id "
      "WHERE passages_index MATCH $1 AND passages_index.rowid < $2 AND p.user_id = $3 AND "
      "t.status = 'completed' AND t.deleted_at IS NULL AND t.ephemeral_until IS NULL "
      "ORDER BY passages_index.rowid DESC LIMIT $4"};
  const std::array<Parameter, 4> parameters{std::string_view(match), before_id,
                                            std::string_view(query.user_id), kWindow};
  std::vector<Ranked> found;
  for (const Row& row : TRY(connection.query(kWindowOf, parameters))) found.push_back(ranked_from(row));
  std::sort(found.begin(), found.end(), [](const Ranked& a, const Ranked& b) {
    return a.score != b.score ? a.score > b.score : a.id > b.id;
  });
  return found;
}

}  // namespace

Result<void> add_full_text(sqlite3* db) {
  fts5_api* api = nullptr;
  sqlite3_stmt* statement = nullptr;
  int status = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, nullptr);
  if (status == SQLITE_OK) {
    sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
    sqlite3_step(statement);
  }
  sqlite3_finalize(statement);
  if (api == nullptr)
    return fail(ErrorCode::internal, "the database failed", "SQLite was built without FTS5");
  fts5_tokenizer tokenizer{Tokenizer::create, Tokenizer::destroy, Tokenizer::tokenize};
  status = api->xCreateTokenizer(api, "hansard", api, &tokenizer, nullptr);
  if (status == SQLITE_OK) status = api->xCreateFunction(api, "relevance", nullptr, relevance, nullptr);
  if (status == SQLITE_OK) return {};
  return fail(ErrorCode::internal, "the database failed", fmt::format("FTS5: {}", sqlite3_errstr(status)));
}

Result<SearchPage> search(Connection& connection, const SearchQuery& query) {
  SearchPage page;
  if (query.terms.empty()) return page;
  const std::string match = match_of(query);
  std::optional<SearchPlace> after = query.after;
  int64_t before_id = after ? after->window : std::numeric_limits<int64_t>::max();
  for (;;) {
    std::vector<Ranked> found = TRY(window_of(connection, query, match, before_id));
    if (found.empty()) return page;
    const bool whole = static_cast<int64_t>(found.size()) < kWindow;
    const auto [oldest, latest] = std::minmax_element(
        found.begin(), found.end(), [](const Ranked& a, const Ranked& b) { return a.id < b.id; });
    // What comes later than the first page does not move its window.
    const int64_t window = std::min(before_id, latest->id + 1);
    const int64_t next_window = oldest->id;
    for (Ranked& one : found) {
      if (after && one.before(*after)) continue;
      if (static_cast<int64_t>(page.hits.size()) == query.limit) return page;
      page.hits.push_back(std::move(one.hit));
      page.next = SearchPlace{window, one.score, one.id};
    }
    if (whole) {
      page.next.reset();
      return page;
    }
    before_id = next_window;
    after.reset();
  }
}

}  // namespace hansard::store
