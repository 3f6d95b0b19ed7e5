#include "engine/child/session.h"

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <thread>
#include <variant>

#include <fmt/format.h>

#include "base/audio.h"
#include "base/log.h"
#include "base/process.h"
#include "base/seam.h"
#include "engine/child/diarize/diarizer.h"
#include "engine/child/kernels/kernels.h"
#include "engine/child/speech/speech.h"
#include "engine/child/whisper/transcriber.h"
#include "engine/serialize.h"

namespace hansard::engine {
namespace {

namespace bj = json::bj;

// Names program, libraries and arithmetic in what the parent keeps: results of another build are not taken
// up.
std::string build_name() {
  const kernels::Set* set = kernels::best();
  return fmt::format("hansard-engine {} ctranslate2 {} onnxruntime {} kernels {}", HANSARD_VERSION,
                     HANSARD_CTRANSLATE2_VERSION, HANSARD_ONNXRUNTIME_VERSION,
                     set != nullptr ? set->instructions() : "none");
}

// Progress is sent at most so often; a call of the model may report much more.
constexpr auto kProgressInterval = std::chrono::milliseconds(100);

// Who speaks is looked for where speech is at all likely: a far voice that gives no words is still a voice, a
// tone is not.
constexpr float kVoiceThreshold = 0.3F;

Channel* log_channel = nullptr;

void send_log_line(log::Level level, std::string_view line) {
  // The channel is gone when this fails, and with it whoever would read the line.
  (void)log_channel->send({{"type", "log"}, {"level", static_cast<int>(level)}, {"line", line}});
}

using LoadedModel =
    std::variant<std::unique_ptr<VoiceActivity>, std::unique_ptr<Transcriber>, std::unique_ptr<Diarizer>>;

// Requests as the reading thread leaves them for the computing one, and the stop of the one in work.
class Inbox {
 public:
  void put(Message message) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
    arrived_.notify_one();
  }

  void cancel() {
    const std::lock_guard lock(mutex_);
    stop_.request_stop();
  }

  // The next request and the token that a cancel stops; nothing when none came within `timeout`.
  std::optional<std::pair<Message, std::stop_token>> take(std::chrono::seconds timeout) {
    std::unique_lock lock(mutex_);
    const auto some = [this] { return !messages_.empty(); };
    if (timeout.count() == 0) {
      arrived_.wait(lock, some);
    } else if (!arrived_.wait_for(lock, timeout, some)) {
      return std::nullopt;
    }
    stop_ = std::stop_source();
    Message message = std::move(messages_.front());
    messages_.pop_front();
    return std::pair(std::move(message), stop_.get_token());
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Message> messages_;
  std::stop_source stop_;
};

class Session {
 public:
  explicit Session(Channel& channel) : channel_(channel) {}

  std::chrono::seconds idle_timeout() const { return idle_timeout_; }

  void answer(Message message, std::stop_token stop) {
    Result<void> result = guarded(message, stop);
    if (result) return;
    const Error& error = result.error();
    (void)channel_.send({{"type", "error"},
                         {"code", static_cast<int>(error.code)},
                         {"message", error.message},
                         {"detail", error.detail}});
  }

 private:
  Result<void> guarded(Message& message, std::stop_token stop) {
    try {
      const Result<void> done = dispatch(message, stop);
      ::malloc_trim(0);  // what one stage freed is not held beside the next
      return done;
    } catch (const std::bad_alloc&) {
      return fail(ErrorCode::out_of_memory, "the engine ran out of memory");
    } catch (const std::exception& error) {
      return fail(ErrorCode::internal, "the engine failed", error.what());
    }
  }

  Result<void> dispatch(Message& message, std::stop_token stop) {
    seam("engine.request", message.type);
    if (message.type == "hello") return hello(message);
    if (message.type == "load") return load(message);
    if (message.type == "plan") return plan(message, stop);
    if (message.type == "transcribe") return transcribe(message, stop);
    if (message.type == "voices") return voices(message, stop);
    if (message.type == "diarize") return diarize(message, stop);
    return fail(ErrorCode::internal, "the engine was asked for something it does not know", message.type);
  }

