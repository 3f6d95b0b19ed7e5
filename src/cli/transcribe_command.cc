#include "cli/transcribe_command.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/languages.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/stop_event.h"
#include "cli/cache_command.h"
#include "cli/data_folder.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/surroundings.h"
#include "engine/serialize.h"
#include "fetch/fetch.h"
#include "media/media.h"
#include "transcript/exports.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;

// A transfer may stand still for a minute; one that comes in drops ends some time.
constexpr std::chrono::hours kFetchTime{24};

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  ::localtime_r(&now, &local);
  return fmt::format("{:04}-{:02}-{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
}

// ---- flags

Result<void> apply_times(const RawTranscribeFlags& flags, media::Range& range) {
  const auto read = [](std::string_view flag, const std::string& text) -> Result<std::optional<double>> {
    if (text.empty()) return std::optional<double>();
    Result<double> seconds = parse_duration(text);
    if (!seconds)
      return fail(ErrorCode::invalid_request, fmt::format("{}: {}", flag, seconds.error().message));
    return std::optional<double>(*seconds);
  };
  const std::optional<double> start = TRY(read("--start-time", flags.start_time));
  const std::optional<double> end = TRY(read("--end-time", flags.end_time));
  const std::optional<double> most = TRY(read("--max-duration", flags.max_duration));
  range.start_s = start.value_or(0);
  range.end_s = end;
  if (end && *end <= range.start_s) {
    return fail(ErrorCode::invalid_request,
                fmt::format("--end-time {} does not come after --start-time {}", flags.end_time,
                            flags.start_time.empty() ? "0s" : flags.start_time));
  }
  if (most && *most <= 0) return fail(ErrorCode::invalid_request, "--max-duration must be more than 0");
  if (most) range.end_s = std::min(range.end_s.value_or(range.start_s + *most), range.start_s + *most);
  return {};
}

Result<void> apply_speakers(const RawTranscribeFlags& flags, TranscribeArguments& arguments) {
  const bool counted = flags.num_speakers || flags.min_speakers || flags.max_speakers;
  if (counted && !arguments.pipeline.diarize) {
    return fail(ErrorCode::invalid_request, "a number of speakers makes no sense with --no-diarize");
  }
  if (counted && arguments.pipeline.multichannel) {
    return fail(ErrorCode::invalid_request,
                "--multichannel makes each channel a speaker; a number of speakers makes no sense with it");
  }
  if (flags.num_speakers && (flags.min_speakers || flags.max_speakers)) {
    return fail(ErrorCode::invalid_request,
                "use --num-speakers, or --min-speakers and --max-speakers, not both");
  }
  for (const auto& [flag, value] :
       {std::pair("--num-speakers", flags.num_speakers), std::pair("--min-speakers", flags.min_speakers),
        std::pair("--max-speakers", flags.max_speakers)}) {
    if (value && (*value < 1 || *value > limits::kSpeakers)) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("{} must be between 1 and {}", flag, limits::kSpeakers));
    }
  }
  if (flags.min_speakers && flags.max_speakers && *flags.min_speakers > *flags.max_speakers) {
    return fail(ErrorCode::invalid_request, fmt::format("--min-speakers {} is more than --max-speakers {}",
                                                        *flags.min_speakers, *flags.max_speakers));
  }
  arguments.pipeline.speakers = {flags.num_speakers, flags.min_speakers, flags.max_speakers};
  return {};
}

// ---- inputs

// What comes as a stream becomes a file: media files are read back and forth.
class Spool {
 public:
  static Result<Spool> open(const fs::path& folder) {
    TRY(make_private_folder(folder));
    Spool spool;
    spool.recording_.fd = TRY(open_unnamed_file(folder));
    return spool;
  }
  Result<void> append(std::string_view bytes) {
    hash_.update(bytes);
    size_bytes_ += bytes.size();
    Result<void> kept = write_all(recording_.fd.get(), bytes);
    if (kept) return {};
    Error error = std::move(kept).error();
    error.message +=
        ": what is no file is kept in the data folder first; make room, or set HANSARD_DATA_DIR to a folder "
        "on another disk";
    return fail(std::move(error));
  }
  // `what` as in "standard input".
  Result<pipeline::Recording> finish(std::string_view what, std::string title) {
    if (size_bytes_ == 0) return fail(ErrorCode::media_unreadable, fmt::format("{} is empty", what));
    recording_.title = std::move(title);
    recording_.sha256 = hash_.finish();
    return std::move(recording_);
  }

