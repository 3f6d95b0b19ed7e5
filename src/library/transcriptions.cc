#include "library/transcriptions.h"

#include <array>

#include "jobs/state.h"

#define JOB_LIST(name, key, compare, direction)                                                              \
  Statement{                                                                                                 \
      name,                                                                                                  \
      "SELECT id FROM transcriptions WHERE user_id = $1 AND deleted_at IS NULL AND ephemeral_until IS NULL " \
      "AND (CAST($2 AS TEXT) = '' OR lower(title) LIKE lower($2) ESCAPE '\\') AND (CAST($3 AS TEXT) IS "     \
      "NULL "                                                                                                \
      "OR status = $3) AND updated_at > $4 AND (" key ", id) " compare " ($5, $6) ORDER BY " key             \
      " " direction ", id " direction " LIMIT $7"}

namespace hansard::library {
namespace {

using jobs::Job;
using store::Parameter;
using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

Result<std::vector<Job>> jobs_of(Reader& reader, const std::vector<Row>& ids) {
  std::vector<Job> result;
  for (const Row& row : ids) {
    if (auto job = TRY(jobs::find(reader, row.text(0)))) result.push_back(std::move(*job));
  }
  return result;
}

std::string reference(std::string_view id) {
  return R"({"id":")" + std::string(id) + R"("})";
}

}  // namespace

Result<std::optional<Job>> find_transcription(Reader& reader, std::string_view user_id, std::string_view id) {
  auto job = TRY(jobs::find(reader, id));
  if (!job || job->user_id != user_id || job->deleted_at_ms || job->ephemeral_until_ms)
    return std::optional<Job>();
  return job;
}

Result<std::vector<Job>> list_transcriptions(Reader& reader, std::string_view user_id,
                                             const TranscriptionFilter& filter, const Page& page) {
  static constexpr std::array kLists{JOB_LIST("transcriptions.by_created_down", "created_at", "<", "DESC"),
                                     JOB_LIST("transcriptions.by_created_up", "created_at", ">", "ASC"),
                                     JOB_LIST("transcriptions.by_updated_down", "updated_at", "<", "DESC"),
                                     JOB_LIST("transcriptions.by_updated_up", "updated_at", ">", "ASC"),
                                     JOB_LIST("transcriptions.by_title_down", "title", "<", "DESC"),
                                     JOB_LIST("transcriptions.by_title_up", "title", ">", "ASC")};
  const Statement& statement =
      kLists.at(static_cast<size_t>(page.sort.by) * 2 + (page.sort.descending ? 0 : 1));
  const std::string pattern = filter.title_part.empty() ? "" : like_pattern(filter.title_part);
  const Parameter status =
      filter.status ? Parameter(jobs::status_name(*filter.status)) : Parameter(std::monostate{});
  const Parameter key = std::holds_alternative<int64_t>(page.after_key)
                            ? Parameter(std::get<int64_t>(page.after_key))
                            : Parameter(std::string_view(std::get<std::string>(page.after_key)));
  const std::array<Parameter, 7> parameters{std::string_view(user_id),
                                            std::string_view(pattern),
                                            status,
                                            filter.updated_after_ms.value_or(-1),
                                            key,
                                            std::string_view(page.after_id),
                                            page.limit};
  return jobs_of(reader, TRY(reader.query(statement, parameters)));
}

Result<std::vector<Job>> active_transcriptions(Reader& reader, std::string_view user_id, int64_t limit) {
  static constexpr Statement kActive{
      "transcriptions.active",
      "SELECT id FROM transcriptions WHERE status IN ('queued', 'processing') AND "
      "user_id = $1 AND deleted_at IS NULL AND ephemeral_until IS NULL ORDER BY status DESC, queued_at LIMIT "
      "$2"};
  return jobs_of(reader, TRY(reader.rows(kActive, user_id, limit)));
}

Result<std::vector<std::string>> options_in_work(Reader& reader) {
  static constexpr Statement kInWork{"transcriptions.options_in_work",
                                     "SELECT options FROM transcriptions WHERE status = 'processing'"};
  std::vector<std::string> options;
  for (const Row& row : TRY(reader.rows(kInWork))) options.push_back(row.text(0));
  return options;
}

Result<int64_t> queue_position(Reader& reader, const Job& job) {
  static constexpr Statement kBefore{
      "transcriptions.before",
      "SELECT COUNT(*) FROM (SELECT 1 FROM transcriptions WHERE status = 'queued' AND available_at IS NOT "
      "NULL AND "
      "(priority, queued_at, created_at, id) < ($1, $2, $3, $4) LIMIT 10000) AS earlier"};
  return TRY(reader.row(kBefore, job.priority, job.queued_at_ms, job.created_at_ms, job.id))->integer(0) + 1;
}

Result<std::optional<Job>> rename_transcription(Transaction& transaction, std::string_view user_id,
                                                std::string_view id, std::string_view title) {
  static constexpr Statement kRename{"transcriptions.rename",
                                     "UPDATE transcriptions SET title = $3, updated_at = $4 WHERE user_id = "
                                     "$1 AND id = $2 AND deleted_at IS NULL"};
  if (TRY(transaction.change(kRename, user_id, id, title, transaction.now_ms())) == 0)
    return std::optional<Job>();
  TRY(jobs::add_event(transaction, user_id, "transcription.updated", id, reference(id)));
  return jobs::find(transaction, id);
}

Result<bool> remove_transcription(Transaction& transaction, std::string_view user_id, std::string_view id) {
  static constexpr Statement kRemove{"transcriptions.remove",
                                     "UPDATE transcriptions SET deleted_at = $3, updated_at = $3 WHERE "
                                     "user_id = $1 AND id = $2 AND deleted_at IS NULL"};
  const auto job = TRY(find_transcription(transaction, user_id, id));
  if (!job) return false;
  TRY(jobs::cancel(transaction, id));
  TRY(transaction.change(kRemove, user_id, id, transaction.now_ms()));
  TRY(jobs::add_event(transaction, user_id, "transcription.deleted", id, reference(id)));
  return true;
}

Result<std::vector<Execution>> executions(Reader& reader, std::string_view id) {
  static constexpr Statement kList{
      "executions.list",
      "SELECT id, status, attempt, provider, model_name, started_at, completed_at, failed_at, error_message, "
      "stage_seconds FROM transcription_executions WHERE transcription_id = $1 ORDER BY attempt"};
  std::vector<Execution> result;
  for (const Row& row : TRY(reader.rows(kList, id))) {
    result.push_back({row.text(0), row.text(1), row.integer(2), row.text_if(3), row.text_if(4),
                      row.integer(5), row.integer_if(6), row.integer_if(7), row.text_if(8), row.text_if(9)});
  }
  return result;
}

Result<QueueStatistics> queue_statistics(Reader& reader, std::string_view user_id) {
  static constexpr Statement kCount{"transcriptions.statistics",
                                    "SELECT status, COUNT(*), MIN(queued_at) FROM transcriptions WHERE ($1 = "
                                    "'' OR user_id = $1) AND deleted_at IS "
                                    "NULL AND ephemeral_until IS NULL GROUP BY status"};
  QueueStatistics result;
  for (const Row& row : TRY(reader.rows(kCount, user_id))) {
    const auto status = jobs::parse_status(row.text(0));
    if (!status) continue;
    switch (*status) {
      case jobs::Status::queued:
        result.queued = row.integer(1);
        result.oldest_queued_at_ms = row.integer_if(2);
        break;
      case jobs::Status::processing:
        result.processing = row.integer(1);
        break;
      case jobs::Status::completed:
        result.completed = row.integer(1);
        break;
      case jobs::Status::failed:
        result.failed = row.integer(1);
        break;
      case jobs::Status::canceled:
        result.canceled = row.integer(1);
        break;
    }
  }
  return result;
}

}  // namespace hansard::library
