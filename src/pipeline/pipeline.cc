#include "pipeline/pipeline.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/seam.h"
#include "engine/serialize.h"

namespace hansard::pipeline {
namespace {

namespace bj = json::bj;

constexpr int kSoundVersion = 1;

// Where each stage begins and ends in the progress of the whole run.
struct Share {
  double from;
  double to;
};
Share share(Stage stage) {
  switch (stage) {
    case Stage::downloading:
      return {0, 0.05};
    case Stage::preparing:
      return {0.05, 0.20};
    case Stage::transcribing:
      return {0.20, 0.70};
    case Stage::diarizing:
      return {0.70, 0.85};
    case Stage::merging:
      return {0.85, 0.95};
    case Stage::saving:
      return {0.95, 1};
    case Stage::completed:
      return {1, 1};
  }
  return {1, 1};
}

// Facts of the decoded sound, remembered so that a finished recording need not be decoded again.
struct Sound {
  int64_t sample_count = 0;
  double offset_s = 0;
};

std::string to_bytes(const Sound& sound) {
  return bj::serialize(bj::object{{"sample_count", sound.sample_count}, {"offset_s", sound.offset_s}});
}

Result<Sound> sound_from(std::string_view bytes) {
  const bj::object object = TRY(json::parse_object(bytes));
  Sound sound;
  sound.sample_count = TRY(json::get_integer(object, "sample_count", 0));
  sound.offset_s = TRY(json::get_number(object, "offset_s"));
  return sound;
}

class Run {
 public:
  Run(Recording& recording, const Options& options, const Resources& resources, Observer& observer,
      std::stop_token stop)
      : recording_(recording),
        options_(options),
        with_(resources),
        observer_(observer),
        stop_(std::move(stop)) {}

  Result<Outcome> go() {
    TRY(find_models());
    at(Stage::preparing, 0);
    TRY(know_sound());
    observer_.duration(static_cast<double>(sound_.sample_count) / kSampleRate);
    const engine::Plan plan = TRY(make_plan());
    const std::vector<transcript::Word> words = TRY(write_words(plan));
    Outcome outcome;
    transcript::MergeInput input;
    input.diarized = options_.diarize;
    if (options_.diarize && !words.empty()) {
      Result<std::vector<transcript::Turn>> turns = tell_speakers();
      if (turns) {
        input.turns = std::move(*turns);
      } else if (turns.error().code == ErrorCode::canceled) {
        return fail(std::move(turns).error());
      } else {
        input.diarized = false;
        outcome.diarization_error = std::move(turns).error();
      }
    }
    at(Stage::merging, 0);
    input.words = words;
    input.duration_s = sound_.offset_s + static_cast<double>(sound_.sample_count) / kSampleRate;
    outcome.document = transcript::merge(std::move(input));
    describe(outcome, plan);
    at(Stage::saving, 0);
    return outcome;
  }

 private:
  // ---- models

  Result<void> find_models() {
    speech_ = TRY(find_or_install(std::string(models::kSpeechModel)));
    words_model_ = TRY(find_or_install(options_.transcription_model));
    if (!options_.diarize) return {};
    // A missing diarization model costs the speakers, not the words.
    Result<models::Installed> voices = find_or_install(options_.diarization_model);
    if (voices) {
      voices_model_ = std::move(*voices);
    } else if (voices.error().code == ErrorCode::canceled ||
               voices.error().code == ErrorCode::model_unknown) {
      return fail(std::move(voices).error());
    } else {
      voices_error_ = std::move(voices).error();
    }
    return {};
  }

  Result<models::Installed> find_or_install(const std::string& name) {
    Result<models::Installed> found = with_.library.find(name);
    if (found) {
      TRY(with_.library.verify_once(*found, stop_));
      return found;
    }
    if (found.error().code != ErrorCode::model_unavailable || !options_.auto_download) return found;
    at(Stage::downloading, 0);
    return with_.library.install(
        name,
        [this](const models::InstallProgress& progress) {
          const double total = std::max<double>(1, static_cast<double>(progress.total_bytes));
          at(Stage::downloading, static_cast<double>(progress.done_bytes) / total);
        },
        stop_);
  }

  // ---- artifacts

  std::optional<std::string> load(const Key& key) {
    if (with_.artifacts == nullptr) return std::nullopt;
    std::optional<Artifacts::Held> held = with_.artifacts->load(key);
    if (!held) return std::nullopt;
    held_.push_back(std::move(held->lock));
    return std::move(held->bytes);
  }

  // A cache that cannot be written to costs a later run its time, not this one its result.
  void save(const Key& key, std::string_view bytes) {
    if (with_.artifacts == nullptr) return;
    Result<void> saved = with_.artifacts->save(key, bytes);
    if (saved || save_failed_) return;
    save_failed_ = true;
    log::warning("results cannot be kept for later runs: {}", saved.error().message);
  }

