#include "api/v1/waiting.h"

#include "base/limits.h"
#include "base/log.h"
#include "jobs/state.h"
#include "library/versions.h"

namespace hansard::api::v1 {
namespace {

using jobs::Job;
using jobs::Status;

// Whoever waits for a short recording does not wait for all that others have queued for later.
constexpr double kShortSeconds = 600;
constexpr int64_t kShortPriority = 2;

int64_t priority_of(const library::File& file, const jobs::JobOptions& options) {
  const bool is_short = file.duration_s && *file.duration_s <= kShortSeconds;
  return is_short ? std::min(options.priority, kShortPriority) : options.priority;
}

// Of an event "transcription.segment".
std::optional<transcript::Segment> segment_of(const jobs::Event& event) {
  const auto data = json::parse_object(event.data);
  const bj::value* value = data ? data->if_contains("segment") : nullptr;
  if (value == nullptr || !value->is_object()) return std::nullopt;
  const bj::object& fields = value->get_object();
  transcript::Segment segment;
  segment.id = json::get_string(fields, "id").value_or("");
  segment.start = json::get_number(fields, "start").value_or(0);
  segment.end = json::get_number(fields, "end").value_or(0);
  segment.text = json::get_string(fields, "text").value_or("");
  return segment;
}

}  // namespace

WaitedJob::WaitedJob(Services& services, const Request& request, const Job& job)
    : services_(services),
      id_(job.id),
      ephemeral_(job.ephemeral_until_ms.has_value()),
      standing_(services.standings.watch(caller_of(request))) {
  jobs::Hub::Start start = services.hub.follow(job.user_id, job.id);
  follower_ = std::move(start.follower);
  for (jobs::LiveJob& live : start.live) segments_ = std::move(live.segments);
  if (!segments_.empty()) last_segment_ = segments_.back().id;
}

WaitedJob::~WaitedJob() {
  if (ended_ || !ephemeral_) return;
  services_.store.write_later(
      [id = id_](store::Transaction& transaction) -> Result<void> {
        TRY(jobs::cancel(transaction, id));
        return {};
      },
      [id = id_](const Result<void>& canceled) {
        if (!canceled) log::warning("{}: was not canceled: {}", id, canceled.error().message);
      });
}

void WaitedJob::take_events() {
  while (const jobs::EventPointer event = follower_->next()) {
    heard_ = true;
    if (event->name != "transcription.segment") {
      changed_ = changed_ || event->name != "transcription.progress";
      continue;
    }
    auto segment = segment_of(*event);
    if (!segment || segment->id <= last_segment_) continue;
    last_segment_ = segment->id;
    segments_.push_back(std::move(*segment));
  }
}

std::vector<transcript::Segment> WaitedJob::new_segments() {
  take_events();
  return std::exchange(segments_, {});
}

Outcome<std::optional<WaitedJob::Ended>> WaitedJob::ended() {
  take_events();
  if (!standing_->holds()) return fail(Problem(401, "who asks may no longer do so"));
  const bool looks = changed_ || !std::exchange(heard_, false);
  changed_ = false;
  if (!looks) return std::optional<Ended>();
  std::optional<std::string> text;
  const auto job =
      TRY(read<std::optional<Job>>(services_, [&](store::Reader& reader) -> Outcome<std::optional<Job>> {
        auto found = TRY(jobs::find(reader, id_));
        if (found && found->status == Status::completed) {
          if (auto version = TRY(library::find_version(reader, id_, 0))) text = std::move(version->document);
        }
        return found;
      }));
  if (job && !jobs::at_end(job->status)) return std::optional<Ended>();
  ended_ = true;
  if (!job || (job->status == Status::completed && !text)) return fail(Problem(409, "it was deleted"));
  Ended result{*job, std::nullopt};
  if (text) result.document = TRY(transcript::from_json(*text));
  return std::optional(std::move(result));
}

Outcome<Job> queue_waited(Services& services, const Request& request, Upload& upload,
                          const WaitedWork& work) {
  library::File file = TRY(upload.file(user_of(services, request)));
  if (work.ephemeral)
    file.ephemeral_until_ms =
        services.store.now_ms() + std::chrono::milliseconds(limits::kEphemeralAge).count();
  Job job = TRY(write<Job>(services, [&](store::Transaction& transaction) -> Outcome<Job> {
    TRY(refuse_when_full(services, request, transaction, file.duration_s));
    TRY(library::insert_file(transaction, file));
    return TRY(jobs::enqueue(transaction, {.user_id = file.user_id,
                                           .file_id = file.id,
                                           .client = work.client,
                                           .title = file.title,
                                           .options = json::to_text(jobs::to_json(work.options)),
                                           .priority = priority_of(file, work.options),
                                           .file_ready = file.status == "ready",
                                           .ephemeral_until_ms = file.ephemeral_until_ms}));
  }));
  upload.keep();
  return job;
}

Problem problem_of(const Job& job) {
  if (job.status == Status::canceled) return {409, "the transcription was canceled"};
  const std::string message = job.error_message.value_or("the transcription failed");
  for (const ErrorCode code : {ErrorCode::media_unreadable, ErrorCode::unsupported_media}) {
    if (job.error_code == error_code_name(code)) return {415, message};
  }
  if (job.error_code == "FILE_FAILED") return {415, message};
  if (job.error_code == error_code_name(ErrorCode::model_unavailable)) return {503, message};
  return {500, message};
}

void drop_options_prefix(std::string& field) {
  constexpr std::string_view kPrefix = "options.";
  if (field.starts_with(kPrefix)) field.erase(0, kPrefix.size());
}

Response detail_refusal(const Problem& problem, std::string_view /*request_id*/) {
  std::string field = problem.field.value_or("");
  drop_options_prefix(field);
  const std::string detail = field.empty() ? problem.message : field + ": " + problem.message;
  return http::json_response(problem.status, json::to_text(bj::object{{"detail", detail}}));
}

}  // namespace hansard::api::v1
