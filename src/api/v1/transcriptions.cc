#include <fmt/format.h>

#include "api/v1/common.h"
#include "base/clock.h"
#include "jobs/state.h"

namespace hansard::api::v1 {
namespace {

using jobs::Job;
using jobs::Status;

struct Shown {
  Job job;
  std::optional<int64_t> queue_position;
};

Outcome<Job> existing_job(Services& services, const Request& request) {
  return read<Job>(services, [&](store::Reader& reader) { return existing_job(reader, services, request); });
}

// ---- making

// Makes a job, once: `make` gives it in a transaction.
Answer queue_once(Services& services, const Request& request, std::string_view fingerprint,
                  const std::function<Outcome<Job>(store::Transaction&)>& make) {
  return make_once(
      services, request, fingerprint, 202, [&](store::Transaction& transaction) -> Outcome<Made> {
        const Job job = TRY(make(transaction));
        return Made{"/api/v1/transcriptions/" + job.id, json::to_text(to_json(services, job, std::nullopt))};
      });
}

Answer create(Services& services, const Request& request) {
  TRY(refuse_while_draining(services));
  const bj::object body = TRY(json_body(request, {"file_id", "title", "profile_id", "options"}));
  const auto file_id = TRY(text_field(body, "file_id"));
  if (!file_id) return fail(Problem(422, "name the file to be transcribed", "file_id"));
  const auto title = TRY(text_field(body, "title"));
  const auto profile = TRY(text_field(body, "profile_id"));
  const bj::value* given = body.if_contains("options");
  if (given != nullptr && !given->is_object() && !given->is_null()) {
    return fail(Problem(422, "must be an object", "options"));
  }
  const bj::object options = given == nullptr || given->is_null() ? bj::object() : given->get_object();
  const jobs::JobOptions checked = TRY(resolve_options(services, request, profile, options));
  return queue_once(
      services, request, json::to_text(body), [&](store::Transaction& transaction) -> Outcome<Job> {
        const auto file = TRY(library::find_file(transaction, user_of(services, request), *file_id));
        if (!file) return fail(Problem(404, "there is no such file", "file_id"));
        if (file->status == "failed") return fail(Problem(409, "this file cannot be transcribed", "file_id"));
        TRY(refuse_when_full(services, request, transaction, file->duration_s));
        return TRY(jobs::enqueue(transaction, {.user_id = file->user_id,
                                               .file_id = file->id,
                                               .title = title.value_or(file->title),
                                               .options = json::to_text(jobs::to_json(checked)),
                                               .priority = checked.priority,
                                               .file_ready = file->status == "ready"}));
      });
}

Answer submit(Services& services, Request& request) {
  auto& upload = dynamic_cast<Upload&>(*request.receiver);
  bj::object options;
  if (const auto text = upload.field("options"); text && !text->empty()) {
    auto parsed = json::parse_object(*text);
    if (!parsed) return fail(Problem(400, "is not a JSON object: " + parsed.error().message, "options"));
    options = std::move(*parsed);
  }
  auto profile = upload.field("profile_id");
  if (profile && profile->empty()) profile.reset();
  const jobs::JobOptions checked = TRY(resolve_options(services, request, profile, options));
  const library::File file = TRY(upload.file(user_of(services, request)));
  bool made = false;
  Answer answer = queue_once(
      services, request, upload.fingerprint(file), [&](store::Transaction& transaction) -> Outcome<Job> {
        TRY(refuse_when_full(services, request, transaction, file.duration_s));
        TRY(library::insert_file(transaction, file));
        made = true;
        return TRY(jobs::enqueue(transaction, {.user_id = file.user_id,
                                               .file_id = file.id,
                                               .title = file.title,
                                               .options = json::to_text(jobs::to_json(checked)),
                                               .priority = checked.priority,
                                               .file_ready = file.status == "ready"}));
      });
  // Of a repeated request the file is there already.
  if (answer && made) upload.keep();
  return answer;
}

Answer retry(Services& services, const Request& request) {
  TRY(refuse_while_draining(services));
  const bj::object body = TRY(json_body(request, {"options"}));
  const bj::value* more = body.if_contains("options");
  if (more != nullptr && !more->is_object()) return fail(Problem(422, "must be an object", "options"));
  const Job source = TRY(existing_job(services, request));
  bj::object options = TRY(json::parse_object(source.options));
  if (more != nullptr) options = jobs::merge_options(std::move(options), more->get_object());
  const jobs::JobOptions checked = TRY(check_options(services, options));
  return queue_once(services, request, json::to_text(body),
                    [&](store::Transaction& transaction) -> Outcome<Job> {
                      const Job before = TRY(existing_job(transaction, services, request));
                      if (!jobs::at_end(before.status))
                        return fail(Problem(409, "it is still queued or in work; cancel it first"));
                      const auto file = TRY(library::find_file(transaction, before.user_id, before.file_id));
                      if (file && file->status == "failed") {
                        return fail(Problem(409, "its file cannot be transcribed"));
                      }
                      if (!file || (!file->blob && file->status != "processing")) {
                        return fail(Problem(409, "its file was deleted"));
                      }
                      TRY(refuse_when_full(services, request, transaction, file->duration_s));
                      return TRY(jobs::enqueue(transaction, {.user_id = before.user_id,
                                                             .file_id = before.file_id,
                                                             .source_id = before.id,
                                                             .title = before.title,
                                                             .options = json::to_text(jobs::to_json(checked)),
                                                             .priority = checked.priority,
                                                             .file_ready = file->status == "ready"}));
                    });
}

// ---- looking

Answer list(Services& services, const Request& request) {
  const library::Page page = TRY(page_of(request));
  library::TranscriptionFilter filter;
  filter.title_part = request.query_value("q").value_or("");
  if (const auto status = request.query_value("status")) {
    filter.status = jobs::parse_status(*status);
    if (!filter.status) {
      return fail(Problem(422, "must be queued, processing, completed, failed or canceled", "status"));
    }
  }
  if (const auto after = request.query_value("updated_after")) {
    filter.updated_after_ms = parse_time(*after);
    if (!filter.updated_after_ms)
      return fail(Problem(422, "must be a time as 2026-11-24T12:00:00Z", "updated_after"));
  }
  const auto found =
      TRY(read<std::vector<Job>>(services, [&](store::Reader& reader) -> Outcome<std::vector<Job>> {
        return TRY(library::list_transcriptions(reader, user_of(services, request), filter, page));
      }));
  bj::array items;
  for (const Job& job : found) items.push_back(to_json(services, job, std::nullopt));
  return http::json_response(200, page_json(std::move(items), cursor_after(page, found)));
}

Answer show(Services& services, const Request& request) {
  const auto shown = TRY(read<Shown>(services, [&](store::Reader& reader) -> Outcome<Shown> {
    Shown result{TRY(existing_job(reader, services, request)), std::nullopt};
    if (result.job.status == Status::queued)
      result.queue_position = TRY(library::queue_position(reader, result.job));
    return result;
  }));
  return resource(request, shown.job.id, shown.job.updated_at_ms,
                  to_json(services, shown.job, shown.queue_position));
}

Answer executions(Services& services, const Request& request) {
  const auto found = TRY(read<std::vector<library::Execution>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<library::Execution>> {
        const Job job = TRY(existing_job(reader, services, request));
        return TRY(library::executions(reader, job.id));
      }));
  bj::array items;
  for (const library::Execution& execution : found) {
    bj::object item{{"id", execution.id}, {"transcription_id", request.parameters.at(0)}};
    item["status"] = execution.status;
    item["attempt"] = execution.attempt;
    item["provider"] = text_or_null(execution.provider);
    item["model"] = text_or_null(execution.model);
    item["started_at"] = format_time(execution.started_at_ms);
    item["completed_at"] = time_or_null(execution.completed_at_ms);
    item["failed_at"] = time_or_null(execution.failed_at_ms);
    const auto end_ms = execution.completed_at_ms ? execution.completed_at_ms : execution.failed_at_ms;
    item["processing_duration_ms"] =
        end_ms ? bj::value(*end_ms - execution.started_at_ms) : bj::value(nullptr);
    item["error"] = text_or_null(execution.error_message);
    items.push_back(std::move(item));
  }
  return http::json_response(200, page_json(std::move(items)));
}

// What happened, for people.
Answer logs(Services& services, const Request& request) {
  struct Known {
    Job job;
    std::vector<library::Execution> executions;
  };
  const auto known = TRY(read<Known>(services, [&](store::Reader& reader) -> Outcome<Known> {
    Job job = TRY(existing_job(reader, services, request));
    auto attempts = TRY(library::executions(reader, job.id));
    return Known{std::move(job), std::move(attempts)};
  }));
  std::string text = fmt::format("{} queued\n", format_time(known.job.queued_at_ms));
  for (const library::Execution& execution : known.executions) {
    text += fmt::format("{} attempt {} started\n", format_time(execution.started_at_ms), execution.attempt);
    if (execution.completed_at_ms) {
      text += fmt::format("{} attempt {} completed with {}\n", format_time(*execution.completed_at_ms),
                          execution.attempt, execution.model.value_or("a model"));
    }
    if (execution.failed_at_ms) {
      text += fmt::format("{} attempt {} {}: {}\n", format_time(*execution.failed_at_ms), execution.attempt,
                          execution.status, execution.error_message.value_or(""));
    }
  }
  text += fmt::format("{} {}\n", format_time(known.job.updated_at_ms), jobs::status_name(known.job.status));
  return http::text_response(200, "text/plain; charset=utf-8", std::move(text));
}

Answer audio(Services& services, const Request& request) {
  const auto file = TRY(read<std::optional<library::File>>(
      services, [&](store::Reader& reader) -> Outcome<std::optional<library::File>> {
        const Job job = TRY(existing_job(reader, services, request));
        return TRY(library::find_file(reader, job.user_id, job.file_id));
      }));
  if (!file) return fail(Problem(404, "the recording was deleted"));
  return audio_of(services, request, *file);
}

// ---- changing

Answer rename(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"title"}));
  const auto title = TRY(text_field(body, "title"));
  if (!title) return fail(Problem(422, "must be text of 1 to 500 characters", "title"));
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    const Job before = TRY(existing_job(transaction, services, request));
    TRY(check_match(request, before.id, before.updated_at_ms));
    return TRY(library::rename_transcription(transaction, before.user_id, before.id, *title)).has_value();
  }));
  return show(services, request);
}

