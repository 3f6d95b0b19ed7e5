#include "api/v1/common.h"

#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/spelling.h"
#include "fetch/fetch.h"
#include "http/range.h"
#include "transcript/text.h"

namespace hansard::api::v1 {
namespace {

constexpr size_t kFieldBytes = 64 << 10;
constexpr size_t kTitleCharacters = 500;

// What the program itself wrote into a row.
bj::value stored_json(const std::string& text) {
  auto value = json::parse(text);
  return value ? std::move(*value) : bj::value(nullptr);
}

}  // namespace

std::string user_of(const Services& /*services*/, const Request& request) {
  return caller_of(request).user_id;
}

auth::AuditEntry audit_entry(const Request& request, std::string action, std::string subject,
                             std::string detail) {
  const auth::Identity& caller = caller_of(request);
  return {.user_id = caller.user_id,
          .credential = caller.credential,
          .action = std::move(action),
          .subject = std::move(subject),
          .detail = std::move(detail),
          .address = request.peer,
          .request_id = request.id};
}

Outcome<bj::object> json_body(const Request& request) {
  if (request.body.empty()) return bj::object();
  const std::string_view type = request.header("content-type").value_or("application/json");
  if (!type.starts_with("application/json")) return fail(Problem(415, "send the body as application/json"));
  auto body = json::parse_object(request.body);
  if (!body) return fail(Problem(400, "the body is not a JSON object: " + body.error().message));
  return std::move(*body);
}

Outcome<bj::object> json_body(const Request& request, const std::set<std::string_view>& fields) {
  bj::object body = TRY(json_body(request));
  for (const auto& field : body) {
    const std::string_view name = field.key();
    if (!fields.contains(name)) return fail(Problem(400, "there is no such field", std::string(name)));
  }
  return body;
}

Outcome<std::optional<std::string>> text_field(const bj::object& body, std::string_view name) {
  const bj::value* value = body.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<std::string>();
  const std::string_view text = value->is_string() ? std::string_view(value->get_string()) : "";
  if (text.empty() || transcript::character_count(text) > kTitleCharacters) {
    return fail(
        Problem(422, fmt::format("must be text of 1 to {} characters", kTitleCharacters), std::string(name)));
  }
  return std::optional(std::string(text));
}

Outcome<std::optional<bool>> truth_field(const bj::object& body, std::string_view name) {
  const bj::value* value = body.if_contains(name);
  if (value == nullptr) return std::optional<bool>();
  if (!value->is_bool()) return fail(Problem(422, "must be true or false", std::string(name)));
  return std::optional(value->get_bool());
}

Outcome<std::string> url_field(const Services& services, const bj::object& body) {
  std::string url = json::get_string(body, "url").value_or("");
  const auto checked = fetch::check_url(url, &services.address_rules);
  if (!checked) return fail(Problem(422, checked.error().message, "url"));
  return url;
}

Outcome<int64_t> count_of(std::string_view text, std::string_view name, int64_t most) {
  const auto number = parse_integer(text);
  if (number && *number >= 1 && *number <= most) return *number;
  return fail(Problem(422, fmt::format("must be a whole number from 1 to {}", most), std::string(name)));
}

Outcome<int64_t> number_of(const Request& request, std::string_view name, int64_t otherwise, int64_t most) {
  const auto text = request.query_value(name);
  return text ? count_of(*text, name, most) : otherwise;
}

Outcome<int64_t> limit_of(const Request& request) {
  return number_of(request, "limit", 50, 200);
}

Outcome<library::Page> page_of(const Request& request) {
  const int64_t limit = TRY(limit_of(request));
  const auto sort = library::parse_sort(request.query_value("sort").value_or("-created_at"));
  if (!sort)
    return fail(
        Problem(422, "must be created_at, updated_at or title, with - before it for the last first", "sort"));
  const auto cursor = request.query_value("cursor");
  if (!cursor) return library::Page::first(*sort, limit);
  auto page = library::parse_cursor(*cursor, *sort, limit);
  if (!page) return fail(Problem(422, "is not the next_cursor of a list in this order", "cursor"));
  return std::move(*page);
}

std::string page_json(bj::array items, const std::optional<std::string>& next_cursor) {
  return json::to_text(bj::object{{"items", std::move(items)}, {"next_cursor", text_or_null(next_cursor)}});
}

Outcome<jobs::Job> existing_job(store::Reader& reader, const Services& services, const Request& request) {
  auto job = TRY(library::find_transcription(reader, user_of(services, request), request.parameters.at(0)));
  if (!job) return fail(Problem(404, "there is no such transcription"));
  return std::move(*job);
}

Outcome<void> refuse_while_draining(const Services& services) {
  if (!services.draining) return {};
  Problem problem(503, "the server is stopping; try again when it is back");
  problem.headers.emplace_back("Retry-After", "10");
  return fail(std::move(problem));
}

Outcome<void> refuse_when_full(const Services& services, const Request& request, store::Reader& reader,
                               std::optional<double> duration_s) {
  const auto no_room = TRY(jobs::find_no_room(reader, services.queue_limits, user_of(services, request),
                                              duration_s, services.store.now_ms()));
  if (!no_room) return {};
  Problem problem(429, no_room->message);
  problem.headers.emplace_back("Retry-After", std::to_string(no_room->retry_after.count()));
  return fail(std::move(problem));
}

Outcome<void> refuse_beyond_storage(Services& services, const Request& request, uint64_t size_bytes) {
  const uint64_t most = services.storage_limit_bytes;
  if (most == 0) return {};
  const uint64_t used = TRY(read<uint64_t>(services, [&](store::Reader& reader) -> Outcome<uint64_t> {
    return TRY(library::stored_bytes(reader, user_of(services, request)));
  }));
  if (size_bytes <= most && used <= most - size_bytes) return {};
  constexpr double kGigabyte = 1e9;
  return fail(Problem(
      507, fmt::format("your recordings may take {:g} GB, and take {:.1f}; purge some first",
                       static_cast<double>(most) / kGigabyte, static_cast<double>(used) / kGigabyte)));
}

bj::value text_or_null(const std::optional<std::string>& text) {
  return text ? bj::value(*text) : bj::value(nullptr);
}
bj::value time_or_null(const std::optional<int64_t>& time_ms) {
  return time_ms ? bj::value(format_time(*time_ms)) : bj::value(nullptr);
}
bj::value number_or_null(const std::optional<double>& number) {
  return number ? bj::value(json::rounded(*number, 3)) : bj::value(nullptr);
}
bj::value integer_or_null(const std::optional<int64_t>& number) {
  return number ? bj::value(*number) : bj::value(nullptr);
}

std::string etag_of(std::string_view id, int64_t updated_at_ms) {
  return fmt::format("\"{}-{:x}\"", id, updated_at_ms);
}

Response resource(const Request& request, std::string_view id, int64_t updated_at_ms,
                  const bj::object& body) {
  const std::string etag = etag_of(id, updated_at_ms);
  const auto known = request.header("if-none-match");
  // A running transcription's progress is no part of its tag, so it is always sent whole.
  const bj::value* status = body.if_contains("status");
  const bool moving = status != nullptr && *status == "processing";
  Response response = request.method == "GET" && known && !moving && http::names_etag(*known, etag)
                          ? http::text_response(304, "application/json", "")
                          : http::json_response(200, json::to_text(body));
  response.with("ETag", etag).with("Cache-Control", "no-cache");
  return response;
}

Outcome<void> check_match(const Request& request, std::string_view id, int64_t updated_at_ms) {
  const auto wanted = request.header("if-match");
  if (!wanted || http::names_etag(*wanted, etag_of(id, updated_at_ms))) return {};
  return fail(Problem(412, "it has changed since you read it; read it again"));
}

bj::object to_json(const library::File& file) {
  bj::object json{{"id", file.id}, {"title", file.title}, {"kind", file.kind}, {"status", file.status}};
  json["mime_type"] = text_or_null(file.mime_type);
  json["size_bytes"] = integer_or_null(file.size_bytes);
  json["sha256"] = text_or_null(file.sha256);
  json["duration_seconds"] = number_or_null(file.duration_s);
  json["channels"] = integer_or_null(file.channels);
  json["created_at"] = format_time(file.created_at_ms);
  json["updated_at"] = format_time(file.updated_at_ms);
  json["error"] = nullptr;
  if (file.error_code) {
    json["error"] = bj::object{{"code", *file.error_code}, {"message", file.error_message.value_or("")}};
  }
  return json;
}

bj::object to_json(const Services& services, const jobs::Job& job, std::optional<int64_t> queue_position) {
  const auto live = job.status == jobs::Status::processing ? services.hub.live(job.id) : std::nullopt;
  bj::object json{{"id", job.id}, {"file_id", job.file_id}};
  json["source_transcription_id"] = text_or_null(job.source_id);
  json["title"] = job.title;
  json["status"] = jobs::status_name(job.status);
  json["language"] = text_or_null(job.language);
  const bj::value options = stored_json(job.options);
  const bj::value* diarization =
      options.is_object() ? options.get_object().if_contains("diarization") : nullptr;
  json["diarization"] = diarization == nullptr || !diarization->is_bool() || diarization->get_bool();
  json["progress"] = json::rounded(live ? std::max(live->progress, job.progress) : job.progress, 4);
  json["progress_stage"] = live ? live->stage : job.stage;
  json["eta_seconds"] = live ? number_or_null(live->eta_s) : bj::value(nullptr);
  json["duration_seconds"] = number_or_null(job.duration_s);
  json["speaker_count"] = integer_or_null(job.speaker_count);
  json["options"] = options;
  json["attempt"] = job.attempt;
  json["created_at"] = format_time(job.created_at_ms);
  json["updated_at"] = format_time(job.updated_at_ms);
  json["queued_at"] = format_time(job.queued_at_ms);
  json["started_at"] = time_or_null(job.started_at_ms);
  json["completed_at"] = time_or_null(job.completed_at_ms);
  json["failed_at"] = time_or_null(job.failed_at_ms);
  json["error"] = nullptr;
  if (job.error_code)
    json["error"] = bj::object{{"code", *job.error_code}, {"message", job.error_message.value_or("")}};
  json["warnings"] = stored_json(job.warnings);
  json["queue_position"] = integer_or_null(queue_position);
  return json;
}

Outcome<jobs::JobOptions> check_options(const Services& services, const bj::object& options) {
  auto parsed = jobs::parse_options(options);
  if (!parsed) {
    const jobs::OptionProblem& problem = parsed.error();
    return fail(Problem(problem.unknown ? 400 : 422, problem.message, "options." + problem.field));
  }
  for (const auto& [field, model] :
       {std::pair("options.model", parsed->pipeline.transcription_model),
        std::pair("options.diarization_model", parsed->pipeline.diarization_model)}) {
    const auto found = services.models.find(model);
    if (!found && found.error().code == ErrorCode::model_unknown) {
      return fail(Problem(422, found.error().message, field));
    }
  }
  return std::move(*parsed);
}

Outcome<jobs::JobOptions> resolve_options(Services& services, const Request& request,
                                          const std::optional<std::string>& profile_id,
                                          const bj::object& given) {
  const std::string user = user_of(services, request);
  const auto profile = TRY(read<std::optional<library::Profile>>(
      services, [&](store::Reader& reader) -> Outcome<std::optional<library::Profile>> {
        if (!profile_id) return TRY(library::default_profile(reader, user));
        auto named = TRY(library::find_profile(reader, user, *profile_id));
        if (!named) return fail(Problem(422, "there is no such profile", "profile_id"));
        return named;
      }));
  if (!profile) return check_options(services, given);
  return check_options(services, jobs::merge_options(TRY(json::parse_object(profile->options)), given));
}

// ---- requests that are repeated

namespace {

// The Idempotency-Key of a request, taken until it is answered. Without one it does nothing.
class Once {
 public:
  static Outcome<Once> begin(Services& services, const Request& request, std::string_view fingerprint);
  ~Once();  // frees the key of a request that failed
  Once(Once&& other) noexcept;
  Once& operator=(Once&&) = delete;