  Result<void> hello(const Message& message) {
    const bj::object& in = message.header;
    if (TRY(json::get_integer(in, "version")) != kProtocolVersion) {
      return fail(ErrorCode::internal,
                  "hansard and hansard-engine are of different versions; install both anew");
    }
    options_.device = TRY(parse_device(TRY(json::get_string(in, "device"))));
    options_.compute_type = TRY(parse_compute_type(TRY(json::get_string(in, "compute_type"))));
    options_.threads = static_cast<int>(TRY(json::get_integer(in, "threads", 0, 1024)));
    options_.memory_limit_bytes = TRY(json::get_integer(in, "memory_limit_bytes", 0));
    max_loaded_ = static_cast<size_t>(TRY(json::get_integer(in, "max_loaded", 1, 64)));
    if (options_.memory_limit_bytes > 0) max_loaded_ = 1;
    idle_timeout_ = std::chrono::seconds(TRY(json::get_integer(in, "idle_timeout_s", 0)));
    log::set_level(static_cast<log::Level>(TRY(json::get_integer(in, "log_level", 0, 4))));
    resolved_ = TRY(resolve(options_));
    return channel_.send({{"type", "hello"},
                          {"version", kProtocolVersion},
                          {"device", name(resolved_.device)},
                          {"device_note", resolved_.note},
                          {"compute_type", name(resolved_.compute_type)},
                          {"build", build_name()}});
  }

  Result<void> load(Message& message) {
    ModelFiles files;
    files.id = TRY(json::get_string(message.header, "id"));
    files.kind = TRY(json::get_string(message.header, "kind"));
    const bj::array& names = *TRY(json::get_array(message.header, "files"));
    if (names.size() != message.descriptors.size()) {
      return fail(ErrorCode::internal, "a model came without its files");
    }
    for (size_t i = 0; i < names.size(); ++i) {
      files.files.push_back({std::string(names[i].as_string()), std::move(message.descriptors[i])});
    }
    make_room();
    models_.emplace_front(files.id, TRY(load_model(files)));
    return channel_.send({{"type", "done"}});
  }

  Result<LoadedModel> load_model(const ModelFiles& files) {
    if (files.kind == "speech") return LoadedModel(TRY(VoiceActivity::load(files, options_.threads)));
    if (files.kind == "transcription") return LoadedModel(TRY(Transcriber::load(files, options_)));
    if (files.kind == "diarization") return LoadedModel(TRY(Diarizer::load(files, options_.threads)));
    return fail(ErrorCode::internal, "the engine was given a model of an unknown kind", files.kind);
  }

  // The voice activity model is needed by every stage and small: it does not count.
  void make_room() {
    const auto counts = [](const auto& entry) {
      return !std::holds_alternative<std::unique_ptr<VoiceActivity>>(entry.second);
    };
    while (static_cast<size_t>(std::count_if(models_.begin(), models_.end(), counts)) >= max_loaded_) {
      const auto oldest = std::find_if(models_.rbegin(), models_.rend(), counts);
      models_.erase(std::next(oldest).base());
    }
  }

  template <typename Model>
  Result<Model*> model(std::string_view id) {
    for (auto it = models_.begin(); it != models_.end(); ++it) {
      if (it->first != id) continue;
      models_.splice(models_.begin(), models_, it);
      if (auto* held = std::get_if<std::unique_ptr<Model>>(&models_.front().second)) return held->get();
    }
    return fail(ErrorCode::model_unavailable, fmt::format("model {} is not loaded", id));
  }

  Result<Pcm> take_spool(Message& message) {
    if (message.descriptors.size() != 1)
      return fail(ErrorCode::internal, "a request came without a recording");
    const int64_t samples = TRY(json::get_integer(message.header, "samples", 0));
    spool_ = std::move(message.descriptors[0]);
    return Pcm(spool_.get(), samples);
  }

