#include "api/openai/openai.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "api/openai/answers.h"
#include "api/v1/waiting.h"
#include "models/catalog.h"
#include "transcript/assemble.h"

namespace hansard::api::openai {
namespace {

namespace bj = json::bj;
using http::Answer;
using http::Outcome;
using http::Problem;
using http::Request;
using http::Response;
using v1::Services;
using v1::Upload;
using v1::WaitedJob;

// What its clients call the default model.
constexpr std::string_view kDefaultName = "whisper-1";

// ---- what is asked

constexpr std::array<std::pair<std::string_view, Form>, 6> kForms{{{"json", Form::json},
                                                                   {"text", Form::text},
                                                                   {"srt", Form::srt},
                                                                   {"vtt", Form::vtt},
                                                                   {"verbose_json", Form::verbose_json},
                                                                   {"diarized_json", Form::diarized_json}}};

v1::FormShape form_shape() {
  return {
      .fields = {"model", "language", "prompt", "response_format", "temperature", "timestamp_granularities",
                 "timestamp_granularities[]", "include", "include[]", "chunking_strategy",
                 "chunking_strategy[type]", "known_speaker_names", "known_speaker_names[]",
                 "known_speaker_references", "known_speaker_references[]", "stream", "store"},
      .ignores_others = true};
}

tl::unexpected<Problem> unsupported(std::string_view parameter, std::string message) {
  Problem problem(400, std::move(message), std::string(parameter));
  problem.code = "unsupported_parameter";
  return fail(std::move(problem));
}

// A list, by either of the names that clients give it.
std::vector<std::string> values_of(const Upload& upload, const std::string& name) {
  std::vector<std::string> values = upload.values(name);
  for (std::string& value : upload.values(name + "[]")) values.push_back(std::move(value));
  return values;
}

// Known there, and not done here: better said than passed over.
Outcome<void> refuse_unsupported(const Upload& upload) {
  const std::string temperature = upload.field("temperature").value_or("0");
  double degree = 0;
  const auto [end, error] =
      std::from_chars(temperature.data(), temperature.data() + temperature.size(), degree);
  if (error != std::errc() || end != temperature.data() + temperature.size() || degree < 0 || degree > 1)
    return fail(Problem(400, "must be a number from 0 to 1", "temperature"));
  if (degree != 0) return unsupported("temperature", "must be 0: nothing here is left to chance");
  if (!values_of(upload, "include").empty())
    return unsupported("include[]", "is not supported: there are no log probabilities of tokens");
  for (const char* name : {"known_speaker_names", "known_speaker_references"}) {
    if (!values_of(upload, name).empty())
      return unsupported(std::string(name) + "[]",
                         "is not supported: ask for diarized_json, and name the speakers in what comes");
  }
  if (upload.field("chunking_strategy").value_or("auto") != "auto" || upload.field("chunking_strategy[type]"))
    return unsupported("chunking_strategy", "must be auto: recordings are cut where nobody speaks");
  return {};
}

Outcome<bool> truth_of(const Upload& upload, std::string_view name) {
  const std::string text = upload.field(name).value_or("false");
  if (text != "true" && text != "false")
    return fail(Problem(400, "must be true or false", std::string(name)));
  return text == "true";
}

Outcome<Wish> wish_of(const Upload& upload, bool translates) {
  Wish wish{.translates = translates};
  const std::string name = upload.field("response_format").value_or("json");
  const auto* found =
      std::find_if(kForms.begin(), kForms.end(), [&](const auto& form) { return form.first == name; });
  if (found == kForms.end() || (translates && found->second == Form::diarized_json)) {
    return fail(Problem(400,
                        translates ? "must be json, text, srt, vtt or verbose_json"
                                   : "must be json, text, srt, vtt, verbose_json or diarized_json",
                        "response_format"));
  }
  wish.form = found->second;
  const std::vector<std::string> granularities = values_of(upload, "timestamp_granularities");
  if (granularities.empty()) return wish;
  if (wish.form != Form::verbose_json)
    return fail(Problem(400, "belongs to verbose_json alone", "timestamp_granularities"));
  wish.words = wish.segments = false;
  for (const std::string& granularity : granularities) {
    if (granularity != "word" && granularity != "segment")
      return fail(Problem(400, "must be word or segment", "timestamp_granularities"));
    (granularity == "word" ? wish.words : wish.segments) = true;
  }
  return wish;
}

Outcome<void> check_model(const Services& services, std::string_view name) {
  const auto found = services.models.find(name);
  if (found || found.error().code != ErrorCode::model_unknown) return {};
  Problem problem(404, found.error().message, "model");
  problem.code = "model_not_found";
  return fail(std::move(problem));
}

// The options of a job by the names that its form has.
Outcome<jobs::JobOptions> options_of(Services& services, const Request& request, const Upload& upload,
                                     const Wish& wish) {
  bj::object options{{"task", wish.translates ? "translate" : "transcribe"}};
  options["diarization"] = wish.form == Form::diarized_json;
  // A profile may name a number of speakers.
  if (wish.form != Form::diarized_json) options["num_speakers"] = nullptr;
  options["word_timestamps"] = true;
  const std::string model = upload.field("model").value_or("");
  if (model.empty()) return fail(Problem(400, "name a model; whisper-1 is the default one", "model"));
  if (model != kDefaultName) {
    TRY(check_model(services, model));
    options["model"] = model;
  }
  if (const auto language = upload.field("language"); language && !language->empty())
    options["language"] = *language;
  if (const auto prompt = upload.field("prompt"); prompt && !prompt->empty())
    options["initial_prompt"] = *prompt;
  auto checked = v1::resolve_options(services, request, std::nullopt, options);
  if (!checked && checked.error().field) {
    std::string& field = *checked.error().field;
    v1::drop_options_prefix(field);
    if (field == "initial_prompt") field = "prompt";
  }
  return checked;
}

// ---- answers that take their time

Problem failure_of(const jobs::Job& job) {
  Problem problem = v1::problem_of(job);
  // Asked again, it would fail again: their clients would else do so on their own.
  problem.headers.emplace_back("X-Should-Retry", "false");
  return problem;
}

class LaterTranscript : public http::Awaited {
 public:
  LaterTranscript(std::unique_ptr<WaitedJob> job, const Wish& wish) : job_(std::move(job)), wish_(wish) {}

