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
#include "transcript/assemble.h"

namespace hansard::pipeline {
namespace {

namespace bj = json::bj;

constexpr int kSoundVersion = 1;

// Where each stage begins and ends in the progress of the whole run.
struct Share {
  double from;
  double to;
  double at(double within) const { return from + (to - from) * within; }
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

// What is decoded and read as one: the recording mixed down, or one of its channels.
struct Track {
  std::optional<int> channel;
  Sound sound;
  std::optional<media::Spool> spool;
  engine::Plan plan;
  std::string plan_key;
  std::vector<std::optional<engine::GroupText>> groups;
  size_t told = 0;  // so many of the first groups
};

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
    TRY(list_tracks());
    for (size_t i = 0; i < tracks_.size(); ++i) TRY(know_sound(tracks_[i], part(i, 0, 0.5)));
    observer_.duration(seconds() - tracks_.front().sound.offset_s);
    for (size_t i = 0; i < tracks_.size(); ++i) TRY(make_plan(tracks_[i], part(i, 0.5, 1)));
    at(Stage::transcribing, 0);
    for (size_t i = 0; i < tracks_.size(); ++i) TRY(write_words(tracks_[i], part(i, 0, 1)));
    Outcome outcome;
    transcript::MergeInput input;
    input.words = all_words();
    input.diarized = options_.diarize || options_.multichannel;
    if (options_.diarize && !options_.multichannel && !input.words.empty()) {
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
    input.duration_s = seconds();
    outcome.document = transcript::merge(std::move(input));
    describe(outcome);
    at(Stage::saving, 0);
    return outcome;
  }

 private:
  // ---- models