 private:
  pipeline::Recording recording_;
  Sha256 hash_;
  uint64_t size_bytes_ = 0;
};

Result<pipeline::Recording> read_standard_input(const fs::path& folder, const std::stop_token& stop) {
  Spool spool = TRY(Spool::open(folder));
  std::vector<char> buffer(256 * 1024);
  const StopEvent stop_event(stop);
  for (;;) {
    // Whoever writes may pause for long.
    std::array<pollfd, 2> events = {{{STDIN_FILENO, POLLIN, 0}, {stop_event.fd(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), -1);
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "interrupted");
    const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(system_error("cannot read standard input", errno));
    if (n == 0) return spool.finish("standard input", "stdin");
    TRY(spool.append({buffer.data(), static_cast<size_t>(n)}));
  }
}

// Whoever runs this names the address, on a machine of their own: it may be any.
Result<pipeline::Recording> fetch_recording(const fs::path& folder, const std::string& url,
                                            Progress& progress, const std::stop_token& stop) {
  Spool spool = TRY(Spool::open(folder));
  auto got = fetch::get(
      {.url = url, .most_bytes = std::numeric_limits<uint64_t>::max(), .time = kFetchTime},
      [&](std::string_view bytes) { return spool.append(bytes); },
      [&](uint64_t bytes, std::optional<uint64_t> of_bytes) {
        const double all = static_cast<double>(of_bytes.value_or(0));
        progress.before("downloading", all > 0 ? static_cast<double>(bytes) / all : 0);
      },
      stop);
  if (got) return spool.finish("what is at this address", fs::path(input_name(url)).stem().string());
  Error error = std::move(got).error();
  // It is the recording that is not to be had, no model.
  if (error.code == ErrorCode::network || error.code == ErrorCode::rate_limited) {
    error.code = ErrorCode::unavailable;
  }
  return fail(std::move(error));
}

// ---- one run

class TranscribeRun {
 public:
  TranscribeRun(const TranscribeArguments& arguments, const Config& config, std::stop_token stop)
      : arguments_(arguments),
        config_(config),
        stop_(std::move(stop)),
        library_(open_library(config)),
        artifacts_(open_artifacts(config)),
        progress_(style(), arguments.pipeline.diarize) {}

  ExitCode go() {
    Result<void> ready = get_ready();
    if (!ready) return give_up({}, ready.error());
    ExitCode first_failure = ExitCode::ok;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const ExitCode code = one(inputs_[i], targets_[i]);
      if (code == ExitCode::interrupted) return code;
      if (first_failure == ExitCode::ok) first_failure = code;
    }
    return first_failure;
  }

 private:
  ProgressStyle style() const {
    if (arguments_.json_progress) return ProgressStyle::json;
    if (arguments_.quiet) return ProgressStyle::none;
    return default_progress_style();
  }

  // All that can be known to fail before any work.
  Result<void> get_ready() {
    inputs_ = TRY(expand_inputs(arguments_.inputs));
    targets_ = TRY(plan_outputs(inputs_, arguments_.output, arguments_.format));
    TRY(make_data_folder(config_.data_folder()));
    provider_ = TRY(open_provider(config_, arguments_.engine));
    const engine::Capabilities capabilities = TRY(provider_->capabilities());
    log::info("engine: {} on {}, {}", capabilities.build, capabilities.device, capabilities.compute_type);
    if (!capabilities.device_note.empty()) log::info("{}", capabilities.device_note);
    return {};
  }

  ExitCode one(const std::string& input, const OutputTarget& target) {
    const std::string name = input_name(input);
    progress_.begin(name);
    Result<pipeline::Outcome> outcome = transcribe(input);
    progress_.end();
    if (!outcome) return give_up(input, outcome.error());
    outcome->document.date = today();
    Result<void> written = write(*outcome, target);
    if (!written) return give_up(input, written.error());
    summarize(name, *outcome, target);
    return outcome->diarization_error ? ExitCode::without_speakers : ExitCode::ok;
  }

  Result<pipeline::Outcome> transcribe(const std::string& input) {
    const fs::path spool_folder = config_.data_folder() / "spool";
    pipeline::Recording recording = TRY(open(input, spool_folder));
    const pipeline::Resources resources{*provider_, library_, arguments_.use_cache ? &artifacts_ : nullptr,
                                        spool_folder};
    return pipeline::transcribe(recording, arguments_.pipeline, resources, progress_, stop_);
  }

  Result<pipeline::Recording> open(const std::string& input, const fs::path& spool_folder) {
    if (input == "-") return read_standard_input(spool_folder, stop_);
    if (is_url(input)) return fetch_recording(spool_folder, input, progress_, stop_);
    return pipeline::open_recording(input, stop_);
  }

  Result<void> write(const pipeline::Outcome& outcome, const OutputTarget& target) {
    std::string text = transcript::export_document(outcome.document, target.format);
    // Texts for people are kept apart where one follows the other.
    const bool for_people =
        target.format == transcript::Format::md || target.format == transcript::Format::txt;
    if (target.path.empty() && std::exchange(wrote_to_stdout_, true) && for_people) text.insert(0, "\n");
    return write_output(target, text);
  }

  void summarize(std::string_view name, const pipeline::Outcome& outcome, const OutputTarget& target) {
    for (const transcript::Warning& warning : outcome.document.warnings) {
      progress_.say("warning", name, warning.message);
    }
    if (outcome.diarization_error && !outcome.diarization_error->detail.empty()) {
      log::info("{}: {}", name, outcome.diarization_error->detail);
    }
    std::optional<size_t> speakers;
    if (outcome.document.diarized) speakers = outcome.document.speakers.size();
    progress_.done(target.path.string(), speakers);
  }

  ExitCode give_up(std::string_view input, const Error& error) {
    if (stop_.stop_requested() || error.code == ErrorCode::canceled) {
      progress_.say("error", {},
                    arguments_.use_cache
                        ? "interrupted; what was computed is kept, the same command goes on from there"
                        : "interrupted");
      return ExitCode::interrupted;
    }
    progress_.say("error", input, error.message);
    if (!error.detail.empty()) log::info("{}", error.detail);
    return exit_code(error.code);
  }

  const TranscribeArguments& arguments_;
  const Config& config_;
  std::stop_token stop_;
  models::Library library_;
  pipeline::Artifacts artifacts_;
  Progress progress_;
  std::vector<std::string> inputs_;  // files, addresses, and "-"
  std::vector<OutputTarget> targets_;
  std::unique_ptr<engine::Provider> provider_;
  bool wrote_to_stdout_ = false;
};

}  // namespace

Result<void> apply(const RawTranscribeFlags& flags, TranscribeArguments& arguments) {
  TRY(apply_times(flags, arguments.pipeline.range));
  TRY(apply_speakers(flags, arguments));
  arguments.engine.device = TRY(engine::parse_device(flags.device));
  arguments.engine.compute_type = TRY(engine::parse_compute_type(flags.compute_type));
  arguments.engine.memory_limit_bytes = flags.memory_limit_mb * 1'000'000;
  arguments.pipeline.transcribe.task = TRY(engine::parse_task(flags.task));
  arguments.pipeline.transcribe.preset = TRY(engine::parse_preset(flags.preset));
  arguments.pipeline.language = TRY(parse_language(flags.language));
  return {};
}

ExitCode run_transcribe(const TranscribeArguments& arguments, const Config& config, std::stop_token stop) {
  return TranscribeRun(arguments, config, std::move(stop)).go();
}

}  // namespace hansard::cli