  // The voice activity of the recording at hand; two stages ask for it.
  Result<std::span<const float>> speech_probabilities(const Pcm& pcm, std::string_view model_id,
                                                      const OnFraction& on_fraction, std::stop_token stop) {
    VoiceActivity* network = TRY(model<VoiceActivity>(model_id));
    if (!same_recording(pcm)) {
      probabilities_ = TRY(network->probabilities(pcm, on_fraction, stop));
      remember_recording(pcm);
    }
    return std::span<const float>(probabilities_);
  }

  bool same_recording(const Pcm& pcm) const {
    struct stat status = {};
    return ::fstat(pcm.fd(), &status) == 0 && status.st_ino == recording_.st_ino &&
           status.st_dev == recording_.st_dev && status.st_size == recording_.st_size &&
           status.st_ctim.tv_sec == recording_.st_ctim.tv_sec &&
           status.st_ctim.tv_nsec == recording_.st_ctim.tv_nsec && !probabilities_.empty();
  }

  void remember_recording(const Pcm& pcm) {
    if (::fstat(pcm.fd(), &recording_) != 0) recording_ = {};
  }

  // Progress of one part of a request, mapped into [from, to] of the whole.
  OnFraction part(double from, double to) {
    return [this, from, to](double fraction) { progress(from + (to - from) * fraction); };
  }

  void progress(double fraction) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_progress_ < kProgressInterval && fraction < 1) return;
    last_progress_ = now;
    (void)channel_.send({{"type", "progress"}, {"fraction", fraction}});
  }

  Result<void> plan(Message& message, std::stop_token stop) {
    const Pcm pcm = TRY(take_spool(message));
    const SpeechOptions speech =
        TRY(speech_options_from_json(*TRY(json::get_object(message.header, "speech"))));
    const std::string language = TRY(json::get_string(message.header, "language"));
    const auto batch_size = static_cast<int>(TRY(json::get_integer(message.header, "batch_size", 1, 256)));
    const std::string speech_model = TRY(json::get_string(message.header, "speech_model"));
    const std::string transcription_model = TRY(json::get_string(message.header, "transcription_model"));
    const std::span<const float> probabilities =
        TRY(speech_probabilities(pcm, speech_model, part(0, 0.5), stop));
    const std::vector<Piece> regions = speech_regions(probabilities, pcm.sample_count(), speech);
    Plan result;
    result.windows = pack_windows(regions, probabilities);
    for (const Piece& region : regions) {
      result.speech_seconds += static_cast<double>(region.end - region.start) / kSampleRate;
    }
    if (!result.windows.empty()) {
      Transcriber* transcriber = TRY(model<Transcriber>(transcription_model));
      if (language != "auto") result.language = language;
      TRY(transcriber->detect_languages(pcm, regions, result, part(0.5, 1), stop));
    }
    const int batch = std::min(batch_size, TRY(windows_at_once(transcription_model)));
    result.groups = make_groups(static_cast<int>(result.windows.size()), batch);
    const Effort effort = TRY(model<Transcriber>(transcription_model))->take_effort();
    return channel_.send({{"type", "done"}, {"plan", to_json(result)}, {"effort", to_json(effort)}});
  }

  // How many windows the memory limit leaves room for.
  Result<int> windows_at_once(std::string_view transcription_model) {
    if (options_.memory_limit_bytes == 0) return std::numeric_limits<int>::max();
    const int64_t now = static_cast<int64_t>(resident_bytes(::getpid()));
    const Transcriber::Memory needs = TRY(model<Transcriber>(transcription_model))->memory();
    const int64_t least = now + needs.once_bytes + needs.window_bytes;
    if (least > options_.memory_limit_bytes) {
      constexpr int64_t kMegabyte = 1'000'000;
      return fail(
          ErrorCode::out_of_memory,
          fmt::format(
              "The memory limit is {} MB; the model needs {} MB at least. Raise the limit or choose a "
              "smaller model.",
              options_.memory_limit_bytes / kMegabyte, least / kMegabyte + 1));
    }
    return static_cast<int>((options_.memory_limit_bytes - now - needs.once_bytes) / needs.window_bytes);
  }