  Result<void> find_models() {
    speech_ = TRY(find_or_install(std::string(models::kSpeechModel)));
    words_model_ = TRY(find_or_install(options_.transcription_model));
    if (!options_.diarize || options_.multichannel) return {};
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

  Key key(std::string_view stage, int version, const Track& track) const {
    Key key(stage, version, recording_.sha256);
    key.add(recording_.sha256);
    key.add(fmt::format("{:.4f}", options_.range.start_s));
    key.add(options_.range.end_s ? fmt::format("{:.4f}", *options_.range.end_s) : "");
    if (track.channel) key.add(fmt::format("channel {}", *track.channel));
    return key;
  }

  // ---- tracks

  Result<void> list_tracks() {
    int channels = 1;
    if (options_.multichannel) {
      channels = TRY(info()).channels;
      if (channels > limits::kChannels) {
        return fail(ErrorCode::unsupported_media,
                    fmt::format("the recording has {} channels; at most {} can be speakers of their own",
                                channels, limits::kChannels));
      }
    }
    tracks_.resize(static_cast<size_t>(std::max(1, channels)));
    // The only channel of a recording is what it is mixed down to.
    for (size_t i = 0; i < tracks_.size() && tracks_.size() > 1; ++i) {
      tracks_[i].channel = static_cast<int>(i);
    }
    return {};
  }

  // Where in a stage a track has its share of what lies between `from` and `to`.
  Share part(size_t track, double from, double to) const {
    const Share all{from, to};
    const auto count = static_cast<double>(tracks_.size());
    return {all.at(static_cast<double>(track) / count), all.at(static_cast<double>(track + 1) / count)};
  }

  // Of the recording, to the end of its range.
  double seconds() const {
    const Sound& sound = tracks_.front().sound;
    return sound.offset_s + static_cast<double>(sound.sample_count) / kSampleRate;
  }

  // ---- decode

  Result<media::Info> info() {
    if (!info_) info_ = TRY(media::probe(recording_.fd.get(), stop_));
    return *info_;
  }

  Result<void> know_sound(Track& track, Share share) {
    const Key sound_key = key("sound", kSoundVersion, track);
    if (auto bytes = load(sound_key)) {
      if (auto sound = sound_from(*bytes)) {
        track.sound = *sound;
        return {};
      }
    }
    TRY(decode(track, share));
    save(sound_key, to_bytes(track.sound));
    return {};
  }

  Result<void> decode(Track& track, Share share) {
    const media::Info facts = TRY(info());
    const double expected_s = options_.range.end_s.value_or(facts.duration_s) - options_.range.start_s;
    TRY(make_private_folder(with_.spool_folder));
    track.spool = TRY(media::decode(
        recording_.fd.get(), facts, {options_.range, track.channel}, with_.spool_folder,
        [&](double seconds) {
          if (expected_s <= 0) return;
          at(Stage::preparing, share.at(std::min(1.0, seconds / expected_s)));
        },
        stop_));
    track.sound = {track.spool->sample_count, track.spool->offset_s};
    return {};
  }

  // The spool, decoded now where no stage has needed it before.
  Result<Pcm> pcm(Track& track) {
    if (!track.spool) TRY(decode(track, {0, 0}));
    return track.spool->pcm();
  }

  // ---- plan

  Result<Key> plan_key(const Track& track) {
    Key result = key("plan", engine::kPlanVersion, track);
    result.add(speech_.digest).add(words_model_.digest).add(options_.language);
    result.add(bj::serialize(engine::to_json(options_.speech))).add(options_.batch_size);
    const engine::Capabilities capabilities = TRY(with_.provider.capabilities());
    result.add(capabilities.build).add(capabilities.device).add(capabilities.compute_type);
    return result;
  }

  Result<void> make_plan(Track& track, Share share) {
    const Key artifact = TRY(plan_key(track));
    track.plan_key = artifact.hex();
    if (auto bytes = load(artifact)) {
      if (auto object = json::parse_object(*bytes)) {
        if (auto plan = engine::plan_from_json(*object)) {
          track.plan = std::move(*plan);
          return {};
        }
      }
    }
    const Pcm sound = TRY(pcm(track));
    engine::PlanRequest request;
    request.speech_model = speech_.id;
    request.transcription_model = words_model_.id;
    request.language = options_.language;
    request.speech = options_.speech;
    request.batch_size = options_.batch_size;
    StageSink sink(*this, Stage::preparing, share);
    track.plan = TRY(again_after_crash<engine::Plan>(with_.transcribe_crashes, [&]() -> Result<engine::Plan> {
      TRY(with_.provider.prepare(speech_, stop_));
      TRY(with_.provider.prepare(words_model_, stop_));
      return with_.provider.plan(sound, request, sink, stop_);
    }));
    save(artifact, bj::serialize(engine::to_json(track.plan)));
    return {};
  }

  // ---- words

  Key group_key(const Track& track, int group) const {
    Key result("words", engine::kWordsVersion, recording_.sha256);
    result.add(track.plan_key)
        .add(words_model_.digest)
        .add(bj::serialize(engine::to_json(options_.transcribe)));
    result.add(group);
    return result;
  }

  Result<void> write_words(Track& track, Share share) {
    track.groups.assign(track.plan.groups.size(), std::nullopt);
    for (size_t i = 0; i < track.groups.size(); ++i) {
      track.groups[i] = load_group(track, static_cast<int>(i));
    }
    tell_of_words(track);
    return again_after_crash<void>(with_.transcribe_crashes, [&] { return decode_missing(track, share); });
  }

  std::optional<engine::GroupText> load_group(const Track& track, int group) {
    const Key artifact = group_key(track, group);
    const auto bytes = load(artifact);
    if (!bytes) return std::nullopt;
    const auto object = json::parse_object(*bytes);
    if (!object) return std::nullopt;
    auto text = engine::group_from_json(*object);
    const auto windows = static_cast<size_t>(track.plan.groups[static_cast<size_t>(group)].window_count);
    if (!text || text->group != group || text->windows.size() != windows) return std::nullopt;
    seam("pipeline.group_reused", artifact.file_name());
    return std::move(*text);
  }

  Result<void> decode_missing(Track& track, Share share) {
    engine::TranscribeRequest request;
    for (size_t i = 0; i < track.groups.size(); ++i) {
      if (!track.groups[i]) request.groups.push_back(static_cast<int>(i));
    }
    if (request.groups.empty()) return {};
    const Pcm sound = TRY(pcm(track));
    TRY(with_.provider.prepare(words_model_, stop_));
    request.transcription_model = words_model_.id;
    request.plan = track.plan;
    request.options = options_.transcribe;
    const double missing =
        static_cast<double>(request.groups.size()) / static_cast<double>(track.groups.size());
    share.from = share.at(1 - missing);
    GroupSink sink(*this, track, share);
    return with_.provider.transcribe(sound, request, sink, stop_);
  }

  void take_group(Track& track, engine::GroupText text) {
    const auto index = static_cast<size_t>(text.group);
    const Key artifact = group_key(track, text.group);
    seam("pipeline.group_decoded", artifact.file_name());
    save(artifact, bj::serialize(engine::to_json(text)));
    seam("pipeline.group_saved", artifact.file_name());
    track.groups[index] = std::move(text);
    tell_of_words(track);
  }

  // Words are told of in order, once all groups before them are there; one track after the other.
  void tell_of_words(Track& track) {
    for (; track.told < track.groups.size() && track.groups[track.told]; ++track.told) {
      std::vector<transcript::Word> words;
      append_words(track, *track.groups[track.told], words);
      observer_.words(words);
    }
  }

  void append_words(const Track& track, const engine::GroupText& group,
                    std::vector<transcript::Word>& words) const {
    for (const engine::WindowText& window : group.windows) {
      for (const engine::Word& word : window.words) {
        transcript::Word out;
        out.start = word.start + track.sound.offset_s;
        out.end = word.end + track.sound.offset_s;
        const size_t first = word.text.find_first_not_of(' ');
        if (first == std::string::npos) continue;
        out.space_before = first > 0;
        out.text = word.text.substr(first, word.text.find_last_not_of(' ') - first + 1);
        out.confidence = static_cast<double>(word.probability);
        if (options_.multichannel)
          out.speaker = transcript::speaker_id(static_cast<size_t>(track.channel.value_or(0)));
        words.push_back(std::move(out));
      }
    }
  }

  // Of all tracks, in order of time.
  std::vector<transcript::Word> all_words() const {
    std::vector<transcript::Word> words;
    for (const Track& track : tracks_) {
      for (const auto& group : track.groups) append_words(track, *group, words);
    }
    if (tracks_.size() > 1) std::ranges::stable_sort(words, {}, &transcript::Word::start);
    return words;
  }

  // ---- speakers

  Result<std::vector<transcript::Turn>> tell_speakers() {
    at(Stage::diarizing, 0);
    if (voices_error_) return fail(*voices_error_);
    return again_after_crash<std::vector<transcript::Turn>>(limits::kDiarizeCrashes,
                                                            [&] { return make_turns(); });
  }

  Result<Key> voices_key() {
    Key result = key("voices", engine::kVoicesVersion, tracks_.front());
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
    StageSink sink(*this, Stage::diarizing, {0.95, 1});
    auto turns = with_.provider.diarize({std::move(*voices), options_.speakers}, sink, stop_);
    if (!turns && turns.error().code == ErrorCode::invalid_request) {
      // What was kept is damaged: it is made anew.
      turns = with_.provider.diarize({TRY(hear_voices(from)), options_.speakers}, sink, stop_);
    }
    if (!turns) return fail(std::move(turns).error());
    save(artifact, bj::serialize(engine::to_json(*turns)));
    return named(*turns);
  }

  Result<std::string> hear_voices(const Key& artifact) {
    const Pcm sound = TRY(pcm(tracks_.front()));
    TRY(with_.provider.prepare(speech_, stop_));
    TRY(with_.provider.prepare(voices_model_, stop_));
    StageSink sink(*this, Stage::diarizing, {0, 0.95});
    std::string voices = TRY(with_.provider.voices(sound, {voices_model_.id, speech_.id}, sink, stop_));
    save(artifact, voices);
    return voices;
  }

  std::vector<transcript::Turn> named(const std::vector<engine::Turn>& turns) const {
    std::vector<transcript::Turn> result;
    for (const engine::Turn& turn : turns) {
      const double offset_s = tracks_.front().sound.offset_s;
      result.push_back({turn.start + offset_s, turn.end + offset_s,
                        transcript::speaker_id(static_cast<size_t>(turn.speaker))});
    }
    return result;
  }

  // ---- the rest

  // Of the track with most speech.
  const std::string& language() const {
    return std::ranges::max_element(tracks_, {}, [](const Track& t) { return t.plan.speech_seconds; })
        ->plan.language;
  }

  void describe(Outcome& outcome) const {
    transcript::Document& document = outcome.document;
    document.title = recording_.title;
    document.language = options_.transcribe.task == engine::Task::translate ? "en" : language();
    if (document.words.empty()) document.language.clear();
    document.provider = with_.provider.id();
    document.transcription_model = words_model_.id;
    if (document.diarized && !options_.multichannel) document.diarization_model = voices_model_.id;
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
    const double fraction = share(stage).at(std::clamp(within, 0.0, 1.0));
    if (fraction < reached_) return;
    reached_ = fraction;
    observer_.progress(stage, fraction, within);
  }

  // Progress of one call of the provider as part of a stage.
  class StageSink : public engine::Sink {
   public:
    StageSink(Run& run, Stage stage, Share share) : run_(run), stage_(stage), share_(share) {}
    void progress(double fraction) override { run_.at(stage_, share_.at(fraction)); }
    void effort(const engine::Effort& effort) override { run_.observer_.effort(effort); }

   private:
    Run& run_;
    Stage stage_;
    Share share_;
  };

  class GroupSink : public StageSink {
   public:
    GroupSink(Run& run, Track& track, Share share)
        : StageSink(run, Stage::transcribing, share), run_(run), track_(track) {}
    Result<void> group(engine::GroupText text) override {
      const engine::Group& group = track_.plan.groups[static_cast<size_t>(text.group)];
      if (text.windows.size() != static_cast<size_t>(group.window_count)) {
        return fail(ErrorCode::engine_crashed, "the engine process gave an answer that cannot be");
      }
      run_.take_group(track_, std::move(text));
      return {};
    }

   private:
    Run& run_;
    Track& track_;
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
  std::optional<media::Info> info_;
  std::vector<Track> tracks_;   // one at least
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
