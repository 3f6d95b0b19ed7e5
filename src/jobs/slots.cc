#include "jobs/slots.h"

#include <algorithm>
#include <atomic>

#include <fmt/format.h>

#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "jobs/options.h"
#include "jobs/passages.h"

namespace hansard::jobs {
namespace {

namespace bj = json::bj;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using store::Reader;
using store::Statement;
using store::Transaction;

// How often a row learns of progress; followers hear of it at once.
constexpr auto kProgressRow = 2s;
// A bar that moves more often than this looks no smoother.
constexpr auto kProgressEvent = 200ms;

std::string diarization_cause(ErrorCode code) {
  switch (code) {
    case ErrorCode::engine_crashed:
      return "crashed";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
    case ErrorCode::model_unavailable:
    case ErrorCode::model_unknown:
    case ErrorCode::model_corrupt:
      return "model_unavailable";
    case ErrorCode::engine_timeout:
      return "timeout";
    default:
      return "failed";
  }
}

}  // namespace

// One job in a slot.
struct Slots::Run {
  Fence fence;
  std::stop_source stop;
  std::optional<std::string> goes_first;  // the short job for which it was stopped; of the slot's thread
};

// Passes on what the pipeline says, and keeps the time of each stage.
class SlotObserver : public pipeline::Observer {
 public:
  SlotObserver(const Job& job, const Fence& fence, Workshop& workshop, std::function<void()> between_groups)
      : job_(job), fence_(fence), workshop_(workshop), between_groups_(std::move(between_groups)) {}

  void progress(pipeline::Stage stage, double fraction, double /*within*/) override {
    const auto now = Clock::now();
    const std::string_view name = pipeline::stage_name(stage);
    seconds_[std::string(name_)] += std::chrono::duration<double>(now - since_).count();
    since_ = now;
    const bool new_stage = name != name_;
    name_ = name;
    if (stage == pipeline::Stage::completed) return;  // the row says so, with the transcript
    if (new_stage || now - told_ >= kProgressEvent) {
      told_ = now;
      workshop_.hub.progress(job_, std::string(name), fraction, eta(now, fraction));
    }
    if (now - written_ < kProgressRow && !(new_stage && written_ == Clock::time_point())) return;
    written_ = now;
    workshop_.store.write_later(
        [fence = fence_, name, fraction](Transaction& transaction) -> Result<void> {
          TRY(report_progress(transaction, fence, name, fraction));
          return {};
        },
        [](const Result<void>& written) {
          if (!written) log::warning("jobs: progress was not written: {}", written.error().message);
        });
  }
  void words(const std::vector<transcript::Word>& words) override {
    workshop_.hub.words(job_, words);
    between_groups_();
  }

  // By stage, so far.
  std::map<std::string, double> stage_seconds() const {
    std::map<std::string, double> result = seconds_;
    result.erase("");
    return result;
  }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

 private:
  // As the run went on so far; the first twentieth says nothing.
  std::optional<double> eta(Clock::time_point now, double fraction) const {
    constexpr double kLeast = 0.05;
    if (fraction <= kLeast) return std::nullopt;
    return std::chrono::duration<double>(now - started_).count() * (1 - fraction) / fraction;
  }

  const Job& job_;
  const Fence& fence_;
  Workshop& workshop_;
  const std::function<void()> between_groups_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point since_ = started_;
  Clock::time_point told_;
  Clock::time_point written_;
  std::string_view name_;
  std::map<std::string, double> seconds_;
};

class Slots::Slot {
 public:
  Slot(Slots& slots, int number)
      : slots_(slots), workshop_(slots.workshop_), name_(fmt::format("{}/{}", slots.instance_, number)) {}

