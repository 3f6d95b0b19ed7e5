#include "jobs/short_lane.h"

#include "base/limits.h"
#include "jobs/claimable.h"

namespace hansard::jobs {

Result<std::optional<std::string>> ShortLane::enter(store::Store& store, const Job& running) {
  // Of the first of the queue: who stands behind so many waits for them in any case.
  static constexpr store::Statement kShort{
      "jobs.next_short",
      "SELECT queue.id FROM (SELECT id, file_id, priority, queued_at, created_at FROM transcriptions "
      "WHERE " CLAIMABLE " AND priority <= $2 ORDER BY " CLAIM_ORDER
      " LIMIT 1000) AS queue "
      "JOIN files ON files.id = queue.file_id WHERE files.duration_seconds <= $3 AND "
      // Where nobody knows how long a recording is, it may be long.
      "(SELECT COALESCE(duration_seconds, $3 + 1) FROM files WHERE id = $4) > $3 "
      "ORDER BY queue.priority, queue.queued_at, queue.created_at, queue.id LIMIT 1"};
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(made_way_, [&](const auto& one) { return now - one.second >= limits::kMakeWayInterval; });
    if (made_way_.contains(running.id)) return std::nullopt;
  }
  std::optional<std::string> id;
  TRY(store.read([&](store::Reader& reader) -> Result<void> {
    const auto row = TRY(reader.row(kShort, store.now_ms(), running.priority, limits::kShortRecording.count(),
                                    running.file_id));
    if (row) id = row->text(0);
    return {};
  }));
  if (!id) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (!entered_.insert(*id).second) return std::nullopt;
  made_way_[running.id] = now;
  return id;
}

void ShortLane::left(const std::string& id) {
  const std::lock_guard lock(mutex_);
  entered_.erase(id);
}

}  // namespace hansard::jobs