  Key key(std::string_view stage, int version) const {
    Key key(stage, version, recording_.sha256);
    key.add(recording_.sha256);
    key.add(fmt::format("{:.4f}", options_.range.start_s));
    key.add(options_.range.end_s ? fmt::format("{:.4f}", *options_.range.end_s) : "");
    return key;
  }

  // ---- decode

  Result<void> know_sound() {
    const Key sound_key = key("sound", kSoundVersion);
    if (auto bytes = load(sound_key)) {
      if (auto sound = sound_from(*bytes)) {
        sound_ = *sound;
        return {};
      }
    }
    TRY(decode());
    save(sound_key, to_bytes(sound_));
    return {};
  }

  Result<void> decode() {
    const media::Info info = TRY(media::probe(recording_.fd.get(), stop_));
    const double expected_s = options_.range.end_s.value_or(info.duration_s) - options_.range.start_s;
    TRY(make_private_folder(with_.spool_folder));
    spool_ = TRY(media::decode(
        recording_.fd.get(), info, options_.range, with_.spool_folder,
        [&](double seconds) {
          if (expected_s > 0) at(Stage::preparing, 0.5 * std::min(1.0, seconds / expected_s));
        },
        stop_));
    sound_ = {spool_->sample_count, spool_->offset_s};
    return {};
  }

  // The spool, decoded now where no stage has needed it before.
  Result<Pcm> pcm() {
    if (!spool_) TRY(decode());
    return spool_->pcm();
  }

  // ---- plan

  Result<Key> plan_key() {
    Key result = key("plan", engine::kPlanVersion);
    result.add(speech_.digest).add(words_model_.digest).add(options_.language);
    result.add(bj::serialize(engine::to_json(options_.speech))).add(options_.batch_size);
    const engine::Capabilities capabilities = TRY(with_.provider.capabilities());
    result.add(capabilities.build).add(capabilities.device).add(capabilities.compute_type);
    return result;
  }

  Result<engine::Plan> make_plan() {
    const Key artifact = TRY(plan_key());
    plan_key_ = artifact.hex();
    if (auto bytes = load(artifact)) {
      if (auto object = json::parse_object(*bytes)) {
        if (auto plan = engine::plan_from_json(*object)) return std::move(*plan);
      }
    }
    const Pcm sound = TRY(pcm());
    engine::PlanRequest request;
    request.speech_model = speech_.id;
    request.transcription_model = words_model_.id;
    request.language = options_.language;
    request.speech = options_.speech;
    request.batch_size = options_.batch_size;
    StageSink sink(*this, Stage::preparing, 0.5, 1);
    engine::Plan plan =
        TRY(again_after_crash<engine::Plan>(with_.transcribe_crashes, [&]() -> Result<engine::Plan> {
          TRY(with_.provider.prepare(speech_, stop_));
          TRY(with_.provider.prepare(words_model_, stop_));
          return with_.provider.plan(sound, request, sink, stop_);
        }));
    save(artifact, bj::serialize(engine::to_json(plan)));
    return plan;
  }

  // ---- words

  Key group_key(int group) const {
    Key result("words", engine::kWordsVersion, recording_.sha256);
    result.add(plan_key_).add(words_model_.digest).add(bj::serialize(engine::to_json(options_.transcribe)));
    result.add(group);
    return result;
  }

  Result<std::vector<transcript::Word>> write_words(const engine::Plan& plan) {
    at(Stage::transcribing, 0);
    groups_.assign(plan.groups.size(), std::nullopt);
    for (size_t i = 0; i < plan.groups.size(); ++i) {
      groups_[i] = load_group(plan, static_cast<int>(i));
    }
    tell_of_words();
    TRY(again_after_crash<void>(with_.transcribe_crashes, [&] { return decode_missing(plan); }));
    std::vector<transcript::Word> words;
    for (size_t i = 0; i < groups_.size(); ++i) append_words(*groups_[i], words);
    return words;
  }

  std::optional<engine::GroupText> load_group(const engine::Plan& plan, int group) {
    const Key artifact = group_key(group);
    const auto bytes = load(artifact);
    if (!bytes) return std::nullopt;
    const auto object = json::parse_object(*bytes);
    if (!object) return std::nullopt;
    auto text = engine::group_from_json(*object);
    const auto windows = static_cast<size_t>(plan.groups[static_cast<size_t>(group)].window_count);
    if (!text || text->group != group || text->windows.size() != windows) return std::nullopt;
    seam("pipeline.group_reused", artifact.file_name());
    return std::move(*text);
  }

