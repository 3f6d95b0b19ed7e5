#include "library/versions.h"

#include "base/json.h"
#include "jobs/passages.h"
#include "jobs/state.h"

namespace hansard::library {

using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

Result<std::vector<Version>> list_versions(Reader& reader, std::string_view transcription_id) {
  static constexpr Statement kList{"transcripts.versions",
                                   "SELECT version, kind, created_by, created_at FROM transcripts WHERE "
                                   "transcription_id = $1 ORDER BY version DESC"};
  std::vector<Version> versions;
  for (const Row& row : TRY(reader.rows(kList, transcription_id))) {
    versions.push_back({row.integer(0), row.text(1) == "machine", row.text_if(2), row.integer(3)});
  }
  return versions;
}

Result<std::optional<VersionDocument>> find_version(Reader& reader, std::string_view transcription_id,
                                                    int64_t number) {
  static constexpr Statement kFind{
      "transcripts.document",
      "SELECT version, document FROM transcripts WHERE transcription_id = $1 AND ($2 = 0 OR version = $2) "
      "ORDER BY version DESC LIMIT 1"};
  const auto row = TRY(reader.row(kFind, transcription_id, number));
  return row ? std::optional(VersionDocument{row->integer(0), row->text(1)}) : std::nullopt;
}

Result<std::optional<int64_t>> add_version(Transaction& transaction, std::string_view user_id,
                                           std::string_view transcription_id, int64_t base,
                                           const transcript::Document& document) {
  static constexpr Statement kNewest{"transcripts.newest",
                                     "SELECT MAX(version) FROM transcripts WHERE transcription_id = $1"};
  static constexpr Statement kTouch{"transcriptions.edited",
                                    "UPDATE transcriptions SET speaker_count = $3, updated_at = $4, "
                                    "searchable_version = $5 WHERE user_id = $1 AND id = $2 AND "
                                    "status = 'completed' AND deleted_at IS NULL"};
  static constexpr Statement kInsert{
      "transcripts.edit",
      "INSERT INTO transcripts (transcription_id, version, kind, document, created_by, created_at) "
      "VALUES ($1, $2, 'edit', $3, $4, $5)"};
  static constexpr Statement kForget{
      "transcripts.forget",
      "DELETE FROM transcripts WHERE transcription_id = $1 AND version > 1 AND version < $2"};
  const auto newest = TRY(transaction.row(kNewest, transcription_id));
  if (newest->integer_if(0) != base) return std::optional<int64_t>();
  const auto speakers =
      document.diarized ? std::optional(static_cast<int64_t>(document.speakers.size())) : std::nullopt;
  const int64_t now_ms = transaction.now_ms();
  const int64_t number = base + 1;
  if (TRY(transaction.change(kTouch, user_id, transcription_id, speakers, now_ms, number)) == 0)
    return std::optional<int64_t>();
  TRY(transaction.change(kInsert, transcription_id, number, transcript::to_json(document), user_id, now_ms));
  TRY(transaction.change(kForget, transcription_id, number + 2 - kVersionsKept));
  TRY(put_passages(transaction, user_id, transcription_id, jobs::passages_of(document)));
  TRY(jobs::add_event(transaction, user_id, "transcription.updated", transcription_id,
                      json::to_text(json::bj::object{{"id", transcription_id}})));
  return std::optional(number);
}

}  // namespace hansard::library