  std::optional<Answer> next() override {
    auto ended = job_->ended();
    if (!ended) return fail(std::move(ended).error());
    if (!*ended) return std::nullopt;
    if (!(*ended)->document) return fail(failure_of((*ended)->job));
    return answer(*(*ended)->document, wish_);
  }
  void on_ready(std::function<void()> wake) override { job_->on_ready(std::move(wake)); }

 private:
  std::unique_ptr<WaitedJob> job_;
  const Wish wish_;
};

// Text as it becomes final, then the whole.
class TranscriptStream : public http::EventSource {
 public:
  TranscriptStream(std::unique_ptr<WaitedJob> job, const Wish& wish) : job_(std::move(job)), wish_(wish) {}

  bool waits() const override { return true; }
  Next next() override {
    Next result;
    for (const transcript::Segment& segment : job_->new_segments()) {
      const bool space = !told_.empty() && transcript::space_between(told_, segment.text);
      result.text += tell((space ? " " : "") + segment.text);
    }
    auto ended = job_->ended();
    if (!ended) return {result.text + error_event(ended.error()), true};
    if (!*ended) return result;
    result.ended = true;
    result.text += (*ended)->document ? end_of(*(*ended)->document) : error_event(failure_of((*ended)->job));
    return result;
  }
  void on_ready(std::function<void()> wake) override { job_->on_ready(std::move(wake)); }

