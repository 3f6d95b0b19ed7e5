// A job: one transcription on its way from "queued" to an end, as its row says. docs/states.md draws the
// states.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hansard::jobs {

enum class Status { queued, processing, completed, failed, canceled };
std::string_view status_name(Status status);
std::optional<Status> parse_status(std::string_view name);
// Nothing comes after it.
constexpr bool at_end(Status status) {
  return status != Status::queued && status != Status::processing;
}

// Times are milliseconds since 1970.
struct Job {
  std::string id;  // "tr_…"
  std::string user_id;
  std::string file_id;
  std::optional<std::string> source_id;  // the job that this one is a retry of
  std::string client;                    // which interface it came by: "api"
  std::string title;
  Status status = Status::queued;
  std::optional<std::string> language;
  std::string options;  // JSON object
  int64_t priority = 5;
  double progress = 0;
  std::string stage;
  int64_t queued_at_ms = 0;
  std::optional<int64_t> available_at_ms;  // nothing: waits for its file
  std::optional<int64_t> started_at_ms;
  std::optional<int64_t> completed_at_ms;
  std::optional<int64_t> failed_at_ms;
  std::optional<std::string> claimed_by;
  int64_t attempt = 0;
  int64_t failures = 0;
  int64_t crashes = 0;
  int64_t recoveries = 0;
  std::optional<double> duration_s;
  std::optional<int64_t> speaker_count;
  std::string warnings;  // JSON array
  std::optional<std::string> diarization_error_code;
  std::optional<std::string> error_code;
  std::optional<std::string> error_message;
  // Of a request that waits for it: in no list and no stream of everything, and erased some time after.
  std::optional<int64_t> ephemeral_until_ms;
  std::optional<int64_t> deleted_at_ms;
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
};

// Who holds a job: every write for an attempt names all three, and changes nothing where one has moved on.
struct Fence {
  std::string id;
  std::string claimed_by;
  int64_t attempt = 0;
};

}  // namespace hansard::jobs
