// A transcript in the shapes of OpenAI's audio interface. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/message.h"
#include "http/problem.h"
#include "transcript/document.h"

namespace hansard::api::openai {

enum class Form { json, text, srt, vtt, verbose_json, diarized_json };

// What a request wants its transcript to be.
struct Wish {
  Form form = Form::json;
  bool translates = false;
  bool words = false;  // of verbose_json: with the times of words, of segments
  bool segments = true;
};

http::Response answer(const transcript::Document& document, const Wish& wish);

// The events of a stream, each whole.
std::string delta_event(std::string_view text);
// For each segment of a document whose speakers are known.
std::string segment_events(const transcript::Document& document);
std::string done_event(const transcript::Document& document);
std::string error_event(const http::Problem& problem);

// {"error":{"message","type","param","code"}}. What is not allowed is 400 there, whatever is wrong with it.
http::Response refusal(const http::Problem& problem, std::string_view request_id);

}  // namespace hansard::api::openai
