#include "jobs/state.h"

#include <algorithm>
#include <array>

#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"

// The columns of a job in the order in which job_from() reads them: text, since statements are constants.
#define JOB_COLUMNS                                                                                      \
  "id, user_id, file_id, source_transcription_id, client, title, status, language, options, priority, "  \
  "progress, "                                                                                           \
  "progress_stage, queued_at, available_at, started_at, completed_at, failed_at, claimed_by, attempt, "  \
  "failures, "                                                                                           \
  "crashes, recoveries, duration_seconds, speaker_count, warnings, diarization_error_code, error_code, " \
  "error_message, ephemeral_until, deleted_at, created_at, updated_at"
// The holder's own job and no other's.
#define HELD "id = $1 AND claimed_by = $2 AND attempt = $3 AND status = 'processing'"

namespace hansard::jobs {
namespace {

namespace bj = json::bj;
using store::Row;
using store::Statement;
using store::Transaction;

constexpr std::array<std::pair<Status, std::string_view>, 5> kStatusNames{{{Status::queued, "queued"},
                                                                           {Status::processing, "processing"},
                                                                           {Status::completed, "completed"},
                                                                           {Status::failed, "failed"},
                                                                           {Status::canceled, "canceled"}}};

Job job_from(const Row& row) {
  Job job;
  size_t at = 0;
  job.id = row.text(at++);
  job.user_id = row.text(at++);
  job.file_id = row.text(at++);
  job.source_id = row.text_if(at++);
  job.client = row.text(at++);
  job.title = row.text(at++);
  job.status = parse_status(row.text(at++)).value_or(Status::failed);
  job.language = row.text_if(at++);
  job.options = row.text(at++);
  job.priority = row.integer(at++);
  job.progress = row.number(at++);
  job.stage = row.text(at++);
  job.queued_at_ms = row.integer(at++);
  job.available_at_ms = row.integer_if(at++);
  job.started_at_ms = row.integer_if(at++);
  job.completed_at_ms = row.integer_if(at++);
  job.failed_at_ms = row.integer_if(at++);
  job.claimed_by = row.text_if(at++);
  job.attempt = row.integer(at++);
  job.failures = row.integer(at++);
  job.crashes = row.integer(at++);
  job.recoveries = row.integer(at++);
  job.duration_s = row.number_if(at++);
  job.speaker_count = row.integer_if(at++);
  job.warnings = row.text(at++);
  job.diarization_error_code = row.text_if(at++);
  job.error_code = row.text_if(at++);
  job.error_message = row.text_if(at++);
  job.ephemeral_until_ms = row.integer_if(at++);
  job.deleted_at_ms = row.integer_if(at++);
  job.created_at_ms = row.integer(at++);
  job.updated_at_ms = row.integer(at++);
  return job;
}

// ---- events

Result<void> tell(Transaction& transaction, const Job& job, std::string_view name) {
  bj::object data{{"id", job.id},
                  {"status", status_name(job.status)},
                  {"progress", job.progress},
                  {"stage", job.stage},
                  {"attempt", job.attempt}};
  if (job.error_code)
    data["error"] = bj::object{{"code", *job.error_code}, {"message", job.error_message.value_or("")}};
  TRY(add_event(transaction, job.user_id, name, job.id, json::to_text(data),
                job.ephemeral_until_ms.has_value()));
  return {};
}

// ---- executions

Result<void> close_execution(Transaction& transaction, const Job& job, int64_t attempt,
                             std::string_view status, std::string_view why) {
  static constexpr Statement kClose{
      "executions.close",
      "UPDATE transcription_executions SET status = $3, failed_at = $4, error_message = $5 "
      "WHERE transcription_id = $1 AND attempt = $2 AND status = 'processing'"};
  TRY(transaction.change(kClose, job.id, attempt, status, transaction.now_ms(), why));
  return {};
}

// ---- ways back to the queue, and to failure

struct Counters {
  int64_t failures = 0;
  int64_t crashes = 0;
  int64_t recoveries = 0;
};

// A held job goes back to the queue: `why` is what its execution says. Counters grow by `more`.
Result<bool> put_back(Transaction& transaction, const Fence& fence, std::string_view stage,
                      int64_t available_at_ms, const Counters& more, std::string_view why) {
  static constexpr Statement kPutBack{"jobs.put_back",
                                      "UPDATE transcriptions SET status = 'queued', claimed_by = NULL, "
                                      "claim_expires_at = NULL, attempt = attempt + 1, "
                                      "progress = 0, progress_stage = $4, available_at = $5, failures = "
                                      "failures + $6, crashes = crashes + $7, "
                                      "recoveries = recoveries + $8, updated_at = $9 WHERE " HELD
                                      " RETURNING " JOB_COLUMNS};
  const auto row =
      TRY(transaction.row(kPutBack, fence.id, fence.claimed_by, fence.attempt, stage, available_at_ms,
                          more.failures, more.crashes, more.recoveries, transaction.now_ms()));
  if (!row) return false;
  const Job job = job_from(*row);
  TRY(close_execution(transaction, job, fence.attempt, "interrupted", why));
  TRY(tell(transaction, job, "transcription.queued"));
  transaction.notify({"jobs", job.id});
  return true;
}

Result<bool> fail_held(Transaction& transaction, const Fence& fence, std::string_view code,
                       std::string_view message) {
  static constexpr Statement kFail{
      "jobs.fail",
      "UPDATE transcriptions SET status = 'failed', claimed_by = NULL, claim_expires_at = NULL, failed_at = "
      "$4, "
      "progress_stage = 'failed', error_code = $5, error_message = $6, updated_at = $4 WHERE " HELD
      " RETURNING " JOB_COLUMNS};
  const auto row = TRY(
      transaction.row(kFail, fence.id, fence.claimed_by, fence.attempt, transaction.now_ms(), code, message));
  if (!row) return false;
  const Job job = job_from(*row);
  TRY(close_execution(transaction, job, fence.attempt, "failed", message));
  TRY(tell(transaction, job, "transcription.failed"));
  return true;
}

Fence fence_of(const Job& job) {
  return {job.id, job.claimed_by.value_or(""), job.attempt};
}

Result<int64_t> take_back(Transaction& transaction, const std::vector<Row>& rows, std::string_view why) {
  for (const Row& row : rows) {
    const Job job = job_from(row);
    if (job.recoveries >= limits::kJobRecoveries) {
      TRY(fail_held(transaction, fence_of(job), "RECOVERED_TOO_OFTEN",
                    "The server stopped in the middle of this transcription too many times."));
    } else {
      TRY(put_back(transaction, fence_of(job), "recovered", transaction.now_ms(), {.recoveries = 1}, why));
    }
  }
  return static_cast<int64_t>(rows.size());
}

int64_t backoff_ms(int64_t failures) {
  return limits::kJobBackoff.count() << std::min<int64_t>(failures, 6);
}

}  // namespace

std::string_view status_name(Status status) {
  for (const auto& [known, name] : kStatusNames) {
    if (known == status) return name;
  }
  return "";
}

std::optional<Status> parse_status(std::string_view name) {
  for (const auto& [status, known] : kStatusNames) {
    if (known == name) return status;
  }
  return std::nullopt;
}

Result<void> add_event(Transaction& transaction, std::string_view user_id, std::string_view name,
                       std::string_view subject_id, std::string_view data, bool ephemeral) {
#define ADD_EVENT                                                                       \
  "INSERT INTO events (user_id, name, subject_id, data, created_at, ephemeral) VALUES " \
  "($1, $2, $3, $4, $5, $6)"
  static constexpr Statement kHasReceivers{"webhooks.any",
                                           "SELECT 1 FROM webhooks WHERE user_id = $1 LIMIT 1"};
  static constexpr Statement kAdd{"events.add", ADD_EVENT};
  static constexpr Statement kAddAndTell{"events.add_and_tell", ADD_EVENT " RETURNING id"};
  // To each receiver that wants to hear it.
  static constexpr Statement kDeliver{
      "webhooks.enqueue",
      "INSERT INTO webhook_deliveries (id, webhook_id, event_id, status, tries, available_at, created_at, "
      "updated_at) SELECT id || '-' || CAST($3 AS TEXT), id, $3, 'pending', 0, $4, $4, $4 FROM webhooks "
      "WHERE user_id = $1 AND events LIKE '%,' || $2 || ',%'"};
#undef ADD_EVENT
  const int64_t now = transaction.now_ms();
  transaction.notify({"events", std::string(subject_id)});
  // The id of a row costs as much as the row.
  if (ephemeral || !TRY(transaction.row(kHasReceivers, user_id))) {
    TRY(transaction.change(kAdd, user_id, name, subject_id, data, now, ephemeral ? 1 : 0));
    return {};
  }
  const auto row = TRY(transaction.row(kAddAndTell, user_id, name, subject_id, data, now, 0));
  if (TRY(transaction.change(kDeliver, user_id, name, row->integer(0), now)) > 0) {
    transaction.notify({"webhooks", ""});
  }
  return {};
}

Result<Job> enqueue(Transaction& transaction, const NewJob& wanted) {
  static constexpr Statement kInsert{"jobs.insert",
                                     "INSERT INTO transcriptions (id, user_id, file_id, "
                                     "source_transcription_id, client, title, status, options, "
                                     "priority, progress, progress_stage, queued_at, available_at, attempt, "
                                     "failures, crashes, recoveries, warnings, "
                                     "created_at, updated_at, ephemeral_until) VALUES ($1, $2, $3, $4, $5, "
                                     "$6, 'queued', $7, $8, 0, $9, $10, $11, 0, 0, 0, 0, '[]', "
                                     "$10, $10, $12)"};
  const int64_t now = transaction.now_ms();
  Job job;
  job.id = make_id("tr", now);
  job.user_id = wanted.user_id;
  job.file_id = wanted.file_id;
  job.source_id = wanted.source_id;
  job.client = wanted.client;
  job.title = wanted.title;
  job.status = Status::queued;
  job.options = wanted.options;
  job.priority = wanted.priority;
  job.stage = wanted.file_ready ? "queued" : "downloading";
  job.queued_at_ms = job.created_at_ms = job.updated_at_ms = now;
  if (wanted.file_ready) job.available_at_ms = now;
  job.warnings = "[]";
  job.ephemeral_until_ms = wanted.ephemeral_until_ms;
  TRY(transaction.change(kInsert, job.id, job.user_id, job.file_id, job.source_id, job.client, job.title,
                         job.options, job.priority, job.stage, now, job.available_at_ms,
                         job.ephemeral_until_ms));
  TRY(tell(transaction, job, "transcription.created"));
  TRY(tell(transaction, job, "transcription.queued"));
  if (wanted.file_ready) transaction.notify({"jobs", job.id});
  return job;
}

Result<int64_t> release_waiting(Transaction& transaction, std::string_view file_id) {
  static constexpr Statement kRelease{
      "jobs.release_waiting",
      "UPDATE transcriptions SET available_at = $2, progress_stage = 'queued', updated_at = $2 "
      "WHERE file_id = $1 AND status = 'queued' AND available_at IS NULL RETURNING " JOB_COLUMNS};
  const auto rows = TRY(transaction.rows(kRelease, file_id, transaction.now_ms()));
  for (const Row& row : rows) TRY(tell(transaction, job_from(row), "transcription.queued"));
  if (!rows.empty()) transaction.notify({"jobs", ""});
  return static_cast<int64_t>(rows.size());
}

Result<int64_t> fail_waiting(Transaction& transaction, std::string_view file_id, std::string_view message) {
  static constexpr Statement kFail{
      "jobs.fail_waiting",
      "UPDATE transcriptions SET status = 'failed', failed_at = $2, progress_stage = 'failed', attempt = "
      "attempt + 1, "
      "error_code = 'FILE_FAILED', error_message = $3, updated_at = $2 "
      "WHERE file_id = $1 AND status = 'queued' AND available_at IS NULL RETURNING " JOB_COLUMNS};
  const auto rows = TRY(transaction.rows(kFail, file_id, transaction.now_ms(), message));
  for (const Row& row : rows) TRY(tell(transaction, job_from(row), "transcription.failed"));
  return static_cast<int64_t>(rows.size());
}

Result<std::optional<Job>> claim(Transaction& transaction, const SchedulerPolicy& policy,
                                 std::string_view claimed_by, int64_t lease_ms) {
  const std::optional<std::string> id = TRY(policy.next(transaction, transaction.now_ms()));
  if (!id) return std::optional<Job>();
  return claim_one(transaction, *id, claimed_by, lease_ms);
}

Result<std::optional<Job>> claim_one(Transaction& transaction, std::string_view id,
                                     std::string_view claimed_by, int64_t lease_ms) {
  static constexpr Statement kClaim{
      "jobs.claim",
      "UPDATE transcriptions SET status = 'processing', claimed_by = $2, claim_expires_at = $3, attempt = "
      "attempt + 1, "
      "started_at = $4, progress = 0, progress_stage = 'preparing', updated_at = $4 "
      "WHERE id = $1 AND status = 'queued' RETURNING " JOB_COLUMNS};
  static constexpr Statement kExecution{"executions.start",
                                        "INSERT INTO transcription_executions (id, transcription_id, "
                                        "user_id, status, attempt, request, started_at) "
                                        "VALUES ($1, $2, $3, 'processing', $4, $5, $6)"};
  const int64_t now = transaction.now_ms();
  const auto row = TRY(transaction.row(kClaim, id, claimed_by, now + lease_ms, now));
  if (!row) return std::optional<Job>();
  Job job = job_from(*row);
  TRY(transaction.change(kExecution, make_id("exec", now), job.id, job.user_id, job.attempt, job.options,
                         now));
  TRY(tell(transaction, job, "transcription.updated"));
  return std::optional<Job>(std::move(job));
}

Result<bool> renew(Transaction& transaction, const Fence& fence, int64_t lease_ms) {
  static constexpr Statement kRenew{"jobs.renew",
                                    "UPDATE transcriptions SET claim_expires_at = $4 WHERE " HELD};
  return TRY(transaction.change(kRenew, fence.id, fence.claimed_by, fence.attempt,
                                transaction.now_ms() + lease_ms)) == 1;
}

Result<bool> report_progress(Transaction& transaction, const Fence& fence, std::string_view stage,
                             double progress) {
  static constexpr Statement kProgress{"jobs.progress",
                                       "UPDATE transcriptions SET progress_stage = $4, progress = CASE WHEN "
                                       "$5 > progress THEN $5 ELSE progress END "
                                       "WHERE " HELD};
  return TRY(transaction.change(kProgress, fence.id, fence.claimed_by, fence.attempt, stage,
                                std::clamp(progress, 0.0, 1.0))) == 1;
}

Result<bool> complete(Transaction& transaction, const Fence& fence, const Completion& completion) {
  static constexpr Statement kComplete{
      "jobs.complete",
      "UPDATE transcriptions SET status = 'completed', claimed_by = NULL, claim_expires_at = NULL, "
      "completed_at = $4, "
      "progress = 1, progress_stage = 'completed', language = $5, duration_seconds = $6, speaker_count = $7, "
      "warnings = $8, diarization_error_code = $9, updated_at = $4, searchable_version = 1 WHERE " HELD};
  static constexpr Statement kTranscript{
      "transcripts.first",
      "INSERT INTO transcripts (transcription_id, version, kind, document, created_at) "
      "VALUES ($1, 1, 'machine', $2, $3)"};
  static constexpr Statement kExecution{
      "executions.complete",
      "UPDATE transcription_executions SET status = 'completed', completed_at = $3, output_key = $4, "
      "provider = $5, "
      "model_name = $6, model_family = 'whisper', stage_seconds = $7 "
      "WHERE transcription_id = $1 AND attempt = $2 AND status = 'processing'"};
  const int64_t now = transaction.now_ms();
  if (TRY(transaction.change(kComplete, fence.id, fence.claimed_by, fence.attempt, now, completion.language,
                             completion.duration_s, completion.speaker_count, completion.warnings,
                             completion.diarization_error_code)) == 0) {
    return false;
  }
  TRY(transaction.change(kTranscript, fence.id, completion.document, now));
  const Job job = TRY(find(transaction, fence.id)).value();
  TRY(store::put_passages(transaction, job.user_id, job.id, completion.passages));
  TRY(transaction.change(kExecution, fence.id, fence.attempt, now, completion.output_key, completion.provider,
                         completion.model, completion.stage_seconds));
  TRY(tell(transaction, job, "transcription.completed"));
  return true;
}

Result<bool> fail_attempt(Transaction& transaction, const Fence& fence, const Error& error) {
  const std::optional<Job> job = TRY(find(transaction, fence.id));
  if (!job) return false;
  const int64_t now = transaction.now_ms();
  switch (error.code) {
    case ErrorCode::engine_crashed:
    case ErrorCode::engine_timeout:
      if (job->crashes + 1 < limits::kTranscribeCrashes) {
        return put_back(transaction, fence, "queued", now, {.crashes = 1}, error.message);
      }
      return fail_held(transaction, fence, "ENGINE_CRASHED", error.message);
    case ErrorCode::out_of_memory:
    case ErrorCode::network:
    case ErrorCode::insufficient_storage:
      if (job->failures + 1 < limits::kJobFailures) {
        return put_back(transaction, fence, "queued", now + backoff_ms(job->failures), {.failures = 1},
                        error.message);
      }
      break;
    default:
      break;
  }
  return fail_held(transaction, fence, error_code_name(error.code), error.message);
}

Result<bool> release(Transaction& transaction, const Fence& fence, std::string_view why) {
  return put_back(transaction, fence, "queued", transaction.now_ms(), {}, why);
}

Result<bool> cancel(Transaction& transaction, std::string_view id) {
  static constexpr Statement kCancel{
      "jobs.cancel",
      "UPDATE transcriptions SET status = 'canceled', claimed_by = NULL, claim_expires_at = NULL, "
      "attempt = attempt + 1, progress_stage = 'canceled', updated_at = $2 "
      "WHERE id = $1 AND status IN ('queued', 'processing') RETURNING " JOB_COLUMNS};
  const auto row = TRY(transaction.row(kCancel, id, transaction.now_ms()));
  if (!row) return false;
  const Job job = job_from(*row);
  TRY(close_execution(transaction, job, job.attempt - 1, "canceled", "Canceled."));
  TRY(tell(transaction, job, "transcription.canceled"));
  transaction.notify({"canceled", job.id});
  return true;
}

Result<int64_t> cancel_ephemeral(Transaction& transaction) {
  static constexpr Statement kWaitedFor{
      "jobs.waited_for",
      "SELECT id FROM transcriptions WHERE ephemeral_until IS NOT NULL AND status IN ('queued', "
      "'processing')"};
  const auto rows = TRY(transaction.rows(kWaitedFor));
  for (const Row& row : rows) TRY(cancel(transaction, row.text(0)));
  return static_cast<int64_t>(rows.size());
}

Result<int64_t> recover(Transaction& transaction) {
  static constexpr Statement kHeld{"jobs.all_held",
                                   "SELECT " JOB_COLUMNS " FROM transcriptions WHERE status = 'processing'"};
  return take_back(transaction, TRY(transaction.rows(kHeld)), "The server stopped in the middle.");
}

Result<int64_t> expire_leases(Transaction& transaction) {
  static constexpr Statement kExpired{
      "jobs.expired", "SELECT " JOB_COLUMNS
                      " FROM transcriptions WHERE claim_expires_at IS NOT NULL AND claim_expires_at < $1"};
  const auto rows = TRY(transaction.rows(kExpired, transaction.now_ms()));
  for (const Row& row : rows) transaction.notify({"canceled", row.text(0)});
  return take_back(transaction, rows, "The lease ran out.");
}

Result<std::optional<Job>> find(store::Reader& reader, std::string_view id) {
  static constexpr Statement kFind{"jobs.find", "SELECT " JOB_COLUMNS " FROM transcriptions WHERE id = $1"};
  const auto row = TRY(reader.row(kFind, id));
  if (!row) return std::optional<Job>();
  return std::optional<Job>(job_from(*row));
}

}  // namespace hansard::jobs