Answer remove(Services& services, const Request& request) {
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    const Job job = TRY(existing_job(transaction, services, request));
    return TRY(library::remove_transcription(transaction, job.user_id, job.id));
  }));
  return http::text_response(204, "application/json", "");
}

Answer cancel(Services& services, const Request& request) {
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    const Job job = TRY(existing_job(transaction, services, request));
    if (!TRY(jobs::cancel(transaction, job.id))) {
      return fail(Problem(409, fmt::format("it is {} already", jobs::status_name(job.status))));
    }
    return true;
  }));
  return http::json_response(
      200, json::to_text(bj::object{{"id", request.parameters.at(0)}, {"status", "canceled"}}));
}

}  // namespace

void add_transcription_routes(http::Router& router, Services& services) {
  const auto bind = [&services](Answer (*handler)(Services&, const Request&)) {
    return [&services, handler](Request& request) { return handler(services, request); };
  };
  const std::string base = "/api/v1/transcriptions";
  http::Route uploads{"POST", base + ":submit",
                      [&services](Request& request) { return submit(services, request); }};
  uploads.receive = [&services](Request& request) {
    return begin_queued_upload(services, request, {.fields = {"title", "profile_id", "options"}});
  };
  uploads.slow = true;  // ffprobe
  router.add(std::move(uploads));
  router.post(base, bind(create));
  router.get(base, bind(list));
  router.get(base + "/{id}", bind(show));
  router.add({"PATCH", base + "/{id}", bind(rename)});
  router.add({"DELETE", base + "/{id}", bind(remove)});
  router.post(base + "/{id}:cancel", bind(cancel));
  router.post(base + "/{id}:stop", bind(cancel));
  router.post(base + "/{id}:retry", bind(retry));
  router.get(base + "/{id}/executions", bind(executions));
  router.get(base + "/{id}/logs", bind(logs));
  http::Route sound{"GET", base + "/{id}/audio", bind(audio)};
  sound.slow = true;  // ffmpeg, once for each recording
  router.add(std::move(sound));
}

}  // namespace hansard::api::v1