  // The answer of before.
  std::optional<Response>& answer() { return answer_; }
  // In the transaction that makes what was asked.
  Result<void> finish(store::Transaction& transaction, int64_t status, const Made& made);
  void done() { key_.reset(); }  // that transaction is durable

 private:
  explicit Once(Services& services) : services_(&services) {}

  Services* services_;
  std::optional<library::RequestKey> key_;
  std::optional<Response> answer_;
};

Outcome<Once> Once::begin(Services& services, const Request& request, std::string_view fingerprint) {
  constexpr size_t kLongest = 255;
  Once once(services);
  const auto given = request.header("idempotency-key");
  if (!given) return once;
  if (given->empty() || given->size() > kLongest) {
    return fail(Problem(400, fmt::format("Idempotency-Key must have 1 to {} characters", kLongest)));
  }
  const library::RequestKey key{user_of(services, request), request.method, request.path,
                                std::string(*given)};
  const auto state = TRY(
      write<library::KeyState>(services, [&](store::Transaction& transaction) -> Outcome<library::KeyState> {
        return TRY(library::take_key(transaction, key, sha256_hex(fingerprint), services.instance));
      }));
  switch (state.kind) {
    case library::KeyState::Kind::taken:
      once.key_ = key;
      return once;
    case library::KeyState::Kind::answered:
      once.answer_ = http::json_response(static_cast<int>(state.answer.status), state.answer.body);
      if (!state.answer.location.empty()) once.answer_->with("Location", state.answer.location);
      return once;
    case library::KeyState::Kind::running: {
      Problem problem(409, "the same request is in work; ask again for its answer");
      problem.headers.emplace_back("Retry-After", "1");
      return fail(std::move(problem));
    }
    case library::KeyState::Kind::other:
      break;
  }
  return fail(Problem(409, "this Idempotency-Key stands for another request"));
}

Once::Once(Once&& other) noexcept
    : services_(other.services_),
      key_(std::exchange(other.key_, std::nullopt)),
      answer_(std::move(other.answer_)) {}

Once::~Once() {
  if (!key_) return;
  const auto freed = services_->store.write(
      [&](store::Transaction& transaction) -> Result<void> { return library::free_key(transaction, *key_); });
  if (!freed) log::warning("an Idempotency-Key was not freed: {}", freed.error().message);
}

Result<void> Once::finish(store::Transaction& transaction, int64_t status, const Made& made) {
  if (!key_) return {};
  return library::finish_key(transaction, *key_, {status, made.location, made.body});
}

}  // namespace

Answer make_once(Services& services, const Request& request, std::string_view fingerprint, int status,
                 const Make& make) {
  Once once = TRY(Once::begin(services, request, fingerprint));
  if (once.answer()) return std::move(*once.answer());
  const Made made = TRY(write<Made>(services, [&](store::Transaction& transaction) -> Outcome<Made> {
    Made result = TRY(make(transaction));
    TRY(once.finish(transaction, status, result));
    return result;
  }));
  once.done();
  Response response = http::json_response(status, made.body);
  response.with("Location", made.location);
  return response;
}

// ---- uploads

Upload::Upload(Services& services, std::string boundary, FormShape shape)
    : services_(services), shape_(std::move(shape)), parser_(std::move(boundary), *this) {}

Outcome<std::shared_ptr<http::Receiver>> Upload::begin(Services& services, const Request& request,
                                                       FormShape shape) {
  TRY(refuse_while_draining(services));
  std::string boundary = TRY(http::multipart_boundary(request.header("content-type").value_or("")));
  // Headers of the parts and other fields are small beside the file.
  if (request.content_length.value_or(0) > services.upload_limit_bytes + (1 << 20)) {
    return fail(
        Problem(413, fmt::format("a file may have at most {} MB", services.upload_limit_bytes.load() >> 20),
                std::string(shape.file)));
  }
  TRY(refuse_beyond_storage(services, request, request.content_length.value_or(0)));
  return std::shared_ptr<http::Receiver>(new Upload(services, std::move(boundary), std::move(shape)));
}

Outcome<void> Upload::take(std::string_view bytes) {
  return parser_.take(bytes);
}

Outcome<void> Upload::finish() {
  TRY(parser_.finish());
  if (!incoming_) {
    return fail(Problem(400, fmt::format("the form has no file in its field \"{}\"", shape_.file),
                        std::string(shape_.file)));
  }
  return {};
}

Outcome<library::File> Upload::file(std::string_view user_id) {
  return TRY(incoming_->finish(user_id, field("title").value_or(""), file_name_));
}

std::optional<std::string> Upload::field(std::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? std::nullopt : std::optional(found->second.back());
}

std::vector<std::string> Upload::values(std::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? std::vector<std::string>() : found->second;
}

std::string Upload::fingerprint(const library::File& file) const {
  std::string text = file.sha256.value_or("") + file_name_;
  for (const auto& [name, values] : fields_) {
    for (const std::string& value : values)
      text += fmt::format("|{}:{}{}:{}", name.size(), name, value.size(), value);
  }
  return text;
}

Outcome<void> Upload::begin(const http::Part& part) {
  if (part.name == shape_.file) {
    if (incoming_) return fail(Problem(400, "the form has two files; send one", part.name));
    incoming_ = TRY(library::Incoming::begin(services_.blobs, services_.store.now_ms()));
    // Some clients write a name as their system has it; what is no UTF-8 of it is not worth a refusal.
    file_name_ = transcript::first_characters(transcript::cleaned(part.file_name), kTitleCharacters);
    field_ = nullptr;
    return {};
  }
  if (!http::is_utf8(part.name)) return fail(Problem(400, "a field's name is not text in UTF-8"));
  if (!shape_.fields.contains(part.name) && shape_.ignores_others) {
    ignored_.clear();
    field_ = &ignored_;
    return {};
  }
  if (!shape_.fields.contains(part.name)) {
    return fail(
        Problem(400, "there is no such field", std::string(transcript::first_characters(part.name, 100))));
  }
  field_ = &fields_[part.name].emplace_back();
  return {};
}

Outcome<void> Upload::data(std::string_view bytes) {
  if (field_ != nullptr) {
    if (field_->size() + bytes.size() > kFieldBytes)
      return fail(Problem(413, "a field of the form is too long"));
    *field_ += bytes;
    return {};
  }
  if (incoming_->size_bytes() + bytes.size() > services_.upload_limit_bytes) {
    return fail(
        Problem(413, fmt::format("a file may have at most {} MB", services_.upload_limit_bytes.load() >> 20),
                std::string(shape_.file)));
  }
  TRY(incoming_->append(bytes));
  return {};
}

Outcome<void> Upload::end() {
  for (const auto& [name, values] : fields_) {
    if (&values.back() == field_ && !http::is_utf8(*field_)) return fail(Problem(400, "is not UTF-8", name));
  }
  const auto title = field("title");
  if (title && transcript::character_count(*title) > kTitleCharacters) {
    return fail(Problem(422, fmt::format("must be text of 1 to {} characters", kTitleCharacters), "title"));
  }
  return {};
}

Outcome<std::shared_ptr<http::Receiver>> begin_queued_upload(Services& services, const Request& request,
                                                             FormShape shape) {
  TRY(read<bool>(services, [&](store::Reader& reader) -> Outcome<bool> {
    TRY(refuse_when_full(services, request, reader, std::nullopt));
    return true;
  }));
  return Upload::begin(services, request, std::move(shape));
}

void add_routes(http::Router& router, Services& services) {
  router.set_guard(make_guard(services));
  add_auth_routes(router, services);
  add_key_routes(router, services);
  add_admin_routes(router, services);
  add_profile_routes(router, services);
  add_system_routes(router, services);
  add_file_routes(router, services);
  add_upload_routes(router, services);
  add_model_routes(router, services);
  add_transcription_routes(router, services);
  add_export_routes(router, services);
  add_transcript_routes(router, services);
  add_search_routes(router, services);
  add_event_routes(router, services);
  add_webhook_routes(router, services);
}

}  // namespace hansard::api::v1
