// hansard transcribe: recordings in, transcripts out. One slot of the pipeline with an engine of its own; no
// database.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/config.h"
#include "cli/exit_code.h"
#include "engine/types.h"
#include "pipeline/pipeline.h"

namespace hansard::cli {

struct TranscribeArguments {
  std::vector<std::string> inputs;  // files, folders, addresses, or "-"
  std::optional<std::string> output;
  std::optional<std::string> format;
  engine::EngineOptions engine;
  pipeline::Options pipeline;
  bool use_cache = true;
  bool quiet = false;
  bool json_progress = false;
};

// What flags say as text, checked together: times, counts, language. Errors: invalid_request.
struct RawTranscribeFlags {
  std::string start_time, end_time, max_duration, language, device, compute_type, task, preset;
  int64_t memory_limit_mb = 0;
  std::optional<int> num_speakers, min_speakers, max_speakers;
};
Result<void> apply(const RawTranscribeFlags& flags, TranscribeArguments& arguments);

ExitCode run_transcribe(const TranscribeArguments& arguments, const Config& config, std::stop_token stop);

}  // namespace hansard::cli
