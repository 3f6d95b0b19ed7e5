#include "cli/client_commands.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/client.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace hansard::cli {
namespace {

namespace bj = json::bj;
using namespace std::chrono_literals;

// A server that restarts is back before.
constexpr auto kServerPatience = 60s;
constexpr auto kRetryInterval = 500ms;

// Codes of what went wrong at the server, as transcribe has them; a server that does not answer, or refuses
// for the state that something is in, has none of its own.
ExitCode client_exit_code(ErrorCode code) {
  const bool has_none = code == ErrorCode::network || code == ErrorCode::conflict;
  return has_none ? ExitCode::failed : exit_code(code);
}

ExitCode complain(std::string_view about, const Error& error) {
  fmt::print(stderr, "hansard: {}{}{}\n", about, about.empty() ? "" : ": ", error.message);
  return client_exit_code(error.code);
}

ExitCode print(std::string_view text) {
  const Result<void> written = write_output({}, text);
  return written ? ExitCode::ok : complain("", written.error());
}

std::string text(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return "-";
  return value->is_string() ? std::string(value->get_string()) : json::to_text(*value);
}

Client client(const Config& config, const std::stop_token& stop) {
  return {config.text("HANSARD_URL"), config.text("HANSARD_API_KEY"), stop};
}

void wait_a_moment(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, kRetryInterval, [] { return false; });
}

bool has_ended(const bj::object& job) {
  const std::string status = text(job, "status");
  return status == "completed" || status == "failed" || status == "canceled";
}

void show(const bj::object& event, Progress& progress) {
  const auto stage = pipeline::parse_stage(text(event, "stage"));
  const auto fraction = json::get_number(event, "progress");
  if (!fraction) return;
  if (stage) {
    progress.progress(*stage, *fraction, pipeline::within_stage(*stage, *fraction));
  } else {
    progress.before(text(event, "stage"), *fraction);
  }
}

// The job as it is when it has ended. A server that restarts meanwhile is waited for.
Result<bj::object> wait_for_end(Client& server, const std::string& id, Progress& progress,
                                const std::stop_token& stop) {
  const std::string path = "transcriptions/" + escaped(id);
  auto answered = std::chrono::steady_clock::now();
  for (;;) {
    const auto followed = server.follow(path + "/events", [&](std::string_view name, const bj::object& data) {
      answered = std::chrono::steady_clock::now();
      if (name == "transcription.progress") show(data, progress);
      return true;
    });
    if (!followed && followed.error().code != ErrorCode::network) return fail(followed.error());
    Result<bj::object> job = server.object("GET", path);
    if (job ? has_ended(*job) : job.error().code != ErrorCode::network) return job;
    const auto now = std::chrono::steady_clock::now();
    if (job) answered = now;
    if (now - answered > kServerPatience) return job;
    wait_a_moment(stop);
  }
}

ExitCode report(const std::string& id, const bj::object& job, bool quiet) {
  const std::string status = text(job, "status");
  std::string line = fmt::format("{} {}", id, status);
  ExitCode code = status == "completed" ? ExitCode::ok : ExitCode::failed;
  if (const auto error = json::get_object(job, "error")) {
    line += ": " + text(**error, "message");
    const auto known = parse_error_code(text(**error, "code"));
    if (known) code = client_exit_code(*known);
  }
  if (const auto warnings = json::get_array(job, "warnings")) {
    for (const bj::value& warning : **warnings) {
      if (!warning.is_object()) continue;
      line += fmt::format("; {}", text(warning.get_object(), "message"));
      if (text(warning.get_object(), "code") == "DIARIZATION_FAILED") code = ExitCode::without_speakers;
    }
  }
  if (!quiet || code != ExitCode::ok) fmt::print(stderr, "hansard: {}\n", line);
  return code;
}

// "queued, 3 before it"
std::string waiting_as(const bj::object& job) {
  const auto position = json::get_integer(job, "queue_position");
  const std::string stage = text(job, "progress_stage");
  return position && *position > 1 ? fmt::format("{}, {} before it", stage, *position - 1) : stage;
}

// Shows one job until its end.
ExitCode watch(Client& server, const std::string& id, bool quiet, const std::stop_token& stop) {
  const Result<bj::object> job = server.object("GET", "transcriptions/" + escaped(id));
  if (!job) return complain(id, job.error());
  Progress progress(quiet ? ProgressStyle::none : default_progress_style(),
                    text(*job, "diarization") == "true");
  progress.begin(text(*job, "title"));
  if (const auto duration = json::get_number(*job, "duration_seconds")) progress.duration(*duration);
  if (!has_ended(*job)) progress.before(waiting_as(*job), 0);
  const Result<bj::object> ended = wait_for_end(server, id, progress, stop);
  progress.end();
  return ended ? report(id, *ended, quiet) : complain(id, ended.error());
}

bj::object options_of(const SubmitArguments& arguments) {
  bj::object options;
  const auto give = [&](const char* name, const auto& value) {
    if (value) options[name] = *value;
  };
  give("model", arguments.model);
  give("language", arguments.language);
  give("task", arguments.task);
  give("num_speakers", arguments.num_speakers);
  give("min_speakers", arguments.min_speakers);
  give("max_speakers", arguments.max_speakers);
  give("priority", arguments.priority);
  if (!arguments.diarize) options["diarization"] = false;
  if (arguments.multichannel) options["multichannel"] = true;
  if (arguments.no_cache) options["no_cache"] = true;
  return options;
}

std::string line_of(const bj::object& job) {
  return fmt::format("{}  {:<10}  {:>3.0f}%  {}  {}\n", text(job, "id"), text(job, "status"),
                     json::get_number(job, "progress").value_or(0) * 100, text(job, "created_at"),
                     text(job, "title"));
}

