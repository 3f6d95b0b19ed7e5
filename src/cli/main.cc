// hansard: the command line. Parses flags, puts the parts together, and turns results into exit codes.

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>

#include <fmt/format.h>

#include "base/config.h"
#include "base/log.h"
#include "cli/backup_command.h"
#include "cli/cache_command.h"
#include "cli/client_commands.h"
#include "cli/completions.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/models_command.h"
#include "cli/serve_command.h"
#include "cli/surroundings.h"
#include "cli/transcribe_command.h"
#include "cli/users_command.h"
#include "cli/watch_command.h"
#include "transcript/exports.h"

namespace hansard::cli {
namespace {

constexpr const char* kFooter = R"(
Examples:
  hansard transcribe interview.mp3                     who said what, as Markdown, on standard output
  hansard transcribe interview.mp3 -o interview.srt    the format follows the extension
  hansard transcribe recordings/ -o transcripts/ --format json
  hansard transcribe meeting.mkv --num-speakers 3
  ffmpeg … -f wav - | hansard transcribe -

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 input cannot be read, 4 model missing or damaged,
5 output cannot be written, 6 engine failed, 7 transcript written without speakers, 130 interrupted.

-v says more, -q nothing but errors.)";

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

ExitCode complain(const Error& error) {
  fmt::print(stderr, "hansard: {}\n", error.message);
  if (!error.detail.empty()) log::info("{}", error.detail);
  return exit_code(error.code);
}

ExitCode printed(const Result<std::string>& text) {
  if (!text) return complain(text.error());
  print(*text);
  return ExitCode::ok;
}

// One line, as for every other error: what is off, and where to read what would be right.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  const std::vector<std::string> unknown = app->remaining(true);
  std::string command = app->get_name();
  for (auto chosen = app->get_subcommands(); !chosen.empty(); chosen = app->get_subcommands()) {
    app = chosen.front();
    command += " " + app->get_name();
  }
  return fmt::format("hansard: {}; see {} --help\n",
                     unknown.empty() ? error.what() : unknown.front() + " is not understood", command);
}

// What the command line says, before it is checked together.
struct CommandLine {
  TranscribeArguments transcribe;
  RawTranscribeFlags raw;
  bool no_vad = false;
  bool no_cache = false;
  bool verbose = false;
  bool quiet = false;
  std::string model = std::string(models::kDefaultTranscriptionModel);
  std::vector<std::string> model_names;
  std::string import_from;
  std::string import_id;
  std::string shell;
  SubmitArguments submit;
  JobsArguments jobs;
  GetArguments get;
  BackupArguments backup;
  UsersArguments users;
  WatchArguments watch;
  std::string settle;
  std::map<std::string, std::string> settings;  // flags that are settings of their own
};

// Help and completions show what an option's kind of value is: choices between bars, FILE, FOLDER.
constexpr const char* kDevices = "auto|cpu|cuda";
constexpr const char* kComputeTypes = "auto|int8|float16|float32";
constexpr const char* kTasks = "transcribe|translate";
constexpr const char* kPresets = "fast|balanced|accurate";
constexpr const char* kStatuses = "queued|processing|completed|failed|canceled";
constexpr const char* kShells = "bash|zsh|fish";

std::string format_choices() {
  std::string names(transcript::kFormatNames);
  std::erase(names, ' ');
  std::replace(names.begin(), names.end(), ',', '|');
  return names;
}