  Result<void> decode_missing(const engine::Plan& plan) {
    engine::TranscribeRequest request;
    for (size_t i = 0; i < groups_.size(); ++i) {
      if (!groups_[i]) request.groups.push_back(static_cast<int>(i));
    }
    if (request.groups.empty()) return {};
    const Pcm sound = TRY(pcm());
    TRY(with_.provider.prepare(words_model_, stop_));
    request.transcription_model = words_model_.id;
    request.plan = plan;
    request.options = options_.transcribe;
    const double done = 1 - static_cast<double>(request.groups.size()) / static_cast<double>(groups_.size());
    GroupSink sink(*this, plan, done);
    return with_.provider.transcribe(sound, request, sink, stop_);
  }

  void take_group(engine::GroupText text) {
    const auto index = static_cast<size_t>(text.group);
    const Key artifact = group_key(text.group);
    seam("pipeline.group_decoded", artifact.file_name());
    save(artifact, bj::serialize(engine::to_json(text)));
    seam("pipeline.group_saved", artifact.file_name());
    groups_[index] = std::move(text);
    tell_of_words();
  }

  // Words are told of in order, once all groups before them are there.
  void tell_of_words() {
    for (; told_ < groups_.size() && groups_[told_]; ++told_) {
      std::vector<transcript::Word> words;
      append_words(*groups_[told_], words);
      observer_.words(words);
    }
  }

  void append_words(const engine::GroupText& group, std::vector<transcript::Word>& words) const {
    for (const engine::WindowText& window : group.windows) {
      for (const engine::Word& word : window.words) {
        transcript::Word out;
        out.start = word.start + sound_.offset_s;
        out.end = word.end + sound_.offset_s;
        const size_t first = word.text.find_first_not_of(' ');
        if (first == std::string::npos) continue;
        out.space_before = first > 0;
        out.text = word.text.substr(first, word.text.find_last_not_of(' ') - first + 1);
        out.confidence = static_cast<double>(word.probability);
        words.push_back(std::move(out));
      }
    }
  }

  // ---- speakers

  Result<std::vector<transcript::Turn>> tell_speakers() {
    at(Stage::diarizing, 0);
    if (voices_error_) return fail(*voices_error_);
    return again_after_crash<std::vector<transcript::Turn>>(limits::kDiarizeCrashes,
                                                            [&] { return make_turns(); });
  }

  Result<Key> voices_key() {
    Key result = key("voices", engine::kVoicesVersion);
    const engine::Capabilities capabilities = TRY(with_.provider.capabilities());
    result.add(speech_.digest).add(voices_model_.digest).add(capabilities.build);
    return result;
  }

  Result<std::vector<transcript::Turn>> make_turns() {
    const Key from = TRY(voices_key());
    Key artifact("turns", engine::kTurnsVersion, recording_.sha256);
    artifact.add(from.hex()).add(bj::serialize(engine::to_json(options_.speakers)));
    if (auto bytes = load(artifact)) {
      const auto value = json::parse(*bytes);
      if (value && value->is_array()) {
        if (auto turns = engine::turns_from_json(value->get_array())) return named(*turns);
      }
    }
    std::optional<std::string> voices = load(from);
    if (!voices) voices = TRY(hear_voices(from));
    StageSink sink(*this, Stage::diarizing, 0.95, 1);
    auto turns = with_.provider.diarize({*voices, options_.speakers}, sink, stop_);
    if (!turns && turns.error().code == ErrorCode::invalid_request) {
      // What was kept is damaged: it is made anew.
      turns = with_.provider.diarize({TRY(hear_voices(from)), options_.speakers}, sink, stop_);
    }
    if (!turns) return fail(std::move(turns).error());
    save(artifact, bj::serialize(engine::to_json(*turns)));
    return named(*turns);
  }

  Result<std::string> hear_voices(const Key& artifact) {
    const Pcm sound = TRY(pcm());
    TRY(with_.provider.prepare(speech_, stop_));
    TRY(with_.provider.prepare(voices_model_, stop_));
    StageSink sink(*this, Stage::diarizing, 0, 0.95);
    std::string voices = TRY(with_.provider.voices(sound, {voices_model_.id, speech_.id}, sink, stop_));
    save(artifact, voices);
    return voices;
  }

  std::vector<transcript::Turn> named(const std::vector<engine::Turn>& turns) const {
    std::vector<transcript::Turn> result;
    for (const engine::Turn& turn : turns) {
      result.push_back({turn.start + sound_.offset_s, turn.end + sound_.offset_s,
                        fmt::format("SPEAKER_{:02}", turn.speaker)});
    }
    return result;
  }

  // ---- the rest

  void describe(Outcome& outcome, const engine::Plan& plan) const {
    transcript::Document& document = outcome.document;
    document.title = recording_.title;
    document.language = options_.transcribe.task == engine::Task::translate ? "en" : plan.language;
    if (document.words.empty()) document.language.clear();
    document.provider = with_.provider.id();
    document.transcription_model = words_model_.id;
    if (document.diarized) document.diarization_model = voices_model_.id;
    if (document.words.empty()) {
      document.warnings.push_back({"NO_SPEECH", "No speech was found in this recording."});
    }
    if (outcome.diarization_error) {
      document.warnings.push_back({"DIARIZATION_FAILED", "The speakers could not be told apart: " +
                                                             outcome.diarization_error->message});
    }
  }

