#include "library/erasure.h"

#include "jobs/state.h"

namespace hansard::library {

Result<std::vector<File>> erase_rows(store::Transaction& transaction, std::string_view user_id) {
  using store::Statement;
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
    if (auto file = TRY(find_file(transaction, user_id, row.text(0), true)))
      files.push_back(std::move(*file));
  }
  for (const Statement* statement :
       {&kTranscriptions, &kUploads, &kRemoveFiles, &kEvents, &kAnswers, &kSettings}) {
    TRY(transaction.change(*statement, user_id));
  }
  return files;
}

}  // namespace hansard::library
