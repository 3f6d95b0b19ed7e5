// What a client may ask of a transcription, as JSON: read when a job is made, so that a client hears of its
// mistake, and again when it runs.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "pipeline/pipeline.h"

namespace hansard::jobs {

struct JobOptions {
  pipeline::Options pipeline;
  engine::EngineOptions engine;
  bool use_cache = true;
  bool word_timestamps = true;
  int64_t priority = 5;
};

struct OptionProblem {
  std::string field;     // "num_speakers"
  std::string message;   // what is allowed
  bool unknown = false;  // there is no option of this name
};

// Fields that are not there have their defaults. Whether the models exist is not checked.
tl::expected<JobOptions, OptionProblem> parse_options(const json::bj::object& options);

// Field by field: what `over` says, else what `base` says. A number of speakers is one field, however it is
// given. A null in `over` takes the field away, back to its default.
json::bj::object merge_options(json::bj::object base, const json::bj::object& over);

// Every option with its value, so that a job does the same when defaults have changed. What is not set and
// has no default (a number of speakers, an end) is left out.
json::bj::object to_json(const JobOptions& options);

}  // namespace hansard::jobs
