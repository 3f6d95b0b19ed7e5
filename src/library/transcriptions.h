// Transcriptions as people see them: lists, titles, transcripts, what happened to them. Changes of state are
// jobs/state.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/job.h"
#include "library/listing.h"
#include "store/store.h"

namespace hansard::library {

// One of this user's that was not deleted, and is not ephemeral.
Result<std::optional<jobs::Job>> find_transcription(store::Reader& reader, std::string_view user_id,
                                                    std::string_view id);

struct TranscriptionFilter {
  std::string title_part;  // empty: any
  std::optional<jobs::Status> status;
  std::optional<int64_t> updated_after_ms;
};
Result<std::vector<jobs::Job>> list_transcriptions(store::Reader& reader, std::string_view user_id,
                                                   const TranscriptionFilter& filter, const Page& page);
// Those that are queued or in work, oldest first.
Result<std::vector<jobs::Job>> active_transcriptions(store::Reader& reader, std::string_view user_id,
                                                     int64_t limit);

// The options of all that is in work, of whomever.
Result<std::vector<std::string>> options_in_work(store::Reader& reader);

// How many queued jobs come before this one, and one; counts no further than 10,000.
Result<int64_t> queue_position(store::Reader& reader, const jobs::Job& job);

// Both are part of the caller's transaction, and add their event. A running job is canceled first.
Result<std::optional<jobs::Job>> rename_transcription(store::Transaction& transaction,
                                                      std::string_view user_id, std::string_view id,
                                                      std::string_view title);
Result<bool> remove_transcription(store::Transaction& transaction, std::string_view user_id,
                                  std::string_view id);

struct Execution {
  std::string id;
  std::string status;
  int64_t attempt = 0;
  std::optional<std::string> provider;
  std::optional<std::string> model;
  int64_t started_at_ms = 0;
  std::optional<int64_t> completed_at_ms;
  std::optional<int64_t> failed_at_ms;
  std::optional<std::string> error_message;
  std::optional<std::string> stage_seconds;
};
Result<std::vector<Execution>> executions(store::Reader& reader, std::string_view id);

// Of one user, or of all where `user_id` is empty.
struct QueueStatistics {
  int64_t queued = 0;
  int64_t processing = 0;
  int64_t completed = 0;
  int64_t failed = 0;
  int64_t canceled = 0;
  std::optional<int64_t> oldest_queued_at_ms;
};
Result<QueueStatistics> queue_statistics(store::Reader& reader, std::string_view user_id);

}  // namespace hansard::library