// What bears on a transcript.
void add_transcript_options(CLI::App* command, CommandLine& line) {
  pipeline::Options& options = line.transcribe.pipeline;
  command->add_option("--format", line.transcribe.format, "Format of the transcript [md]")
      ->type_name(format_choices());

  const char* words = "Words";
  command->add_option("--model", options.transcription_model, "Model; see hansard models list")
      ->type_name("MODEL")
      ->capture_default_str()
      ->group(words);
  command->add_option("--language", line.raw.language, "Language as a code (en) or a name (english), or auto")
      ->default_val("auto")
      ->group(words);
  command->add_option("--task", line.raw.task, "Transcribe, or translate into English")
      ->type_name(kTasks)
      ->default_val("transcribe")
      ->group(words);
  command->add_option("--preset", line.raw.preset, "How much care is taken over words")
      ->type_name(kPresets)
      ->default_val("balanced")
      ->group(words);
  command
      ->add_option("--initial-prompt", options.transcribe.initial_prompt,
                   "Text that sets style and spelling, as if it had been said before")
      ->group(words);
  command->add_option("--hotword", options.transcribe.hotwords, "A word to listen for; may be repeated")
      ->allow_extra_args(false)
      ->group(words);
  command
      ->add_option("--beam-size", options.transcribe.beam_size,
                   "Hypotheses followed at once; 0: as the preset has it")
      ->check(CLI::Range(0, 20))
      ->capture_default_str()
      ->group(words);
  command->add_flag("--no-vad", line.no_vad, "Decode everything, also where nobody speaks")->group(words);

  const char* speakers = "Speakers";
  command->add_flag("--diarize,!--no-diarize", options.diarize, "Tell speakers apart [on]")->group(speakers);
  command->add_option("--num-speakers", line.raw.num_speakers, "Exactly so many speakers")->group(speakers);
  command->add_option("--min-speakers", line.raw.min_speakers, "At least so many")->group(speakers);
  command->add_option("--max-speakers", line.raw.max_speakers, "At most so many")->group(speakers);
  command
      ->add_flag("--multichannel", options.multichannel,
                 "Each channel of the recording is a speaker, as on two-way telephone recordings")
      ->group(speakers);

  const char* range = "Part of the recording (90s, 30m, 1:02:03)";
  command->add_option("--start-time", line.raw.start_time, "Begin here")->group(range);
  command->add_option("--end-time", line.raw.end_time, "End here")->group(range);
  command->add_option("--max-duration", line.raw.max_duration, "End so long after the beginning")
      ->group(range);

  const char* machine = "Machine";
  command->add_option("--device", line.raw.device, "Where models run")
      ->type_name(kDevices)
      ->default_val("auto")
      ->group(machine);
  command->add_option("--compute-type", line.raw.compute_type, "Numbers they compute with")
      ->type_name(kComputeTypes)
      ->default_val("auto")
      ->group(machine);
  command
      ->add_option("--threads", line.transcribe.engine.threads, "Threads for computing; 0: one for each core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str()
      ->group(machine);
  command
      ->add_option("--batch-size", options.batch_size,
                   "Windows of 30 s decoded at once; fewer take less memory and more time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str()
      ->group(machine);
  command
      ->add_option(
          "--memory-limit", line.raw.memory_limit_mb,
          "Memory of the engine in MB: as many windows at once as fit; 0: as SPEECH_ENGINE_MEMORY_LIMIT says")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str()
      ->group(machine);
  command->add_flag("--no-cache", line.no_cache, "Neither use nor keep intermediate results")->group(machine);

  command->add_flag("--json-progress", line.transcribe.json_progress,
                    "Progress and words as JSON lines on standard error");
}

void add_transcribe(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("transcribe", "Write down who said what in recordings");
  command->footer(kFooter);
  command
      ->add_option("INPUT", line.transcribe.inputs,
                   "Files, folders, http and https addresses, or - for standard input")
      ->required();
  command
      ->add_option("-o,--output", line.transcribe.output,
                   "File or folder to write to; the format follows the extension [standard output]")
      ->type_name("FILE");
  add_transcript_options(command, line);
}

void add_watch(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("watch", "Transcribe the recordings that come into a folder");
  command->add_option("FOLDER", line.watch.folder, "Folder to watch, with those below it")->required();
  command->add_option("--out", line.watch.out, "Folder for the transcripts [beside the recordings]")
      ->type_name("FOLDER");
  command
      ->add_option("--settle", line.settle, "A recording is whole when it has not changed for so long (5s)")
      ->default_val("5s");
  command->add_flag("--once", line.watch.once, "End when all that is there is done");
  add_transcript_options(command, line);
}

void add_models(CLI::App& app, CommandLine& line) {
  CLI::App* models =
      app.add_subcommand("models", "Models on this machine: list, install, import, remove, verify");
  models->require_subcommand(1);
  models->add_subcommand("list", "Models that can be used and those that are installed");
  models->add_subcommand("install", "Download models, or repair damaged ones")
      ->add_option("MODEL", line.model_names)
      ->required();
  CLI::App* import = models->add_subcommand("import", "Take a model from a folder or an archive");
  import->add_option("FROM", line.import_from, "Folder, .tar, .tar.gz or .tar.zst")->required();
  import->add_option("--as", line.import_id, "Name of the model [the folder's name]");
  models->add_subcommand("remove", "Delete models")->add_option("MODEL", line.model_names)->required();
  models->add_subcommand("verify", "Check every byte of installed models")
      ->add_option("MODEL", line.model_names, "[all]");
}

void add_data_folder(CLI::App* command, CommandLine& line) {
  command->add_option("--data-dir", line.settings["HANSARD_DATA_DIR"], "Folder of everything that is kept")
      ->type_name("FOLDER");
}

void add_backup(CLI::App& app, CommandLine& line) {
  CLI::App* backup = app.add_subcommand(
      "backup", "Save database, recordings and transcripts as one file, also while the server runs");
  CLI::App* restore = app.add_subcommand("restore", "Bring back what a backup holds");
  for (CLI::App* command : {backup, restore}) {
    command->add_option("FILE", line.backup.file, "The backup, a tar")->required();
    add_data_folder(command, line);
  }
  restore->add_flag("--force", line.backup.force, "Move aside what is in the data folder");
}

void add_users(CLI::App& app, CommandLine& line) {
  CLI::App* users = app.add_subcommand(
      "users",
      "Accounts of the server of this machine, running or not: list, add, reset-password, disable, enable");
  users->require_subcommand(1);
  add_data_folder(users->add_subcommand("list", "Who has an account"), line);
  for (const auto& [name, help] :
       {std::pair("add", "Make an account; the password is asked for, or the first line of standard input"),
        std::pair("reset-password", "Give a new password, and end all sessions"),
        std::pair("disable", "Let someone in no more"), std::pair("enable", "Let someone in again")}) {
    CLI::App* command = users->add_subcommand(name, help);
    command->add_option("NAME", line.users.username, "User name")->required();
    add_data_folder(command, line);
    if (std::string_view(name) == "add")
      command->add_option("--role", line.users.role, "admin or user; the first account is an admin")
          ->check(CLI::IsMember({"admin", "user"}))
          ->capture_default_str();
  }
}

void add_serve(CLI::App& app, CommandLine& line) {
  CLI::App* serve =
      app.add_subcommand("serve", "Take recordings over HTTP and transcribe them, one after the other");
  const auto setting = [&](const char* flag, const char* key, const char* help) {
    serve->add_option(flag, line.settings[key], help);
  };
  setting("--host", "HANSARD_HOST", "Address to listen on [127.0.0.1]");
  setting("--port", "HANSARD_PORT", "Port; 0: any free one, which is printed [8080]");
  setting("--workers", "TRANSCRIPTION_WORKERS", "Jobs at once [1]");
  add_data_folder(serve, line);
}

void add_client(CLI::App& app, CommandLine& line) {
  CLI::App* submit = app.add_subcommand("submit", "Hand recordings to a running server");
  submit->add_option("FILE", line.submit.inputs, "Recordings, or folders of them")->required();
  submit->add_flag("--wait", line.submit.wait, "Show progress until all are done");
  submit->add_option("--title", line.submit.title, "Title, of one recording [its name]");
  submit->add_option("--model", line.submit.model, "Model")->type_name("MODEL");
  submit->add_option("--language", line.submit.language, "Language as a code, or auto");
  submit->add_option("--task", line.submit.task, "Transcribe, or translate into English")->type_name(kTasks);
  submit->add_flag("--diarize,!--no-diarize", line.submit.diarize, "Tell speakers apart [on]");
  submit->add_option("--num-speakers", line.submit.num_speakers, "Exactly so many speakers");
  submit->add_option("--min-speakers", line.submit.min_speakers, "At least so many");
  submit->add_option("--max-speakers", line.submit.max_speakers, "At most so many");
  submit->add_flag("--multichannel", line.submit.multichannel, "Each channel of the recording is a speaker");
  submit->add_option("--priority", line.submit.priority, "0 to 9, lower first [5]");
  submit->add_flag("--no-cache", line.submit.no_cache, "Neither use nor keep intermediate results");

  CLI::App* jobs =
      app.add_subcommand("jobs", "Transcriptions of a running server: list, show, cancel, retry, rm, watch");
  jobs->require_subcommand(1);
  CLI::App* list = jobs->add_subcommand("list", "The newest first");
  list->add_option("--status", line.jobs.status, "Those in this state alone")->type_name(kStatuses);
  list->add_option("--limit", line.jobs.limit, "How many")->check(CLI::Range(1, 200))->capture_default_str();
  for (const auto& [name, help] :
       {std::pair("show", "Everything about them"), std::pair("cancel", "End them now"),
        std::pair("retry", "Do them again; prints the new ids"), std::pair("rm", "Delete them"),
        std::pair("watch", "Show progress to their end")}) {
    jobs->add_subcommand(name, help)->add_option("ID", line.jobs.ids)->required();
  }

  CLI::App* get = app.add_subcommand("get", "A transcript of a running server");
  get->add_option("ID", line.get.id)->required();
  get->add_option("--format", line.get.format, "Format of the transcript [md]")->type_name(format_choices());
  get->add_option("-o,--output", line.get.output,
                  "File or folder to write to; the format follows the extension [standard output]")
      ->type_name("FILE");
}

void add_others(CLI::App& app, CommandLine& line) {
  CLI::App* cache = app.add_subcommand("cache", "Intermediate results that are kept: info, clear");
  cache->require_subcommand(1);
  cache->add_subcommand("info", "How much is kept, by stage");
  cache->add_subcommand("clear", "Remove all of it that is not in use");
  CLI::App* config = app.add_subcommand("config", "Settings");
  config->require_subcommand(1);
  config->add_subcommand("show", "Every setting, its value and where that comes from");
  app.add_subcommand("doctor", "Say what is missing on this machine and how to get it");
  app.add_subcommand("completions", "Print completions for a shell")
      ->add_option("SHELL", line.shell, "The shell")
      ->type_name(kShells)
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

// The options of a transcript, checked together.
Result<void> finish_options(CommandLine& line, const Config& config) {
  line.transcribe.pipeline.speech.voice_activity = !line.no_vad;
  line.transcribe.pipeline.auto_download = config.boolean("SPEECH_ENGINE_AUTO_DOWNLOAD");
  line.transcribe.use_cache = !line.no_cache;
  line.transcribe.quiet = line.quiet;
  return apply(line.raw, line.transcribe);
}

ExitCode transcribe(CommandLine& line, const Config& config, std::stop_token stop) {
  if (auto finished = finish_options(line, config); !finished) return complain(finished.error());
  return run_transcribe(line.transcribe, config, std::move(stop));
}

ExitCode watch(CommandLine& line, const Config& config, const std::stop_token& stop) {
  if (auto finished = finish_options(line, config); !finished) return complain(finished.error());
  const Result<double> settle_s = parse_duration(line.settle);
  if (!settle_s) return complain({ErrorCode::invalid_request, "--settle: " + settle_s.error().message, {}});
  line.watch.settle = std::chrono::milliseconds(static_cast<int64_t>(*settle_s * 1000));
  line.watch.transcribe = line.transcribe;
  return run_watch(line.watch, config, stop);
}

ExitCode run_models(const CLI::App& models, const CommandLine& line, const Config& config,
                    std::stop_token stop) {
  models::Library library = open_library(config);
  const std::string name = models.get_subcommands().front()->get_name();
  if (name == "list") return printed(list_models(library));
  if (name == "install") return printed(install_models(library, line.model_names, stop));
  if (name == "import") return printed(import_model(library, line.import_from, line.import_id, stop));
  if (name == "remove") return printed(remove_models(library, line.model_names));
  return printed(verify_models(library, line.model_names, stop));
}

ExitCode run_doctor(const Config& config) {
  const Diagnosis diagnosis = diagnose(config);
  print(diagnosis.text);
  return diagnosis.healthy ? ExitCode::ok : ExitCode::failed;
}

ExitCode dispatch(CLI::App& app, CommandLine& line, Interrupt& interrupt) {
  const CLI::App* command = app.get_subcommands().front();
  const std::string name = command->get_name();
  if (name == "completions") {
    print(completions(app, line.shell));
    return ExitCode::ok;
  }
  Result<Config> config = Config::load([](std::string_view key) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(key).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
  if (!config) return complain(config.error());
  for (const auto& [key, value] : line.settings) {
    if (value.empty()) continue;
    if (auto set = config->set(key, value); !set) return complain(set.error());
  }
  if (name == "serve") {
    const Result<void> served = serve(*config, interrupt);
    if (!served) complain(served.error());
    return served ? ExitCode::ok : ExitCode::failed;
  }
  if (name == "backup" || name == "restore") {
    line.backup.quiet = line.quiet;
    const auto run = name == "backup" ? run_backup : run_restore;
    return run(line.backup, *config, interrupt.token());
  }
  if (name == "users") {
    line.users.action = command->get_subcommands().front()->get_name();
    return run_users(line.users, *config);
  }
  if (name == "submit") {
    line.submit.quiet = line.quiet;
    return run_submit(line.submit, *config, interrupt.token());
  }
  if (name == "jobs") {
    line.jobs.quiet = line.quiet;
    line.jobs.action = command->get_subcommands().front()->get_name();
    return run_jobs(line.jobs, *config, interrupt.token());
  }
  if (name == "get") return run_get(line.get, *config, interrupt.token());
  if (name == "transcribe") return transcribe(line, *config, interrupt.token());
  if (name == "watch") return watch(line, *config, interrupt.token());
  if (name == "models") return run_models(*command, line, *config, interrupt.token());
  if (name == "doctor") return run_doctor(*config);
  if (name == "config") {
    print(config_show(*config));
    return ExitCode::ok;
  }
  print(command->get_subcommands().front()->get_name() == "info" ? cache_info(*config)
                                                                 : cache_clear(*config));
  return ExitCode::ok;
}

// A file opened later must not become a standard stream that whoever started this program closed: the
// transcript would be written into it. What takes its place fails, as a closed one does.
void keep_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    (void)::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_streams();
  CLI::App app(
      "Hansard writes down who said what: recordings in, transcripts with speakers out, on this machine.",
      "hansard");
  CommandLine line;
  app.set_version_flag("--version", "hansard " HANSARD_VERSION);
  app.failure_message(usage_error);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("-v,--verbose", line.verbose, "Say more");
  app.add_flag("-q,--quiet", line.quiet, "Say nothing but errors");
  add_transcribe(app, line);
  add_watch(app, line);
  add_models(app, line);
  add_serve(app, line);
  add_users(app, line);
  add_client(app, line);
  add_backup(app, line);
  add_others(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(ExitCode::usage);
  }
  if (line.verbose) log::set_level(log::Level::info);
  Interrupt interrupt;
  return static_cast<int>(dispatch(app, line, interrupt));
}

}  // namespace hansard::cli

int main(int argc, char** argv) {
  try {
    return hansard::cli::main(argc, argv);
  } catch (const std::exception& error) {
    std::fputs("hansard: stopped by a defect of its own: ", stderr);
    std::fputs(error.what(), stderr);
    std::fputs("\n", stderr);
    return 1;
  }
}
