#include "api/cesar/cesar.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "api/v1/waiting.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/spelling.h"
#include "fetch/youtube.h"
#include "jobs/state.h"
#include "library/chains.h"
#include "library/imports.h"
#include "library/versions.h"
#include "transcript/exports.h"

namespace hansard::api::cesar {
namespace {

namespace bj = json::bj;
using http::Answer;
using http::Outcome;
using http::Problem;
using http::Request;
using http::Response;
using jobs::Job;
using jobs::Status;
using library::Chain;
using v1::Services;
using v1::Upload;

constexpr std::string_view kClient = "cesar";
constexpr std::array<std::string_view, 5> kModels{"tiny", "base", "small", "medium", "large"};
constexpr std::array<std::string_view, 6> kStatuses{"queued",    "downloading", "processing",
                                                    "completed", "error",       "partial"};
// Cesar lists all there are; more than this nobody reads.
constexpr int64_t kListed = 1000;

// ---- a job as Cesar writes it

std::string_view status_there(const Job& job) {
  switch (job.status) {
    case Status::queued:
      return job.available_at_ms ? "queued" : "downloading";  // its file is not here yet
    case Status::processing:
      return "processing";
    case Status::completed:
      return job.diarization_error_code ? "partial" : "completed";
    case Status::failed:
    case Status::canceled:
      return "error";
  }
  return "error";
}

bj::value phase_of(std::string_view stage) {
  if (stage == "downloading" || stage == "transcribing" || stage == "diarizing") return bj::value(stage);
  if (stage == "preparing" || stage == "recovered") return "transcribing";
  if (stage == "merging" || stage == "saving" || stage == "completed") return "formatting";
  return nullptr;
}

// In whole percent.
int64_t percent(double fraction) {
  return std::lround(std::clamp(fraction, 0.0, 1.0) * 100);
}

void add_progress(bj::object& json, const Services& services, const Job& job) {
  const auto live = job.status == Status::processing ? services.hub.live(job.id) : std::nullopt;
  const double progress = live ? std::max(live->progress, job.progress) : job.progress;
  const std::string& stage = live ? live->stage : job.stage;
  json["progress"] = percent(progress);
  json["progress_phase"] = phase_of(stage);
  json["progress_phase_pct"] = nullptr;
  if (const auto known = pipeline::parse_stage(stage); known && !json["progress_phase"].is_null())
    json["progress_phase_pct"] = percent(pipeline::within_stage(*known, progress));
}

void add_options(bj::object& json, const Job& job) {
  const bj::object options = json::parse_object(job.options).value_or(bj::object());
  const auto copy = [&](const char* from, const char* to) {
    const bj::value* value = options.if_contains(from);
    json[to] = value == nullptr ? bj::value(nullptr) : *value;
  };
  copy("model", "model_size");
  copy("diarization", "diarize");
  copy("min_speakers", "min_speakers");
  copy("max_speakers", "max_speakers");
}

// What its clients do about a diarization that failed depends on this.
std::string_view diarization_code(std::string_view cause) {
  if (cause == "token_required") return "hf_token_required";
  if (cause == "token_invalid") return "hf_token_invalid";
  return "diarization_failed";
}

void add_diarization(bj::object& json, const Job& job) {
  json["speaker_count"] = v1::integer_or_null(job.speaker_count);
  json["diarized"] = job.status == Status::completed ? bj::value(job.speaker_count.has_value()) : nullptr;
  json["diarization_error"] = nullptr;
  json["diarization_error_code"] = nullptr;
  if (!job.diarization_error_code) return;
  json["diarization_error_code"] = diarization_code(*job.diarization_error_code);
  const auto warnings = json::parse(job.warnings);
  const bool said = warnings && warnings->is_array() && !warnings->get_array().empty();
  json["diarization_error"] =
      said ? warnings->get_array().front().at("message") : bj::value("the speakers could not be told apart");
}

// With speakers as Markdown, else plain.
Result<bj::value> text_of(store::Reader& reader, const Chain& chain) {
  const auto newest = std::find_if(chain.rbegin(), chain.rend(),
                                   [](const Job& job) { return job.status == Status::completed; });
  if (newest == chain.rend()) return bj::value(nullptr);
  const auto stored = TRY(library::find_version(reader, newest->id, 0));
  if (!stored) return bj::value(nullptr);
  transcript::Document document = TRY(transcript::from_json(stored->document));
  document.title = newest->title;
  document.date = format_time(newest->completed_at_ms.value_or(0)).substr(0, 10);
  return bj::value(document.diarized ? transcript::export_document(document, transcript::Format::md)
                                     : transcript::export_document(document, transcript::Format::txt));
}

Result<bj::object> to_json(store::Reader& reader, const Services& services, const Chain& chain) {
  const Job& first = chain.front();
  const Job& last = chain.back();
  bj::object json{{"id", first.id}, {"status", status_there(last)}};
  json["created_at"] = format_time(first.created_at_ms);
  json["started_at"] = v1::time_or_null(last.started_at_ms);
  const bool canceled = last.status == Status::canceled;
  json["completed_at"] = v1::time_or_null(last.completed_at_ms ? last.completed_at_ms
                                          : last.failed_at_ms  ? last.failed_at_ms
                                          : canceled           ? std::optional(last.updated_at_ms)
                                                               : std::nullopt);
  json["result_text"] = TRY(text_of(reader, chain));
  const auto spoken =
      std::find_if(chain.rbegin(), chain.rend(), [](const Job& job) { return !!job.language; });
  json["detected_language"] = spoken == chain.rend() ? bj::value(nullptr) : bj::value(*spoken->language);
  json["error_message"] = nullptr;
  if (status_there(last) == "error")
    json["error_message"] = canceled ? "It was canceled." : last.error_message.value_or("It failed.");
  json["download_progress"] = nullptr;
  add_options(json, last);
  add_progress(json, services, last);
  add_diarization(json, last);
  return json;
}

// ---- handing in

Outcome<bool> truth_of(std::string_view text, std::string_view field) {
  if (const auto truth = parse_truth(text)) return *truth;
  return fail(Problem(422, "must be true or false", std::string(field)));
}

struct Wish {
  std::string model = "base";
  bool diarize = true;
  std::optional<int64_t> min_speakers;
  std::optional<int64_t> max_speakers;
};

Outcome<std::optional<int64_t>> speakers_of(const std::optional<std::string>& text, std::string_view field) {
  if (!text) return std::optional<int64_t>();
  return std::optional(TRY(v1::count_of(*text, field, limits::kSpeakers)));
}

Outcome<Wish> wish_of(const Upload& upload) {
  Wish wish;
  wish.model = upload.field("model").value_or(wish.model);
  wish.diarize = TRY(truth_of(upload.field("diarize").value_or("true"), "diarize"));
  wish.min_speakers = TRY(speakers_of(upload.field("min_speakers"), "min_speakers"));
  wish.max_speakers = TRY(speakers_of(upload.field("max_speakers"), "max_speakers"));
  return wish;
}

// `diarize` is true, false, or {enabled, min_speakers, max_speakers}.
Outcome<Wish> wish_of(const bj::object& body) {
  Wish wish;
  if (const bj::value* model = body.if_contains("model"))
    wish.model = model->is_string() ? std::string(model->get_string()) : std::string();
  const bj::value* diarize = body.if_contains("diarize");
  if (diarize == nullptr) return wish;
  if (!diarize->is_object()) {
    wish.diarize = *TRY(v1::truth_field(body, "diarize"));
    return wish;
  }
  const bj::object& more = diarize->get_object();
  wish.diarize = TRY(v1::truth_field(more, "enabled")).value_or(true);
  const auto written = [&](const char* field) -> std::optional<std::string> {
    const bj::value* value = more.if_contains(field);
    return value == nullptr || value->is_null() ? std::nullopt : std::optional(json::to_text(*value));
  };
  wish.min_speakers = TRY(speakers_of(written("min_speakers"), "min_speakers"));
  wish.max_speakers = TRY(speakers_of(written("max_speakers"), "max_speakers"));
  return wish;
}

Outcome<jobs::JobOptions> options_of(Services& services, const Request& request, const Wish& wish) {
  if (std::find(kModels.begin(), kModels.end(), wish.model) == kModels.end())
    return fail(Problem(422, "must be tiny, base, small, medium or large", "model"));
  bj::object options{{"model", wish.model}, {"diarization", wish.diarize}};
  options["num_speakers"] = nullptr;  // of a profile
  // Without diarization they mean nothing.
  if (wish.diarize && wish.min_speakers) options["min_speakers"] = *wish.min_speakers;
  if (wish.diarize && wish.max_speakers) options["max_speakers"] = *wish.max_speakers;
  return v1::resolve_options(services, request, std::nullopt, options);
}

Result<Job> queue(store::Transaction& transaction, const library::File& file,
                  const jobs::JobOptions& options) {
  return jobs::enqueue(transaction, {.user_id = file.user_id,
                                     .file_id = file.id,
                                     .client = std::string(kClient),
                                     .title = file.title,
                                     .options = json::to_text(jobs::to_json(options)),
                                     .priority = options.priority,
                                     .file_ready = file.status == "ready"});
}

Answer accepted(Services& services, const std::string& user, const std::string& id) {
  const auto json = TRY(v1::read<bj::object>(services, [&](store::Reader& reader) -> Outcome<bj::object> {
    const auto chain = TRY(library::find_chain(reader, user, kClient, id));
    if (!chain) return fail(Problem(404, "Job not found"));
    return TRY(to_json(reader, services, *chain));
  }));
  return http::json_response(202, json::to_text(json));
}

Answer transcribe(Services& services, Request& request) {
  auto& upload = dynamic_cast<Upload&>(*request.receiver);
  const std::string user = v1::user_of(services, request);
  const jobs::JobOptions options = TRY(options_of(services, request, TRY(wish_of(upload))));
  const library::File file = TRY(upload.file(user));
  const Job job = TRY(v1::write<Job>(services, [&](store::Transaction& transaction) -> Outcome<Job> {
    TRY(v1::refuse_when_full(services, request, transaction, file.duration_s));
    TRY(library::insert_file(transaction, file));
    return TRY(queue(transaction, file, options));
  }));
  upload.keep();
  return accepted(services, user, job.id);
}

// What is wrong with an address has a kind.
Problem address_problem(int status, std::string kind, std::string message) {
  Problem problem(status, std::move(message));
  problem.code = std::move(kind);
  return problem;
}

Response address_refusal(const Problem& problem, std::string_view request_id) {
  if (problem.code.empty()) return v1::detail_refusal(problem, request_id);
  return http::json_response(
      problem.status, json::to_text(bj::object{{"error_type", problem.code}, {"message", problem.message}}));
}

// The file of an address: the one that is there already, or one that is still to be brought.
Outcome<library::File> file_at(Services& services, store::Transaction& transaction, const std::string& user,
                               const std::string& kind, const std::string& url) {
  const int64_t since = transaction.now_ms() - services.download_cache.count();
  if (services.download_cache.count() > 0) {
    if (auto known = TRY(library::find_import(transaction, user, kind, url, since))) return std::move(*known);
  }
  auto made = library::add_import(transaction, {.user_id = user, .kind = kind, .url = url, .title = {}});
  if (!made && made.error().code == ErrorCode::rate_limited)
    return fail(address_problem(429, "rate_limited", made.error().message));
  return TRY(std::move(made));
}

Answer transcribe_url(Services& services, const Request& request) {
  TRY(v1::refuse_while_draining(services));
  const bj::object body = TRY(v1::json_body(request));
  const auto url = v1::url_field(services, body);
  if (!url) return fail(address_problem(400, "invalid_url", "url: " + url.error().message));
  const std::string kind = fetch::youtube_video(*url) ? "youtube" : "url";
  if (kind == "youtube" && !fetch::youtube_can_be_asked())
    return fail(address_problem(501, "youtube_error", std::string(v1::kNoYoutube)));
  const jobs::JobOptions options = TRY(options_of(services, request, TRY(wish_of(body))));
  const std::string user = v1::user_of(services, request);
  const Job job = TRY(v1::write<Job>(services, [&](store::Transaction& transaction) -> Outcome<Job> {
    TRY(v1::refuse_when_full(services, request, transaction, std::nullopt));
    const library::File file = TRY(file_at(services, transaction, user, kind, *url));
    return TRY(queue(transaction, file, options));
  }));
  return accepted(services, user, job.id);
}

// ---- jobs

Outcome<Chain> existing_chain(store::Reader& reader, const Services& services, const Request& request) {
  auto chain =
      TRY(library::find_chain(reader, v1::user_of(services, request), kClient, request.parameters.at(0)));
  if (!chain) return fail(Problem(404, "Job not found"));
  return std::move(*chain);
}

Answer show(Services& services, const Request& request) {
  const auto json = TRY(v1::read<bj::object>(services, [&](store::Reader& reader) -> Outcome<bj::object> {
    const Chain chain = TRY(existing_chain(reader, services, request));
    return TRY(to_json(reader, services, chain));
  }));
  if (!json.at("result_text").is_null())
    auth::add_audit_later(services.store,
                          v1::audit_entry(request, "transcript.read", request.parameters.at(0), "text"));
  return http::json_response(200, json::to_text(json));
}

Answer list(Services& services, const Request& request) {
  const auto wanted = request.query_value("status");
  if (wanted && std::find(kStatuses.begin(), kStatuses.end(), *wanted) == kStatuses.end()) {
    return fail(Problem(
        400, "Invalid status. Valid: queued, downloading, processing, completed, error, partial", "status"));
  }
  const auto items = TRY(v1::read<bj::array>(services, [&](store::Reader& reader) -> Outcome<bj::array> {
    bj::array jobs;
    const auto chains = TRY(library::list_chains(reader, v1::user_of(services, request), kClient, kListed));
    for (const Chain& chain : chains) {
      if (!wanted || status_there(chain.back()) == *wanted)
        jobs.push_back(TRY(to_json(reader, services, chain)));
    }
    return jobs;
  }));
  if (!items.empty())
    auth::add_audit_later(services.store, v1::audit_entry(request, "transcript.read", "", "all jobs"));
  return http::json_response(200, json::to_text(items));
}

// What was transcribed is found again: diarization alone is run.
Answer retry(Services& services, const Request& request) {
  TRY(v1::refuse_while_draining(services));
  const Job job = TRY(v1::write<Job>(services, [&](store::Transaction& transaction) -> Outcome<Job> {
    const Chain chain = TRY(existing_chain(transaction, services, request));
    const Job& last = chain.back();
    if (status_there(last) != "partial") {
      return fail(Problem(
          400, fmt::format("only a job that is partial can be retried; this one is {}", status_there(last))));
    }
    const auto file = TRY(library::find_file(transaction, last.user_id, last.file_id));
    if (!file || !file->blob) return fail(Problem(400, "its recording was deleted"));
    TRY(v1::refuse_when_full(services, request, transaction, file->duration_s));
    return TRY(jobs::enqueue(transaction, {.user_id = last.user_id,
                                           .file_id = last.file_id,
                                           .source_id = chain.front().id,
                                           .client = std::string(kClient),
                                           .title = last.title,
                                           .options = last.options,
                                           .priority = last.priority}));
  }));
  return accepted(services, job.user_id, request.parameters.at(0));
}

Answer health(Services& services, const Request& /*request*/) {
  bj::object json{{"status", "healthy"}};
  json["worker"] = services.slots.alive() > 0 && !services.draining ? "running" : "stopped";
  const bool youtube = fetch::youtube_can_be_asked();
  json["youtube"] =
      bj::object{{"available", youtube}, {"message", youtube ? "yt-dlp is installed." : v1::kNoYoutube}};
  return http::json_response(200, json::to_text(json));
}

}  // namespace

void add_routes(http::Router& router, Services& services) {
  const auto add = [&](http::Route route) {
    route.refusal = v1::detail_refusal;
    router.add(std::move(route));
  };
  http::Route upload{"POST", "/transcribe",
                     [&services](Request& request) { return transcribe(services, request); }};
  upload.receive = [&services](Request& request) {
    return v1::begin_queued_upload(
        services, request,
        {.fields = {"model", "diarize", "min_speakers", "max_speakers"}, .ignores_others = true});
  };
  upload.slow = true;  // ffprobe
  add(std::move(upload));
  http::Route address{"POST", "/transcribe/url", v1::bind(services, transcribe_url)};
  address.refusal = address_refusal;
  router.add(std::move(address));
  add({"GET", "/jobs", v1::bind(services, list)});
  add({"GET", "/jobs/{id}", v1::bind(services, show)});
  add({"POST", "/jobs/{id}/retry", v1::bind(services, retry)});
  add({"GET", "/health", v1::bind(services, health)});
}

}  // namespace hansard::api::cesar
