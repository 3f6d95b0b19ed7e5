#include "library/retention.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "library/files.h"
#include "library/transcriptions.h"

// A file that has bytes, and no job to come or in work.
#define NOT_NEEDED                                                                                     \
  " AND blob IS NOT NULL AND NOT EXISTS (SELECT 1 FROM transcriptions WHERE transcriptions.file_id = " \
  "files.id AND transcriptions.status IN ('queued', 'processing')) LIMIT 100"

namespace hansard::library {
namespace {

using std::chrono::milliseconds;
using store::Row;
using store::Statement;
using store::Transaction;

struct Owned {
  std::string user_id;
  std::string id;
};

int64_t before(const store::Store& store, milliseconds age) {
  return store.now_ms() - age.count();
}

// Ids of what is older, some at a time, handed to `forget` until there are none. How many.
Result<int64_t> forget_older(store::Store& store, const Statement& older, int64_t before_ms,
                             const std::function<Result<void>(const Owned&)>& forget) {
  for (int64_t count = 0;;) {
    std::vector<Owned> some;
    TRY(store.read([&](store::Reader& reader) -> Result<void> {
      some.clear();
      for (const Row& row : TRY(reader.rows(older, before_ms))) some.push_back({row.text(0), row.text(1)});
      return {};
    }));
    if (some.empty()) return count;
    for (const Owned& one : some) TRY(forget(one));
    count += static_cast<int64_t>(some.size());
  }
}

Result<void> erase_recording_of(store::Store& store, blob::Blobs& blobs, const pipeline::Artifacts& artifacts,
                                const Owned& owned) {
  std::optional<File> file;
  TRY(store.write([&](Transaction& transaction) -> Result<void> {
    file = TRY(find_file(transaction, owned.user_id, owned.id, true));
    const auto purged = purge_file(transaction, owned.user_id, owned.id);
    if (purged) return {};
    file.reset();
    // A job came that needs it: later then.
    return purged.error().code == ErrorCode::conflict ? Result<void>() : fail(purged.error());
  }));
  if (file) erase_recording(store, blobs, artifacts, *file);
  return {};
}

}  // namespace

Result<Forgotten> apply_retention(store::Store& store, blob::Blobs& blobs,
                                  const pipeline::Artifacts& artifacts, const Retention& retention) {
  static constexpr Statement kOldRecordings{
      "files.older",
      "SELECT user_id, id FROM files WHERE created_at < $1 AND status <> 'processing'" NOT_NEEDED};
  static constexpr Statement kTrashed{"files.trashed",
                                      "SELECT user_id, id FROM files WHERE deleted_at < $1" NOT_NEEDED};
  static constexpr Statement kOldTranscriptions{
      "transcriptions.older",
      "SELECT user_id, id FROM transcriptions WHERE updated_at < $1 AND deleted_at IS NULL AND "
      "status IN ('completed', 'failed', 'canceled') LIMIT 100"};
  static constexpr Statement kDeleted{
      "transcriptions.deleted", "SELECT user_id, id FROM transcriptions WHERE deleted_at < $1 LIMIT 100"};
  static constexpr Statement kErase{"transcriptions.erase_one",
                                    "DELETE FROM transcriptions WHERE user_id = $1 AND id = $2"};
  Forgotten forgotten;
  const auto erase = [&](const Owned& file) { return erase_recording_of(store, blobs, artifacts, file); };
  TRY(forget_older(store, kTrashed, before(store, limits::kTrashAge), erase));
  if (retention.audio.count() > 0) {
    forgotten.recordings = TRY(forget_older(store, kOldRecordings, before(store, retention.audio), erase));
  }
  if (retention.transcripts.count() > 0) {
    forgotten.transcriptions = TRY(forget_older(
        store, kOldTranscriptions, before(store, retention.transcripts), [&](const Owned& transcription) {
          return store.write([&](Transaction& transaction) -> Result<void> {
            TRY(remove_transcription(transaction, transcription.user_id, transcription.id));
            return {};
          });
        }));
  }
  // The blobs that its executions name are swept.
  TRY(forget_older(store, kDeleted, before(store, limits::kTrashAge), [&](const Owned& transcription) {
    return store.write([&](Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kErase, transcription.user_id, transcription.id));
      return {};
    });
  }));
  return forgotten;
}

}  // namespace hansard::library