 private:
  std::string tell(const std::string& text) {
    told_ += text;
    return delta_event(text);
  }
  std::string end_of(const transcript::Document& document) {
    std::string events;
    // The last segment is final with the whole.
    const std::string text = document.text();
    if (text.size() > told_.size() && text.starts_with(told_)) events += tell(text.substr(told_.size()));
    if (wish_.form == Form::diarized_json) events += segment_events(document);
    return events + done_event(document);
  }

  std::unique_ptr<WaitedJob> job_;
  const Wish wish_;
  std::string told_;
};

Answer transcribe(Services& services, Request& request, bool translates) {
  auto& upload = dynamic_cast<Upload&>(*request.receiver);
  TRY(refuse_unsupported(upload));
  const Wish wish = TRY(wish_of(upload, translates));
  const bool streams = TRY(truth_of(upload, "stream"));
  const bool is_timed = wish.form == Form::srt || wish.form == Form::vtt || wish.form == Form::verbose_json;
  if (streams && (is_timed || translates))
    return unsupported("stream", "goes with json, text and diarized_json of transcriptions alone");
  const bool stores = TRY(truth_of(upload, "store"));
  const jobs::JobOptions options = TRY(options_of(services, request, upload, wish));
  const jobs::Job job = TRY(v1::queue_waited(services, request, upload,
                                             {.options = options, .client = "openai", .ephemeral = !stores}));
  auto waited = std::make_unique<WaitedJob>(services, request, job);
  Response response;
  if (streams) {
    response.with("Content-Type", "text/event-stream")
        .with("Cache-Control", "no-store")
        .with("X-Accel-Buffering", "no");
    response.body = std::make_shared<TranscriptStream>(std::move(waited), wish);
  } else {
    response.body = std::make_shared<LaterTranscript>(std::move(waited), wish);
  }
  return response;
}

// ---- models

// When a model came to this machine, in seconds since 1970.
int64_t arrival_of(const models::Installed& model) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(model.folder / "model.json", error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(system).count();
}

bj::object model_json(std::string_view name, const models::Installed& model) {
  return {{"id", name}, {"object", "model"}, {"created", arrival_of(model)}, {"owned_by", "hansard"}};
}

// Those that transcribe and are here; the default one by its name there, too.
bj::array all_models(const Services& services) {
  bj::array all;
  for (const models::Installed& model : services.models.list()) {
    if (model.kind != models::Kind::transcription) continue;
    if (model.id == models::kDefaultTranscriptionModel) all.push_back(model_json(kDefaultName, model));
    all.push_back(model_json(model.id, model));
  }
  return all;
}

Answer list_models(Services& services, const Request&) {
  return http::json_response(200,
                             json::to_text(bj::object{{"object", "list"}, {"data", all_models(services)}}));
}

Answer show_model(Services& services, const Request& request) {
  const std::string& name = request.parameters.at(0);
  for (const bj::value& model : all_models(services)) {
    if (model.at("id") == bj::string_view(name)) return http::json_response(200, json::to_text(model));
  }
  Problem problem(404, "there is no such model here", "model");
  problem.code = "model_not_found";
  return fail(std::move(problem));
}

}  // namespace

void add_routes(http::Router& router, Services& services) {
  for (const bool translates : {false, true}) {
    http::Route route{
        "POST", translates ? "/v1/audio/translations" : "/v1/audio/transcriptions",
        [&services, translates](Request& request) { return transcribe(services, request, translates); }};
    route.receive = [&services](Request& request) {
      return v1::begin_queued_upload(services, request, form_shape());
    };
    route.slow = true;  // ffprobe
    route.refusal = refusal;
    router.add(std::move(route));
  }
  for (const auto& [pattern, handler] :
       {std::pair("/v1/models", &list_models), std::pair("/v1/models/{id}", &show_model)}) {
    http::Route route{"GET", pattern, v1::bind(services, handler)};
    route.refusal = refusal;
    router.add(std::move(route));
  }
}

}  // namespace hansard::api::openai