ExitCode list(Client& server, const JobsArguments& arguments) {
  std::string path = fmt::format("transcriptions?limit={}", arguments.limit);
  if (!arguments.status.empty()) path += "&status=" + escaped(arguments.status);
  const Result<bj::object> page = server.object("GET", path);
  if (!page) return complain("", page.error());
  const Result<const bj::array*> items = json::get_array(*page, "items");
  if (!items) return complain("", items.error());
  std::string lines;
  for (const bj::value& item : **items) {
    if (item.is_object()) lines += line_of(item.get_object());
  }
  return print(lines);
}

ExitCode one(Client& server, const JobsArguments& arguments, const std::string& id,
             const std::stop_token& stop) {
  const std::string path = "transcriptions/" + escaped(id);
  if (arguments.action == "watch") return watch(server, id, arguments.quiet, stop);
  if (arguments.action == "rm") {
    const auto removed = server.request("DELETE", path);
    return removed ? ExitCode::ok : complain(id, removed.error());
  }
  const auto job = arguments.action == "show"     ? server.object("GET", path)
                   : arguments.action == "cancel" ? server.object("POST", path + ":cancel")
                                                  : server.object("POST", path + ":retry");
  if (!job) return complain(id, job.error());
  if (arguments.action != "show") return print(text(*job, "id") + "\n");
  std::string lines;
  for (const auto& field : *job)
    lines += fmt::format("{:<24} {}\n", std::string_view(field.key()), text(*job, field.key()));
  return print(lines);
}

// One recording to the server; its job's id.
Result<std::string> hand_in(Client& server, const std::string& input, const SubmitArguments& arguments) {
  std::map<std::string, std::string> fields{{"options", json::to_text(options_of(arguments))}};
  if (arguments.title) fields["title"] = *arguments.title;
  Progress progress(arguments.quiet ? ProgressStyle::none : default_progress_style(), false);
  progress.begin(std::filesystem::path(input).filename().string());
  std::error_code error;
  const auto size = static_cast<double>(std::filesystem::file_size(input, error));
  const auto job = server.upload("transcriptions:submit", input, fields, [&](uint64_t sent) {
    progress.before("uploading", error || size <= 0 ? 0 : std::min(1.0, static_cast<double>(sent) / size));
  });
  progress.end();
  if (!job) return fail(job.error());
  return json::get_string(*job, "id");
}

ExitCode wait_for_all(Client& server, const std::vector<std::string>& ids, bool quiet,
                      const std::stop_token& stop) {
  ExitCode first_failure = ExitCode::ok;
  for (size_t i = 0; i < ids.size(); ++i) {
    const ExitCode code = watch(server, ids[i], quiet, stop);
    if (first_failure == ExitCode::ok || code == ExitCode::interrupted) first_failure = code;
    if (code != ExitCode::interrupted) continue;
    fmt::print(stderr, "hansard: what was handed in goes on; to see it: hansard jobs watch {}\n",
               fmt::join(ids.begin() + static_cast<std::ptrdiff_t>(i), ids.end(), " "));
    break;
  }
  return first_failure;
}

}  // namespace

ExitCode run_submit(const SubmitArguments& arguments, const Config& config, const std::stop_token& stop) {
  const Result<std::vector<std::string>> inputs = expand_inputs(arguments.inputs);
  if (!inputs) return complain("", inputs.error());
  if (arguments.title && inputs->size() > 1) {
    return complain("",
                    {ErrorCode::invalid_request, "--title is for one recording, and these are several", {}});
  }
  Client server = client(config, stop);
  ExitCode first_failure = ExitCode::ok;
  std::vector<std::string> ids;
  for (const std::string& input : *inputs) {
    const Result<std::string> id = hand_in(server, input, arguments);
    if (id) {
      ids.push_back(*id);
      if (const ExitCode printed = print(*id + "\n"); printed != ExitCode::ok) return printed;
      continue;
    }
    const ExitCode code = complain(input, id.error());
    // The others would fare the same.
    if (id.error().code == ErrorCode::network || id.error().code == ErrorCode::canceled) return code;
    if (first_failure == ExitCode::ok) first_failure = code;
  }
  if (!arguments.wait) return first_failure;
  const ExitCode waited = wait_for_all(server, ids, arguments.quiet, stop);
  return first_failure == ExitCode::ok || waited == ExitCode::interrupted ? waited : first_failure;
}

ExitCode run_jobs(const JobsArguments& arguments, const Config& config, const std::stop_token& stop) {
  Client server = client(config, stop);
  if (arguments.action == "list") return list(server, arguments);
  ExitCode first_failure = ExitCode::ok;
  for (const std::string& id : arguments.ids) {
    const ExitCode code = one(server, arguments, id, stop);
    if (code == ExitCode::interrupted) return code;
    if (first_failure == ExitCode::ok) first_failure = code;
  }
  return first_failure;
}

ExitCode run_get(const GetArguments& arguments, const Config& config, const std::stop_token& stop) {
  const auto targets = plan_outputs({arguments.id}, arguments.output, arguments.format);
  if (!targets) return complain("", targets.error());
  const OutputTarget& target = targets->front();
  // The command line says txt, the server text.
  const std::string_view name = transcript::format_name(target.format);
  Client server = client(config, stop);
  const auto transcript =
      server.request("GET", fmt::format("transcriptions/{}/transcript?format={}", escaped(arguments.id),
                                        name == "txt" ? "text" : name));
  if (!transcript) return complain(arguments.id, transcript.error());
  const Result<void> written = write_output(target, *transcript);
  return written ? ExitCode::ok : complain("", written.error());
}

}  // namespace hansard::cli
