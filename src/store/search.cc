#include "store/search.h"

#include "store/store.h"

namespace hansard::store {

Result<void> put_passages(Transaction& transaction, std::string_view user_id,
                          std::string_view transcription_id, std::span<const Passage> passages) {
  static constexpr Statement kRemove{"passages.remove", "DELETE FROM passages WHERE transcription_id = $1"};
  static constexpr Statement kInsert{
      "passages.insert",
      "INSERT INTO passages (transcription_id, user_id, segment_id, start_seconds, end_seconds, speaker, "
      "speaker_name, text) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"};
  TRY(transaction.change(kRemove, transcription_id));
  for (const Passage& passage : passages) {
    TRY(transaction.change(kInsert, transcription_id, user_id, passage.segment_id, passage.start_s,
                           passage.end_s, passage.speaker, passage.speaker_name, passage.text));
  }
  return {};
}

}  // namespace hansard::store
