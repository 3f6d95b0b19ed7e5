// What every driver must find: search_test.cc holds the cases, a driver's own test names itself with
// INSTANTIATE_TEST_SUITE_P(…, StoreSearch, …). For test programs only.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>

#include "store/conformance.h"
#include "store/search.h"

namespace hansard::store {

class StoreSearch : public StoreConformance {
 protected:
  static constexpr Statement kUser{
      "test.user",
      "INSERT INTO users (id, username, role, created_at, updated_at) VALUES ($1, $1, 'user', 1, 1)"};
  static constexpr Statement kFile{
      "test.file",
      "INSERT INTO files (id, user_id, title, kind, status, created_at, updated_at) VALUES "
      "($1, $1, 'a', 'audio', 'uploaded', 1, 1)"};
  static constexpr Statement kTranscription{
      "test.transcription",
      "INSERT INTO transcriptions (id, user_id, file_id, client, title, status, options, priority, progress, "
      "progress_stage, queued_at, started_at, completed_at, attempt, failures, crashes, recoveries, "
      "warnings, "
      "created_at, updated_at) VALUES ($1, $2, $2, 'api', $1, 'completed', '{}', 5, 1, 'completed', 1, 1, 1, "
      "1, 0, "
      "0, 0, '[]', 1, 1)"};

  StoreSearch() {
    write([](Transaction& t) -> Result<void> {
      for (const char* user : {"user_ann", "user_bob"}) {
        TRY(t.change(kUser, user));
        TRY(t.change(kFile, user));
      }
      return {};
    });
  }
  void write(const Store::Work& work) {
    const auto written = store_->write(work);
    ASSERT_TRUE(written) << written.error().message << " " << written.error().detail;
  }
  // A completed transcription whose segments say this.
  void add(const std::string& id, const std::vector<std::string>& texts,
           const std::string& user = "user_ann") {
    write([&](Transaction& t) -> Result<void> {
      TRY(t.change(kTranscription, id, user));
      return put(t, id, texts, user);
    });
  }
  static Result<void> put(Transaction& t, const std::string& id, const std::vector<std::string>& texts,
                          const std::string& user = "user_ann") {
    std::vector<Passage> passages;
    for (const std::string& text : texts) {
      const auto i = static_cast<double>(passages.size());
      passages.push_back(
          {fmt::format("seg_{}", passages.size() + 1), i, i + 0.5, "SPEAKER_00", std::nullopt, text});
    }
    return put_passages(t, user, id, passages);
  }
  void change(const Statement& statement, const std::string& id) {
    write([&](Transaction& t) -> Result<void> {
      TRY(t.change(statement, id));
      return {};
    });
  }
  SearchPage search(const SearchQuery& query) {
    SearchPage page;
    const auto read = store_->read([&](Reader& reader) -> Result<void> {
      page = TRY(reader.search(query));
      return {};
    });
    EXPECT_TRUE(read) << read.error().message << " " << read.error().detail;
    return page;
  }
  // The texts that are found, the best first.
  std::vector<std::string> found(std::vector<SearchTerm> terms, const std::string& user = "user_ann") {
    std::vector<std::string> texts;
    for (const SearchHit& hit : search({.user_id = user, .terms = std::move(terms)}).hits)
      texts.push_back(hit.passage.text);
    return texts;
  }
  using Texts = std::vector<std::string>;
};

}  // namespace hansard::store