  void run() {
    uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock lock(slots_.mutex_);
        if (slots_.draining_ && !next_) return;
        seen = slots_.wakes_;
      }
      const std::optional<Job> job = next_ ? std::exchange(next_, std::nullopt) : claim_next();
      if (job) {
        work(*job);
        continue;
      }
      if (provider_) provider_->tidy();
      std::unique_lock lock(slots_.mutex_);
      slots_.changed_.wait_for(lock, slots_.options_.poll_interval,
                               [&] { return slots_.draining_ || slots_.wakes_ != seen; });
    }
  }

 private:
  std::optional<Job> claim_next() {
    std::optional<Job> job;
    const auto written = workshop_.store.write([&](Transaction& transaction) -> Result<void> {
      job = TRY(claim(transaction, workshop_.policy, name_, slots_.options_.lease.count()));
      return {};
    });
    if (written) return job;
    log::error("jobs: cannot claim: {} {}", written.error().message, written.error().detail);
    return std::nullopt;
  }

  void work(const Job& job) {
    const auto run = std::make_shared<Run>();
    run->fence = {job.id, name_, job.attempt};
    {
      const std::lock_guard lock(slots_.mutex_);
      slots_.running_[job.id] = run;
      if (slots_.released_) run->stop.request_stop();
    }
    // A cancel between the claim and this line had nobody to tell.
    if (!still_held(run->fence)) run->stop.request_stop();
    workshop_.hub.begin(job);
    if (workshop_.on_claim) workshop_.on_claim();
    SlotObserver observer(job, run->fence, workshop_, [&] { make_way(job, *run); });
    const Result<Completion> result = attempt(job, *run, observer);
    const bool held = settle(job, *run, result);
    if (run->goes_first) slots_.short_lane_.left(*run->goes_first);
    if (workshop_.on_end) {
      workshop_.on_end({.error = result ? std::nullopt : std::optional(result.error()),
                        .held = held,
                        .stage_seconds = observer.stage_seconds(),
                        .seconds = observer.seconds(),
                        .audio_s = result ? result->duration_s : 0});
    }
    workshop_.hub.finish(job);
    const std::lock_guard lock(slots_.mutex_);
    slots_.running_.erase(job.id);
    slots_.changed_.notify_all();
  }

  // Between two groups of a job: where a short one waits, the run ends here, and goes on after that.
  void make_way(const Job& job, Run& run) {
    if (!slots_.options_.short_lane || run.goes_first || run.stop.stop_requested()) return;
    auto waiting = slots_.short_lane_.enter(workshop_.store, job);
    if (!waiting) {
      return log::warning("jobs: the short lane: {} {}", waiting.error().message, waiting.error().detail);
    }
    if (!*waiting) return;
    run.goes_first = std::move(*waiting);
    run.stop.request_stop();
  }

  bool still_held(const Fence& fence) {
    bool held = true;
    const auto read = workshop_.store.read([&](Reader& reader) -> Result<void> {
      const auto job = TRY(find(reader, fence.id));
      held = job && job->claimed_by == fence.claimed_by && job->attempt == fence.attempt;
      return {};
    });
    return !read || held;
  }

  Result<pipeline::Recording> open_recording(const Job& job) {
    static constexpr Statement kFile{"jobs.file",
                                     "SELECT blob, sha256 FROM files WHERE id = $1 AND status = 'ready'"};
    std::optional<store::Row> row;
    TRY(workshop_.store.read([&](Reader& reader) -> Result<void> {
      row = TRY(reader.row(kFile, job.file_id));
      return {};
    }));
    if (!row || row->is_null(0)) return fail(ErrorCode::not_found, "the recording is no longer there");
    pipeline::Recording recording;
    recording.fd = TRY(workshop_.blobs.open(row->text(0)));
    recording.sha256 = row->text(1);
    recording.title = job.title;
    return recording;
  }

  // The slot's engine stays for the next job, unless that wants another device.
  Result<engine::Provider*> provider_for(const engine::EngineOptions& wanted) {
    const bool same = provider_ && provider_options_.device == wanted.device &&
                      provider_options_.compute_type == wanted.compute_type;
    if (!same) {
      provider_.reset();
      provider_ = TRY(workshop_.open_provider(wanted));
      provider_options_ = wanted;
    }
    return provider_.get();
  }

  Result<Completion> attempt(const Job& job, Run& run, SlotObserver& observer) {
    const bj::object given = TRY(json::parse_object(job.options));
    auto options = parse_options(given);
    if (!options) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("options.{} {}", options.error().field, options.error().message));
    }
    options->pipeline.auto_download = workshop_.auto_download;
    pipeline::Recording recording = TRY(open_recording(job));
    engine::Provider* provider = TRY(provider_for(options->engine));
    // A crash counts against the job, which gets its next attempt from the queue.
    const pipeline::Resources resources{*provider, workshop_.library,
                                        options->use_cache ? &workshop_.artifacts : nullptr,
                                        workshop_.spool_folder, 1};
    pipeline::Outcome outcome =
        TRY(pipeline::transcribe(recording, options->pipeline, resources, observer, run.stop.get_token()));
    transcript::Document& document = outcome.document;
    document.transcription_id = job.id;
    document.title = job.title;
    if (!options->word_timestamps) {
      document.words.clear();
      for (transcript::Segment& segment : document.segments) segment.first_word = segment.word_count = 0;
    }
    Completion completion;
    completion.document = transcript::to_json(document);
    completion.passages = passages_of(document);
    completion.output_key = fmt::format("transcripts/{}/{}.json", job.id, job.attempt);
    if (!document.language.empty()) completion.language = document.language;
    completion.duration_s = document.duration_s;
    if (document.diarized) completion.speaker_count = static_cast<int64_t>(document.speakers.size());
    bj::array warnings;
    for (const transcript::Warning& warning : document.warnings) {
      warnings.push_back(bj::object{{"code", warning.code}, {"message", warning.message}});
    }
    completion.warnings = json::to_text(warnings);
    if (outcome.diarization_error) {
      completion.diarization_error_code = diarization_cause(outcome.diarization_error->code);
      log::warning("{}: the speakers could not be told apart: {} {}", job.id,
                   outcome.diarization_error->message, outcome.diarization_error->detail);
    }
    completion.provider = document.provider;
    completion.model = document.transcription_model;
    bj::object stages;
    for (const auto& [stage, seconds] : observer.stage_seconds()) stages[stage] = json::rounded(seconds, 3);
    completion.stage_seconds = json::to_text(stages);
    // The blob before the row that names it.
    TRY(workshop_.blobs.put(completion.output_key, completion.document));
    return completion;
  }

  // Whether the job was still this slot's.
  bool settle(const Job& job, Run& run, const Result<Completion>& result) {
    bool held = true;
    const auto written = workshop_.store.write([&](Transaction& transaction) -> Result<void> {
      if (result) {
        held = TRY(complete(transaction, run.fence, *result));
      } else if (result.error().code == ErrorCode::canceled && run.stop.stop_requested()) {
        // A canceled job is no longer held, so this changes nothing then.
        const bool goes_on = run.goes_first && !draining();
        held = TRY(release(transaction, run.fence,
                           goes_on ? "A short recording went first." : "The server was stopped."));
        if (goes_on) {
          next_ = TRY(claim_one(transaction, *run.goes_first, name_, slots_.options_.lease.count()));
        }
      } else {
        held = TRY(fail_attempt(transaction, run.fence, result.error()));
      }
      return {};
    });
    if (!written) {
      next_.reset();
      // The lease runs out, and the job is done again out of its artifacts.
      log::error("{}: attempt {} could not be written: {} {}", job.id, job.attempt, written.error().message,
                 written.error().detail);
    } else if (result && held) {
      log::info("{}: completed, attempt {}", job.id, job.attempt);
    } else if (!result && result.error().code != ErrorCode::canceled) {
      log::warning("{}: attempt {} failed: {} {}", job.id, job.attempt, result.error().message,
                   result.error().detail);
    }
    // A transcript that no row names.
    if (result && (!written || !held)) (void)workshop_.blobs.remove(result->output_key);
    return written && held;
  }

  bool draining() const {
    const std::lock_guard lock(slots_.mutex_);
    return slots_.draining_;
  }

  Slots& slots_;
  Workshop& workshop_;
  const std::string name_;
  std::optional<Job> next_;  // claimed when the last one made way
  std::unique_ptr<engine::Provider> provider_;
  engine::EngineOptions provider_options_;
};

