// hansard submit, jobs and get: the commands that ask a running server (HANSARD_URL).
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/config.h"
#include "cli/exit_code.h"

namespace hansard::cli {

struct SubmitArguments {
  std::vector<std::string> inputs;   // files and folders
  std::optional<std::string> title;  // for one input
  bool wait = false;
  bool quiet = false;
  // Options of the server, by their names there; those given alone.
  std::optional<std::string> model;
  std::optional<std::string> language;
  std::optional<std::string> task;
  std::optional<int> num_speakers;
  std::optional<int> min_speakers;
  std::optional<int> max_speakers;
  std::optional<int> priority;
  bool diarize = true;
  bool multichannel = false;
  bool no_cache = false;
};
// Prints each job's id as it is accepted. With `wait` it follows each to its end, and the exit code is that
// of the first failure, as of transcribe.
ExitCode run_submit(const SubmitArguments& arguments, const Config& config, const std::stop_token& stop);

struct JobsArguments {
  std::string action;            // "list", "show", "cancel", "retry", "rm", "watch"
  std::vector<std::string> ids;  // but for "list"
  std::string status;            // of "list"; empty: all
  int limit = 50;
  bool quiet = false;
};
ExitCode run_jobs(const JobsArguments& arguments, const Config& config, const std::stop_token& stop);

struct GetArguments {
  std::string id;
  std::optional<std::string> format;  // as of transcribe: else the output's extension says it, else Markdown
  std::optional<std::string> output;  // standard output without one
};
ExitCode run_get(const GetArguments& arguments, const Config& config, const std::stop_token& stop);

}  // namespace hansard::cli
