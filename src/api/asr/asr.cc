#include "api/asr/asr.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "api/v1/waiting.h"
#include "base/languages.h"
#include "base/limits.h"
#include "base/spelling.h"
#include "transcript/exports.h"

namespace hansard::api::asr {
namespace {

namespace bj = json::bj;
using http::Answer;
using http::Outcome;
using http::Problem;
using http::Request;
using http::Response;
using transcript::Document;
using transcript::Format;
using v1::Services;
using v1::Upload;

// As much as Whisper itself looks at to tell the language.
constexpr double kLanguageSeconds = 30;
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

// Clients send these in the query; some in the form.
constexpr std::array<std::string_view, 11> kNames{
    "encode",          "task",    "language",     "initial_prompt", "vad_filter", "output",
    "word_timestamps", "diarize", "min_speakers", "max_speakers",   "model"};

std::optional<std::string> value_of(const Request& request, const Upload& upload, std::string_view name) {
  auto value = request.query_value(name);
  if (!value) value = upload.field(name);
  return value;
}

Outcome<bool> truth_of(const Request& request, const Upload& upload, std::string_view name, bool otherwise) {
  const auto text = value_of(request, upload, name);
  if (!text) return otherwise;
  if (const auto truth = parse_truth(*text)) return *truth;
  return fail(Problem(422, "must be true or false", std::string(name)));
}

Outcome<jobs::JobOptions> options_of(Services& services, const Request& request, const Upload& upload) {
  bj::object options{{"num_speakers", nullptr}};  // of a profile
  const bool diarize = TRY(truth_of(request, upload, "diarize", false));
  options["diarization"] = diarize;
  options["word_timestamps"] = true;
  for (const char* name : {"task", "language", "initial_prompt", "model"}) {
    const auto value = value_of(request, upload, name);
    // Pages that send every field leave these empty.
    const bool left_empty = value && value->empty() && std::string_view(name) != "task";
    if (value && !left_empty) options[name] = *value;
  }
  for (const char* name : {"min_speakers", "max_speakers"}) {
    const auto text = value_of(request, upload, name);
    if (!text) continue;
    const int64_t count = TRY(v1::count_of(*text, name, limits::kSpeakers));
    if (diarize) options[name] = count;  // else it means nothing
  }
  return v1::resolve_options(services, request, std::nullopt, options);
}

// ---- answers

bj::array segments_json(const Document& document, bool words) {
  bj::array segments;
  for (size_t i = 0; i < document.segments.size(); ++i) {
    const transcript::Segment& segment = document.segments[i];
    bj::object json{{"id", i}, {"start", json::rounded(segment.start, 3)}};
    json["end"] = json::rounded(segment.end, 3);
    json["text"] = segment.text;
    if (document.diarized) json["speaker"] = segment.speaker;
    if (words) {
      bj::array& list = json["words"].emplace_array();
      for (size_t n = 0; n < segment.word_count; ++n) {
        const transcript::Word& word = document.words[segment.first_word + n];
        list.push_back(bj::object{{"word", word.text},
                                  {"start", json::rounded(word.start, 3)},
                                  {"end", json::rounded(word.end, 3)},
                                  {"probability", json::rounded(word.confidence, 3)}});
      }
    }
    segments.push_back(std::move(json));
  }
  return segments;
}

// How a transcript becomes the answer.
using Write = std::function<Response(const Document&)>;

class Later : public http::Awaited {
 public:
  Later(std::unique_ptr<v1::WaitedJob> job, Write write) : job_(std::move(job)), write_(std::move(write)) {}

  std::optional<Answer> next() override {
    auto ended = job_->ended();
    if (!ended) return fail(std::move(ended).error());
    if (!*ended) return std::nullopt;
    if (!(*ended)->document) return fail(v1::problem_of((*ended)->job));
    return write_(*(*ended)->document);
  }
  void on_ready(std::function<void()> wake) override { job_->on_ready(std::move(wake)); }

 private:
  std::unique_ptr<v1::WaitedJob> job_;
  const Write write_;
};

Answer answer_later(Services& services, const Request& request, Upload& upload,
                    const jobs::JobOptions& options, Write write) {
  const jobs::Job job =
      TRY(v1::queue_waited(services, request, upload, {.options = options, .client = "asr"}));
  Response response;
  response.body =
      std::make_shared<Later>(std::make_unique<v1::WaitedJob>(services, request, job), std::move(write));
  return response;
}

Outcome<Write> writer_of(const Request& request, const Upload& upload) {
  const std::string output = value_of(request, upload, "output").value_or("txt");
  const bool words = TRY(truth_of(request, upload, "word_timestamps", false));
  if (output == "json") {
    return Write([words](const Document& document) {
      return http::json_response(200, json::to_text(bj::object{{"text", document.text()},
                                                               {"segments", segments_json(document, words)},
                                                               {"language", document.language}}));
    });
  }
  for (const auto& [name, format] : {std::pair("txt", Format::txt), std::pair("srt", Format::srt),
                                     std::pair("vtt", Format::vtt), std::pair("tsv", Format::tsv)}) {
    if (output != name) continue;
    return Write([form = format](const Document& document) {
      return http::text_response(200, kPlain, transcript::export_document(document, form));
    });
  }
  return fail(Problem(422, "must be txt, json, srt, vtt or tsv", "output"));
}

Answer transcribe(Services& services, Request& request) {
  auto& upload = dynamic_cast<Upload&>(*request.receiver);
  Write write = TRY(writer_of(request, upload));
  const jobs::JobOptions options = TRY(options_of(services, request, upload));
  return answer_later(services, request, upload, options, std::move(write));
}

Answer detect_language(Services& services, Request& request) {
  auto& upload = dynamic_cast<Upload&>(*request.receiver);
  const jobs::JobOptions options = TRY(v1::resolve_options(services, request, std::nullopt,
                                                           {{"num_speakers", nullptr},
                                                            {"diarization", false},
                                                            {"language", "auto"},
                                                            {"task", "transcribe"},
                                                            {"start_time", 0},
                                                            {"end_time", kLanguageSeconds}}));
  return answer_later(services, request, upload, options, [](const Document& document) {
    bj::object json{{"detected_language", nullptr}, {"language_code", nullptr}};
    if (!document.language.empty()) {
      json["detected_language"] = lower(language_name(document.language));
      json["language_code"] = document.language;
    }
    return http::json_response(200, json::to_text(json));
  });
}

}  // namespace

void add_routes(http::Router& router, Services& services) {
  for (const auto& [pattern, handler] :
       {std::pair("/asr", &transcribe), std::pair("/detect-language", &detect_language)}) {
    http::Route route{"POST", pattern, [&services, answers = handler](Request& request) {
                        return answers(services, request);
                      }};
    route.receive = [&services](Request& request) {
      return v1::begin_queued_upload(
          services, request,
          {.file = "audio_file", .fields = {kNames.begin(), kNames.end()}, .ignores_others = true});
    };
    route.slow = true;  // ffprobe
    route.refusal = v1::detail_refusal;
    router.add(std::move(route));
  }
}

}  // namespace hansard::api::asr