Slots::Slots(SlotOptions options, Workshop workshop)
    : options_(options), workshop_(std::move(workshop)), instance_(random_hex(8)) {
  if (options_.renew_interval == 0ms) options_.renew_interval = options_.lease / 3;
}

Slots::~Slots() {
  drain(0ms);
}

void Slots::start() {
  for (int number = 0; number < options_.count; ++number) {
    {
      const std::lock_guard lock(mutex_);
      ++alive_;
    }
    threads_.emplace_back([this, number] {
      Slot(*this, number).run();
      const std::lock_guard lock(mutex_);
      --alive_;
      changed_.notify_all();
    });
  }
  keeper_ = std::jthread([this](const std::stop_token& stop) { keep(stop); });
}

void Slots::notice(const store::Notice& notice) {
  const std::lock_guard lock(mutex_);
  if (notice.channel == "jobs") {
    ++wakes_;
    changed_.notify_all();
  } else if (notice.channel == "canceled") {
    const auto found = running_.find(notice.payload);
    if (found != running_.end()) found->second->stop.request_stop();
  }
}

int Slots::alive() const {
  const std::lock_guard lock(mutex_);
  return alive_;
}

size_t Slots::running() const {
  const std::lock_guard lock(mutex_);
  return running_.size();
}

void Slots::drain(std::chrono::milliseconds patience) {
  {
    std::unique_lock lock(mutex_);
    draining_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, patience, [&] { return alive_ == 0 || released_; });
  }
  release_now();
  threads_.clear();
  keeper_ = {};
}

void Slots::release_now() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
  released_ = true;
  changed_.notify_all();
  for (const auto& [id, run] : running_) run->stop.request_stop();
}

// Renews what runs here, and frees what somebody held who is gone.
void Slots::keep(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  while (!never.wait_for(lock, stop, options_.renew_interval, [] { return false; }) &&
         !stop.stop_requested()) {
    keep_leases();
  }
}

// All at one time: a clock that is set forward between the two would end what is just being renewed.
void Slots::keep_leases() {
  std::vector<std::shared_ptr<Run>> runs;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, run] : running_) runs.push_back(run);
  }
  std::vector<std::shared_ptr<Run>> lost;
  const auto written = workshop_.store.write([&](Transaction& transaction) -> Result<void> {
    lost.clear();
    for (const auto& run : runs) {
      if (!TRY(renew(transaction, run->fence, options_.lease.count()))) lost.push_back(run);
    }
    TRY(expire_leases(transaction));
    return {};
  });
  if (!written) return log::error("jobs: leases: {} {}", written.error().message, written.error().detail);
  for (const auto& run : lost) run->stop.request_stop();
}

}  // namespace hansard::jobs
