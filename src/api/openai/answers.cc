#include "api/openai/answers.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/json.h"
#include "base/languages.h"
#include "base/spelling.h"
#include "transcript/exports.h"

namespace hansard::api::openai {
namespace {

namespace bj = json::bj;
using transcript::Document;
using transcript::Segment;
using transcript::Word;

double seconds(double value) {
  return json::rounded(value, 3);
}

bj::object usage(const Document& document) {
  return {{"type", "duration"}, {"seconds", std::ceil(document.duration_s)}};
}

// As Whisper's own tools measure whether a text repeats itself.
double compression_ratio(std::string_view text) {
  if (text.empty()) return 0;
  uLongf size = ::compressBound(text.size());
  std::string packed(size, '\0');
  // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): the interface of zlib
  ::compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
             text.size());
  // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
  return static_cast<double>(text.size()) / static_cast<double>(size);
}

// Of the segment's words: the mean of the logarithms of their probabilities.
double average_log_probability(const Document& document, const Segment& segment) {
  constexpr double kLeast = 1e-3;
  double sum = 0;
  for (size_t i = 0; i < segment.word_count; ++i)
    sum += std::log(std::max(document.words[segment.first_word + i].confidence, kLeast));
  return segment.word_count == 0 ? 0 : sum / static_cast<double>(segment.word_count);
}

bj::object verbose_segment(const Document& document, size_t number) {
  const Segment& segment = document.segments[number];
  bj::object json{{"id", number}, {"seek", static_cast<int64_t>(segment.start * 100)}};
  json["start"] = seconds(segment.start);
  json["end"] = seconds(segment.end);
  json["text"] = " " + segment.text;
  json["tokens"] = bj::array();
  json["temperature"] = 0.0;  // nothing is left to chance
  json["avg_logprob"] = json::rounded(average_log_probability(document, segment), 4);
  json["compression_ratio"] = json::rounded(compression_ratio(segment.text), 4);
  json["no_speech_prob"] = 0.0;  // what is no speech is not decoded
  return json;
}

std::string verbose_json(const Document& document, const Wish& wish) {
  bj::object json{{"task", wish.translates ? "translate" : "transcribe"}};
  json["language"] = wish.translates ? "english" : lower(language_name(document.language));
  json["duration"] = seconds(document.duration_s);
  json["text"] = document.text();
  if (wish.words) {
    bj::array& words = json["words"].emplace_array();
    for (const Word& word : document.words) {
      words.push_back(
          bj::object{{"word", word.text}, {"start", seconds(word.start)}, {"end", seconds(word.end)}});
    }
  }
  if (wish.segments) {
    bj::array& segments = json["segments"].emplace_array();
    for (size_t i = 0; i < document.segments.size(); ++i) segments.push_back(verbose_segment(document, i));
  }
  json["usage"] = usage(document);
  return json::to_text(json);
}

// "A" for the first speaker, as there; beyond the alphabet "A1".
std::string speaker_letter(const Document& document, std::string_view speaker) {
  const auto found = std::find_if(document.speakers.begin(), document.speakers.end(),
                                  [&](const transcript::Speaker& one) { return one.id == speaker; });
  if (found == document.speakers.end()) return "unknown";
  const auto number = static_cast<size_t>(found - document.speakers.begin());
  const std::string letter(1, static_cast<char>('A' + number % 26));
  return number < 26 ? letter : letter + std::to_string(number / 26);
}

bj::object diarized_segment(const Document& document, size_t number) {
  const Segment& segment = document.segments[number];
  bj::object json{{"type", "transcript.text.segment"}, {"id", segment.id}};
  json["start"] = seconds(segment.start);
  json["end"] = seconds(segment.end);
  json["text"] = segment.text;
  json["speaker"] = speaker_letter(document, segment.speaker);
  return json;
}

std::string diarized_json(const Document& document) {
  bj::object json{{"task", "transcribe"}, {"duration", seconds(document.duration_s)}};
  json["text"] = document.text();
  bj::array& segments = json["segments"].emplace_array();
  for (size_t i = 0; i < document.segments.size(); ++i) segments.push_back(diarized_segment(document, i));
  json["usage"] = usage(document);
  return json::to_text(json);
}

std::string event(const bj::object& data) {
  return fmt::format("event: {}\ndata: {}\n\n", std::string_view(data.at("type").as_string()),
                     json::to_text(data));
}

// ---- refusals

int status_there(int status) {
  return status == 422 || status == 415 ? 400 : status;
}

std::string_view type_of(int status) {
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

std::string_view code_of(const http::Problem& problem) {
  if (!problem.code.empty()) return problem.code;
  if (problem.status == 401) return "invalid_api_key";
  return problem.status == 429 ? "rate_limit_exceeded" : "";
}

bj::object error_json(const http::Problem& problem) {
  bj::object error{{"message", problem.message}, {"type", type_of(problem.status)}};
  error["param"] = problem.field ? bj::value(*problem.field) : bj::value(nullptr);
  const std::string_view code = code_of(problem);
  error["code"] = code.empty() ? bj::value(nullptr) : bj::value(code);
  return {{"error", std::move(error)}};
}

}  // namespace

http::Response answer(const Document& document, const Wish& wish) {
  constexpr std::string_view kText = "text/plain; charset=utf-8";
  switch (wish.form) {
    case Form::json:
      return http::json_response(
          200, json::to_text(bj::object{{"text", document.text()}, {"usage", usage(document)}}));
    case Form::text:
      return http::text_response(200, kText, document.text() + "\n");
    case Form::srt:
      return http::text_response(200, kText, transcript::export_document(document, transcript::Format::srt));
    case Form::vtt:
      return http::text_response(200, kText, transcript::export_document(document, transcript::Format::vtt));
    case Form::verbose_json:
      return http::json_response(200, verbose_json(document, wish));
    case Form::diarized_json:
      return http::json_response(200, diarized_json(document));
  }
  return http::json_response(200, "{}");
}

std::string delta_event(std::string_view text) {
  return event({{"type", "transcript.text.delta"}, {"delta", text}});
}

std::string segment_events(const Document& document) {
  std::string text;
  for (size_t i = 0; i < document.segments.size(); ++i) text += event(diarized_segment(document, i));
  return text;
}

std::string done_event(const Document& document) {
  return event({{"type", "transcript.text.done"}, {"text", document.text()}, {"usage", usage(document)}});
}

std::string error_event(const http::Problem& problem) {
  return fmt::format("event: error\ndata: {}\n\n", json::to_text(error_json(problem)));
}

http::Response refusal(const http::Problem& problem, std::string_view /*request_id*/) {
  return http::json_response(status_there(problem.status), json::to_text(error_json(problem)));
}

}  // namespace hansard::api::openai
