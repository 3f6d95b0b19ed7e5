#include "jobs/admission.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace hansard::jobs {
namespace {

using namespace std::chrono_literals;
using store::Statement;

// A job takes minutes: who asks more often asks for nothing.
constexpr auto kQueueWait = 60s;

// Since when the recordings of the last day have to be forgotten until another fits; nothing where it does.
Result<std::optional<NoRoom>> find_hours_used(store::Reader& reader, double hours_a_day,
                                              std::string_view user_id, double duration_s, int64_t now_ms) {
  static constexpr Statement kRecordings{
      "jobs.recordings_of_day",
      "SELECT transcriptions.created_at, files.duration_seconds FROM transcriptions "
      "JOIN files ON files.id = transcriptions.file_id WHERE transcriptions.user_id = $1 AND "
      "transcriptions.created_at > $2 AND transcriptions.status IN ('queued', 'processing', 'completed') "
      "ORDER BY transcriptions.created_at"};
  constexpr std::chrono::seconds kDay = 24h;
  constexpr int64_t kDayMs = std::chrono::milliseconds(kDay).count();
  const auto rows = TRY(reader.rows(kRecordings, user_id, now_ms - kDayMs));
  double used_s = duration_s;
  for (const store::Row& row : rows) used_s += row.number_if(1).value_or(0);
  const double most_s = hours_a_day * 3600;
  if (used_s <= most_s) return std::optional<NoRoom>();
  NoRoom no_room{fmt::format("you may have {:g} hours of recordings transcribed in a day", hours_a_day),
                 kDay};
  for (const store::Row& row : rows) {
    used_s -= row.number_if(1).value_or(0);
    if (used_s > most_s) continue;
    const auto left = std::chrono::milliseconds(row.integer(0) + kDayMs - now_ms);
    no_room.retry_after =
        std::chrono::ceil<std::chrono::seconds>(std::max<std::chrono::milliseconds>(left, 1s));
    break;
  }
  return std::optional(std::move(no_room));
}

}  // namespace

Result<std::optional<NoRoom>> find_no_room(store::Reader& reader, const QueueLimits& limits,
                                           std::string_view user_id, std::optional<double> duration_s,
                                           int64_t now_ms) {
  // Counted no further than they need to be.
  static constexpr Statement kOfUser{"jobs.queued_of_user",
                                     "SELECT COUNT(*) FROM (SELECT 1 FROM transcriptions WHERE user_id = $1 "
                                     "AND status = 'queued' LIMIT $2) AS found"};
  static constexpr Statement kOfAll{
      "jobs.queued_of_all",
      "SELECT COUNT(*) FROM (SELECT 1 FROM transcriptions WHERE status = 'queued' LIMIT $1) AS found"};
  const auto count = [](const std::optional<store::Row>& row) { return row ? row->integer(0) : 0; };
  if (count(TRY(reader.row(kOfUser, user_id, limits.queued_of_user))) >= limits.queued_of_user) {
    return std::optional(NoRoom{
        fmt::format("{} jobs of yours wait already; queue more when some have ended", limits.queued_of_user),
        kQueueWait});
  }
  if (count(TRY(reader.row(kOfAll, limits.queued))) >= limits.queued) {
    return std::optional(NoRoom{"the queue is full; try again when some jobs have ended", kQueueWait});
  }
  if (limits.hours_a_day <= 0) return std::optional<NoRoom>();
  return find_hours_used(reader, limits.hours_a_day, user_id, duration_s.value_or(0), now_ms);
}

}  // namespace hansard::jobs
