#include "library/erasure.h"

#include "base/limits.h"
#include "base/log.h"
#include "jobs/state.h"
#include "library/imports.h"

namespace hansard::library {
namespace {

using store::Row;
using store::Statement;

// What is left of an ephemeral transcription once its rows are gone.
struct Leftovers {
  std::vector<std::string> outputs;  // blobs
  std::optional<File> file;
};

Result<Leftovers> erase_ephemeral_rows(store::Transaction& transaction, std::string_view id) {
  static constexpr Statement kOutputs{
      "executions.outputs",
      "SELECT output_key FROM transcription_executions WHERE transcription_id = $1 AND output_key IS NOT "
      "NULL"};
  static constexpr Statement kErase{"transcriptions.erase_ephemeral",
                                    "DELETE FROM transcriptions WHERE id = $1"};
  static constexpr Statement kEvents{"events.erase_subject", "DELETE FROM events WHERE subject_id = $1"};
  static constexpr Statement kFile{
      "files.erase_ephemeral",
      "DELETE FROM files WHERE id = $1 AND ephemeral_until IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
      "transcriptions WHERE file_id = $1)"};
  Leftovers left;
  const auto job = TRY(jobs::find(transaction, id));
  if (!job) return left;
  for (const Row& row : TRY(transaction.rows(kOutputs, id))) left.outputs.push_back(row.text(0));
  const auto file = TRY(find_file(transaction, job->user_id, job->file_id, true));
  TRY(transaction.change(kErase, id));
  TRY(transaction.change(kEvents, id));
  if (TRY(transaction.change(kFile, job->file_id)) > 0) left.file = file;
  return left;
}

}  // namespace

Result<void> erase_passages(store::Store& store, std::string_view user_id) {
  static constexpr store::Statement kSome{"transcriptions.some_searchable",
                                          "SELECT id FROM transcriptions WHERE user_id = $1 AND id > $2 AND "
                                          "searchable_version IS NOT NULL ORDER BY "
                                          "id LIMIT 20"};
  static constexpr store::Statement kUnsearchable{
      "transcriptions.unsearched", "UPDATE transcriptions SET searchable_version = NULL WHERE id = $1"};
  for (std::string after;;) {
    std::string last;
    TRY(store.write([&](store::Transaction& transaction) -> Result<void> {
      last.clear();
      for (const store::Row& row : TRY(transaction.rows(kSome, user_id, after))) {
        last = row.text(0);
        TRY(put_passages(transaction, user_id, last, {}));
        TRY(transaction.change(kUnsearchable, last));
      }
      return {};
    }));
    if (last.empty()) return {};
    after = last;
  }
}

Result<std::vector<File>> erase_rows(store::Transaction& transaction, std::string_view user_id) {
  static constexpr Statement kActive{
      "transcriptions.active_ids",
      "SELECT id FROM transcriptions WHERE user_id = $1 AND status IN ('queued', 'processing')"};
  static constexpr Statement kFiles{"files.ids", "SELECT id FROM files WHERE user_id = $1"};
  static constexpr Statement kTranscriptions{"transcriptions.erase",
                                             "DELETE FROM transcriptions WHERE user_id = $1"};
  static constexpr Statement kUploads{"uploads.erase", "DELETE FROM uploads WHERE user_id = $1"};
  static constexpr Statement kRemoveFiles{"files.erase", "DELETE FROM files WHERE user_id = $1"};
  static constexpr Statement kEvents{"events.erase", "DELETE FROM events WHERE user_id = $1"};
  static constexpr Statement kAnswers{"idempotency.erase", "DELETE FROM idempotency_keys WHERE user_id = $1"};
  static constexpr Statement kSettings{"settings.erase", "DELETE FROM settings WHERE user_id = $1"};
  for (const store::Row& row : TRY(transaction.rows(kActive, user_id))) {
    TRY(jobs::cancel(transaction, row.text(0)));
  }
  std::vector<File> files;
  for (const store::Row& row : TRY(transaction.rows(kFiles, user_id))) {
    TRY(end_import(transaction, row.text(0)));
    if (auto file = TRY(find_file(transaction, user_id, row.text(0), true)))
      files.push_back(std::move(*file));
  }
  for (const Statement* statement :
       {&kTranscriptions, &kUploads, &kRemoveFiles, &kEvents, &kAnswers, &kSettings}) {
    TRY(transaction.change(*statement, user_id));
  }
  return files;
}

Result<int64_t> erase_ephemeral(store::Store& store, blob::Blobs& blobs,
                                const pipeline::Artifacts& artifacts) {
  static constexpr Statement kOver{
      "transcriptions.ephemeral_over",
      "SELECT id FROM transcriptions WHERE ephemeral_until IS NOT NULL AND ephemeral_until < $1 AND status "
      "IN ('completed', 'failed', 'canceled') AND updated_at < $2 LIMIT 100"};
  int64_t count = 0;
  for (;;) {
    std::vector<Row> over;
    TRY(store.read([&](store::Reader& reader) -> Result<void> {
      const int64_t now_ms = store.now_ms();
      over =
          TRY(reader.rows(kOver, now_ms, now_ms - std::chrono::milliseconds(limits::kEphemeralAge).count()));
      return {};
    }));
    for (const Row& row : over) {
      Leftovers left;
      TRY(store.write([&](store::Transaction& transaction) -> Result<void> {
        left = TRY(erase_ephemeral_rows(transaction, row.text(0)));
        return {};
      }));
      for (const std::string& output : left.outputs) {
        if (const auto removed = blobs.remove(output); !removed)
          log::warning("{}: its transcript was not removed: {}", row.text(0), removed.error().message);
      }
      if (left.file) erase_recording(store, blobs, artifacts, *left.file);
      ++count;
    }
    if (over.empty()) return count;
  }
}

}  // namespace hansard::library