  // Runs `attempt` again while the engine dies of it, at most `most` times in all.
  template <typename T, typename Attempt>
  Result<T> again_after_crash(int most, const Attempt& attempt) {
    for (int crashes = 0;;) {
      Result<T> result = attempt();
      if (result || stop_.stop_requested()) return result;
      const ErrorCode code = result.error().code;
      const bool died = code == ErrorCode::engine_crashed || code == ErrorCode::engine_timeout;
      if (!died || ++crashes >= most) return result;
      log::warning("{}; starting another ({} of {})", result.error().message, crashes + 1, most);
    }
  }

  void at(Stage stage, double within) {
    const auto [from, to] = share(stage);
    const double fraction = from + (to - from) * std::clamp(within, 0.0, 1.0);
    if (fraction < reached_) return;
    reached_ = fraction;
    observer_.progress(stage, fraction, within);
  }

  // Progress of one call of the provider as part of a stage.
  class StageSink : public engine::Sink {
   public:
    StageSink(Run& run, Stage stage, double from, double to)
        : run_(run), stage_(stage), from_(from), to_(to) {}
    void progress(double fraction) override { run_.at(stage_, from_ + (to_ - from_) * fraction); }

   private:
    Run& run_;
    Stage stage_;
    double from_;
    double to_;
  };

  class GroupSink : public StageSink {
   public:
    GroupSink(Run& run, const engine::Plan& plan, double done)
        : StageSink(run, Stage::transcribing, done, 1), run_(run), plan_(plan) {}
    Result<void> group(engine::GroupText text) override {
      const engine::Group& group = plan_.groups[static_cast<size_t>(text.group)];
      if (text.windows.size() != static_cast<size_t>(group.window_count)) {
        return fail(ErrorCode::engine_crashed, "the engine process gave an answer that cannot be");
      }
      run_.take_group(std::move(text));
      return {};
    }

   private:
    Run& run_;
    const engine::Plan& plan_;
  };

  Recording& recording_;
  const Options& options_;
  const Resources& with_;
  Observer& observer_;
  std::stop_token stop_;

  models::Installed speech_;
  models::Installed words_model_;
  models::Installed voices_model_;
  std::optional<Error> voices_error_;
  Sound sound_;
  std::optional<media::Spool> spool_;
  std::string plan_key_;
  std::vector<std::optional<engine::GroupText>> groups_;
  size_t told_ = 0;
  std::vector<UniqueFd> held_;  // locks of the artifacts in use
  bool save_failed_ = false;
  double reached_ = 0;
};

}  // namespace

std::optional<Stage> parse_stage(std::string_view name) {
  for (const Stage stage : {Stage::downloading, Stage::preparing, Stage::transcribing, Stage::diarizing,
                            Stage::merging, Stage::saving, Stage::completed}) {
    if (stage_name(stage) == name) return stage;
  }
  return std::nullopt;
}

double within_stage(Stage stage, double fraction) {
  const Share part = share(stage);
  return part.to > part.from ? std::clamp((fraction - part.from) / (part.to - part.from), 0.0, 1.0) : 1;
}

std::string_view stage_name(Stage stage) {
  switch (stage) {
    case Stage::downloading:
      return "downloading";
    case Stage::preparing:
      return "preparing";
    case Stage::transcribing:
      return "transcribing";
    case Stage::diarizing:
      return "diarizing";
    case Stage::merging:
      return "merging";
    case Stage::saving:
      return "saving";
    case Stage::completed:
      return "completed";
  }
  return "";
}

Result<Recording> open_recording(const std::filesystem::path& path, const std::stop_token& stop) {
  // Before it is opened: opening a pipe waits for whoever writes to it.
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return fail(system_error("cannot open the file", errno));
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::media_unreadable, "not a file; what comes through a pipe is read as -");
  }
  if (status.st_size == 0) return fail(ErrorCode::media_unreadable, "the file is empty");
  Recording recording;
  recording.fd = TRY(open_for_read(path));
  recording.sha256 = TRY(sha256_of_file(recording.fd.get(), stop));
  recording.title = path.stem().string();
  return recording;
}

Result<Outcome> transcribe(Recording& recording, const Options& options, const Resources& resources,
                           Observer& observer, std::stop_token stop) {
  Result<Outcome> outcome = Run(recording, options, resources, observer, std::move(stop)).go();
  if (resources.artifacts != nullptr) resources.artifacts->evict();
  return outcome;
}

}  // namespace hansard::pipeline