  Result<void> transcribe(Message& message, std::stop_token stop) {
    const Pcm pcm = TRY(take_spool(message));
    const Plan the_plan = TRY(plan_from_json(*TRY(json::get_object(message.header, "plan"))));
    const TranscribeOptions options =
        TRY(transcribe_options_from_json(*TRY(json::get_object(message.header, "options"))));
    Transcriber* transcriber =
        TRY(model<Transcriber>(TRY(json::get_string(message.header, "transcription_model"))));
    const bj::array& groups = *TRY(json::get_array(message.header, "groups"));
    double done = 0;
    for (const bj::value& value : groups) {
      const auto group = static_cast<int>(value.as_int64());
      if (group < 0 || group >= static_cast<int>(the_plan.groups.size())) {
        return fail(ErrorCode::internal, "the engine was asked for a group that the plan does not have");
      }
      const double share = 1.0 / static_cast<double>(groups.size());
      const GroupText text =
          TRY(transcriber->transcribe(pcm, the_plan, group, options, part(done, done + share), stop));
      done += share;
      TRY(channel_.send({{"type", "group"}, {"text", to_json(text)}}));
    }
    return channel_.send({{"type", "done"}, {"effort", to_json(transcriber->take_effort())}});
  }

  Result<void> voices(Message& message, std::stop_token stop) {
    const Pcm pcm = TRY(take_spool(message));
    const std::string speech_model = TRY(json::get_string(message.header, "speech_model"));
    Diarizer* diarizer = TRY(model<Diarizer>(TRY(json::get_string(message.header, "diarization_model"))));
    rest_transcribers();
    const std::span<const float> probabilities =
        TRY(speech_probabilities(pcm, speech_model, part(0, 0.05), stop));
    const std::vector<Piece> regions =
        speech_regions(probabilities, pcm.sample_count(), {.threshold = kVoiceThreshold});
    const std::string bytes = TRY(diarizer->voices(pcm, regions, part(0.05, 1), stop));
    return channel_.send({{"type", "done"}}, bytes);
  }

  // Of a recording's stages this one comes after its words: what they worked in is not held beside it. Where
  // words are all that is wanted, it is kept: taking it anew costs recordings of ten seconds a tenth.
  void rest_transcribers() {
    for (auto& [id, model] : models_) {
      if (auto* transcriber = std::get_if<std::unique_ptr<Transcriber>>(&model)) (*transcriber)->rest();
    }
    ::malloc_trim(0);
  }

  Result<void> diarize(Message& message, std::stop_token stop) {
    const SpeakerCount speakers =
        TRY(speaker_count_from_json(*TRY(json::get_object(message.header, "speakers"))));
    const std::vector<Turn> result = TRY(turns(std::move(message.payload), speakers, stop));
    return channel_.send({{"type", "done"}, {"turns", to_json(result)}});
  }

  Channel& channel_;
  EngineOptions options_;
  Resolved resolved_;
  size_t max_loaded_ = 2;
  std::chrono::seconds idle_timeout_{0};
  std::list<std::pair<std::string, LoadedModel>> models_;  // most recently used first
  UniqueFd spool_;
  struct stat recording_ = {};
  std::vector<float> probabilities_;  // of recording_
  std::chrono::steady_clock::time_point last_progress_;
};

// Ends the process when the parent is gone: whatever is being computed, nobody wants it any more.
void read_requests(Channel& channel, Inbox& inbox) {
  for (;;) {
    Result<std::optional<Message>> message = channel.receive(std::chrono::milliseconds::max());
    if (!message) std::_Exit(0);
    if (!*message) continue;
    if ((*message)->type == "cancel") {
      inbox.cancel();
    } else {
      inbox.put(std::move(**message));
    }
  }
}

}  // namespace

int serve(UniqueFd socket) {
  Channel channel(std::move(socket));
  log_channel = &channel;
  log::set_sink(send_log_line);
  Inbox inbox;
  std::thread reader(read_requests, std::ref(channel), std::ref(inbox));
  reader.detach();  // lives as long as the process: it blocks in a read that only the parent ends
  Session session(channel);
  while (auto request = inbox.take(session.idle_timeout())) {
    session.answer(std::move(request->first), request->second);
  }
  std::_Exit(0);  // idle: nobody waits for destructors, and the reader still uses the channel
}

}  // namespace hansard::engine
