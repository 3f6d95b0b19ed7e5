#include "cli/client_commands.h"

#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/client.h"
#include "cli/progress.h"

namespace hansard::cli {
namespace {

namespace bj = json::bj;

ExitCode complain(std::string_view about, const Error& error) {
  fmt::print(stderr, "hansard: {}{}{}\n", about, about.empty() ? "" : ": ", error.message);
  return error.code == ErrorCode::canceled ? ExitCode::interrupted : exit_code(error.code);
}

std::string text(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return "-";
  return value->is_string() ? std::string(value->get_string()) : json::to_text(*value);
}

Client client(const Config& config, const std::stop_token& stop) {
  return {config.text("HANSARD_URL"), stop};
}

// Shows one job until its end.
ExitCode watch(Client& server, const std::string& id, bool quiet) {
  const Result<bj::object> job = server.object("GET", "transcriptions/" + escaped(id));
  if (!job) return complain(id, job.error());
  Progress progress(quiet ? ProgressStyle::none : default_progress_style(),
                    text(*job, "diarization") == "true");
  progress.begin(text(*job, "title"));
  const auto shown = server.follow(
      "transcriptions/" + escaped(id) + "/events", [&](std::string_view name, const bj::object& data) {
        if (name != "transcription.progress") return true;
        const auto stage = pipeline::parse_stage(text(data, "stage"));
        const auto fraction = json::get_number(data, "progress");
        if (stage && fraction)
          progress.progress(*stage, *fraction, pipeline::within_stage(*stage, *fraction));
        return true;
      });
  progress.end();
  if (!shown) return complain(id, shown.error());
  const Result<bj::object> ended = server.object("GET", "transcriptions/" + escaped(id));
  if (!ended) return complain(id, ended.error());
  const std::string status = text(*ended, "status");
  std::string line = fmt::format("{} {}", id, status);
  if (const bj::value* error = ended->if_contains("error"); error != nullptr && error->is_object()) {
    line += ": " + text(error->get_object(), "message");
  }
  fmt::print(stderr, "hansard: {}\n", line);
  return status == "completed" ? ExitCode::ok : ExitCode::failed;
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
  if (arguments.no_cache) options["no_cache"] = true;
  return options;
}

void print_line(const bj::object& job) {
  const bj::value* progress = job.if_contains("progress");
  const double done = progress == nullptr ? 0 : json::get_number(job, "progress").value_or(0);
  fmt::print("{}  {:<10}  {:>3.0f}%  {}  {}\n", text(job, "id"), text(job, "status"), done * 100,
             text(job, "created_at"), text(job, "title"));
}

ExitCode list(Client& server, const JobsArguments& arguments) {
  std::string path = fmt::format("transcriptions?limit={}", arguments.limit);
  if (!arguments.status.empty()) path += "&status=" + escaped(arguments.status);
  const Result<bj::object> page = server.object("GET", path);
  if (!page) return complain("", page.error());
  const Result<const bj::array*> items = json::get_array(*page, "items");
  if (!items) return complain("", items.error());
  for (const bj::value& item : **items) {
    if (item.is_object()) print_line(item.get_object());
  }
  return ExitCode::ok;
}

ExitCode one(Client& server, const JobsArguments& arguments, const std::string& id) {
  const std::string path = "transcriptions/" + escaped(id);
  if (arguments.action == "watch") return watch(server, id, arguments.quiet);
  if (arguments.action == "rm") {
    const auto removed = server.request("DELETE", path);
    return removed ? ExitCode::ok : complain(id, removed.error());
  }
  const auto job = arguments.action == "show"     ? server.object("GET", path)
                   : arguments.action == "cancel" ? server.object("POST", path + ":cancel")
                                                  : server.object("POST", path + ":retry");
  if (!job) return complain(id, job.error());
  if (arguments.action == "show") {
    for (const auto& field : *job)
      fmt::print("{:<24} {}\n", std::string_view(field.key()), text(*job, field.key()));
  } else {
    fmt::print("{}\n", text(*job, "id"));
  }
  return ExitCode::ok;
}

}  // namespace

ExitCode run_submit(const SubmitArguments& arguments, const Config& config, const std::stop_token& stop) {
  Client server = client(config, stop);
  ExitCode first_failure = ExitCode::ok;
  const auto note = [&](ExitCode code) {
    if (first_failure == ExitCode::ok) first_failure = code;
  };
  std::vector<std::string> ids;
  for (const std::string& input : arguments.inputs) {
    std::map<std::string, std::string> fields{{"options", json::to_text(options_of(arguments))}};
    if (arguments.title && arguments.inputs.size() == 1) fields["title"] = *arguments.title;
    const auto job = server.upload("transcriptions:submit", input, fields, nullptr);
    if (!job) {
      note(complain(input, job.error()));
      if (job.error().code == ErrorCode::network || job.error().code == ErrorCode::canceled)
        return first_failure;
      continue;
    }
    ids.push_back(text(*job, "id"));
    fmt::print("{}\n", ids.back());
    std::fflush(stdout);
  }
  if (!arguments.wait) return first_failure;
  for (const std::string& id : ids) note(watch(server, id, arguments.quiet));
  return first_failure;
}

ExitCode run_jobs(const JobsArguments& arguments, const Config& config, const std::stop_token& stop) {
  Client server = client(config, stop);
  if (arguments.action == "list") return list(server, arguments);
  ExitCode first_failure = ExitCode::ok;
  for (const std::string& id : arguments.ids) {
    const ExitCode code = one(server, arguments, id);
    if (first_failure == ExitCode::ok) first_failure = code;
  }
  return first_failure;
}

ExitCode run_get(const GetArguments& arguments, const Config& config, const std::stop_token& stop) {
  Client server = client(config, stop);
  // The command line says txt, the server text.
  const std::string format = arguments.format == "txt" ? "text" : arguments.format;
  const auto transcript = server.request(
      "GET", fmt::format("transcriptions/{}/transcript?format={}", escaped(arguments.id), escaped(format)));
  if (!transcript) return complain(arguments.id, transcript.error());
  const Result<void> written = arguments.output
                                   ? write_file_atomically(*arguments.output, *transcript, Sync::no, 0666)
                                   : write_all(STDOUT_FILENO, *transcript);
  if (!written && errno == EPIPE) return ExitCode::ok;
  return written ? ExitCode::ok : complain(arguments.output.value_or(""), written.error());
}

}  // namespace hansard::cli
