#include "engine/process/process_provider.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/process.h"
#include "base/stop_event.h"
#include "engine/process/silence.h"
#include "engine/protocol.h"
#include "engine/serialize.h"

namespace hansard::engine {
namespace {

namespace bj = json::bj;
using Clock = std::chrono::steady_clock;

// How often memory and silence are looked at while a request is in work.
constexpr auto kWatchInterval = std::chrono::milliseconds(500);

// How long a process has computed, in all its threads.
std::chrono::nanoseconds cpu_time(pid_t pid) {
  clockid_t clock = 0;
  timespec time = {};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Error error_from(const bj::object& header) {
  Error error{ErrorCode::internal, "the engine failed", {}};
  if (auto code = json::get_integer(header, "code", 0, static_cast<int>(ErrorCode::internal))) {
    error.code = static_cast<ErrorCode>(*code);
  }
  if (auto text = json::get_string(header, "message")) error.message = *text;
  if (auto text = json::get_string(header, "detail")) error.detail = *text;
  return error;
}

class ProcessProvider : public Provider {
 public:
  explicit ProcessProvider(ProcessOptions options) : options_(std::move(options)) {}
  ~ProcessProvider() override { ProcessProvider::close(); }

  std::string_view id() const override { return "local"; }

  Result<Capabilities> capabilities() override {
    TRY(ensure_started());
    return capabilities_;
  }

  Result<void> prepare(const models::Installed& model, std::stop_token stop) override {
    prepared_.insert_or_assign(model.id, model);
    TRY(ensure_started());
    return ensure_loaded(model.id, stop);
  }

  Result<Plan> plan(const Pcm& pcm, const PlanRequest& request, Sink& sink, std::stop_token stop) override {
    TRY(ready({request.speech_model, request.transcription_model}, stop));
    const Message done = TRY(call({{"type", "plan"},
                                   {"samples", pcm.sample_count()},
                                   {"speech_model", request.speech_model},
                                   {"transcription_model", request.transcription_model},
                                   {"language", request.language},
                                   {"batch_size", request.batch_size},
                                   {"speech", to_json(request.speech)}},
                                  {}, {{pcm.fd()}}, sink, stop));
    const bj::object* object = TRY(trusted(json::get_object(done.header, "plan")));
    Plan result = TRY(trusted(plan_from_json(*object)));
    for (const Window& window : result.windows) {
      if (window.pieces.back().end > pcm.sample_count())
        return broken("a window lies outside of the recording");
    }
    return result;
  }

  Result<void> transcribe(const Pcm& pcm, const TranscribeRequest& request, Sink& sink,
                          std::stop_token stop) override {
    TRY(ready({request.transcription_model}, stop));
    expected_groups_ = request.groups;
    const Message done = TRY(call({{"type", "transcribe"},
                                   {"samples", pcm.sample_count()},
                                   {"transcription_model", request.transcription_model},
                                   {"plan", to_json(request.plan)},
                                   {"groups", bj::value_from(request.groups)},
                                   {"options", to_json(request.options)}},
                                  {}, {{pcm.fd()}}, sink, stop));
    if (!expected_groups_.empty()) return broken("groups are missing");
    return {};
  }

  Result<std::string> voices(const Pcm& pcm, const VoicesRequest& request, Sink& sink,
                             std::stop_token stop) override {
    TRY(ready({request.speech_model, request.diarization_model}, stop));
    Message done = TRY(call({{"type", "voices"},
                             {"samples", pcm.sample_count()},
                             {"speech_model", request.speech_model},
                             {"diarization_model", request.diarization_model}},
                            {}, {{pcm.fd()}}, sink, stop));
    return std::move(done.payload);
  }

  Result<std::vector<Turn>> diarize(DiarizeRequest request, Sink& sink, std::stop_token stop) override {
    TRY(ensure_started());
    const Message done = TRY(call({{"type", "diarize"}, {"speakers", to_json(request.speakers)}},
                                  std::move(request.voices), {}, sink, stop));
    return trusted(turns_from_json(*TRY(trusted(json::get_array(done.header, "turns")))));
  }

  void tidy() override {
    if (!channel_) return;
    if (const auto exit = child_.wait_for(std::chrono::milliseconds(0))) end(!exit->ok());
  }

  void close() override { end(false); }

 private:
  // ---- the child

  // One that is beyond asking.
  void end_child() {
    child_.kill(SIGKILL);
    end(true);
  }

  Result<void> ensure_started() {
    tidy();
    if (channel_) return {};
    return start();
  }

  // `died`: it was not asked to end, nor had it nothing to do.
  void end(bool died) {
    channel_.reset();
    const pid_t pid = child_.pid();
    if (child_.running() && !child_.wait_for(limits::kEngineCancelGrace)) child_.kill(SIGKILL);
    child_ = ChildProcess();
    loaded_.clear();
    if (pid > 0 && options_.on_end) options_.on_end(pid, died);
  }

  // Which GPUs there are, where their libraries lie, and where the driver keeps the code it compiles for a
  // GPU newer than the library: without that it compiles for 14 s at each start. And what a processor may be
  // taken for, CTranslate2's own switch.
  void add_device_environment(std::vector<std::string>& environment) const {
    for (const char* name :
         {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "LD_LIBRARY_PATH", "CT2_FORCE_CPU_ISA"}) {
      if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
    }
    if (!options_.gpu_code_folder.empty()) {
      environment.push_back("CUDA_CACHE_PATH=" + options_.gpu_code_folder.string());
    }
  }

  Result<void> start() {
    auto [ours, theirs] = TRY(make_socket_pair());
    ChildOptions child;
    child.argv = {options_.program.string()};
    // Large blocks come and go with every window: with huge pages the kernel clears them 30 % faster in all.
    // Threads that wait must not spin: beside other work they would take its time.
    child.environment = {"LC_ALL=C.UTF-8", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1",
                         "OMP_WAIT_POLICY=PASSIVE"};
    add_device_environment(child.environment);
    child.descriptors = {{3, theirs.get()}};
    if (log::level() <= log::Level::debug) child.descriptors.emplace_back(2, STDERR_FILENO);
    child_ = TRY(ChildProcess::start(child));
    if (options_.on_start) options_.on_start(child_.pid());
    channel_ = std::make_unique<Channel>(std::move(ours));
    theirs.reset();
    Result<void> greeted = greet();
    if (!greeted) close();
    return greeted;
  }

  Result<void> greet() {
    TRY(channel_->send({{"type", "hello"},
                        {"version", kProtocolVersion},
                        {"device", name(options_.engine.device)},
                        {"compute_type", name(options_.engine.compute_type)},
                        {"threads", options_.engine.threads},
                        {"memory_limit_bytes", options_.engine.memory_limit_bytes},
                        {"max_loaded", options_.max_loaded},
                        {"idle_timeout_s", options_.idle_timeout.count()},
                        {"log_level", static_cast<int>(log::level())}}));
    Sink none;
    const Message hello = TRY(wait_for_answer("hello", limits::kEngineStart, none, {}));
    if (TRY(trusted(json::get_integer(hello.header, "version"))) != kProtocolVersion) {
      return fail(ErrorCode::internal,
                  "hansard and hansard-engine are of different versions; install both anew");
    }
    capabilities_.provider = "local";
    capabilities_.device = TRY(trusted(json::get_string(hello.header, "device")));
    capabilities_.device_note = TRY(trusted(json::get_string(hello.header, "device_note")));
    capabilities_.compute_type = TRY(trusted(json::get_string(hello.header, "compute_type")));
    capabilities_.build = TRY(trusted(json::get_string(hello.header, "build")));
    return {};
  }

  Result<void> ready(std::initializer_list<std::string_view> model_ids, std::stop_token stop) {
    TRY(ensure_started());
    for (const std::string_view id : model_ids) TRY(ensure_loaded(id, stop));
    return {};
  }

  Result<void> ensure_loaded(std::string_view id, std::stop_token stop) {
    if (loaded_.contains(id)) return {};
    const auto found = prepared_.find(id);
    if (found == prepared_.end()) {
      return fail(ErrorCode::model_unavailable, fmt::format("model {} was not prepared", id));
    }
    const models::Installed& model = found->second;
    std::vector<UniqueFd> files;
    std::vector<int> descriptors;
    bj::array names;
    for (const models::File& file : model.files) {
      Result<UniqueFd> opened = open_for_read(model.folder / file.name);
      if (!opened) {
        return fail(ErrorCode::model_corrupt,
                    fmt::format("model {} lacks its file {}; repair it with: hansard models install {}",
                                model.id, file.name, model.id),
                    opened.error().message);
      }
      names.emplace_back(file.name);
      descriptors.push_back(opened->get());
      files.push_back(std::move(*opened));
    }
    Sink none;
    TRY(call(
        {{"type", "load"}, {"id", model.id}, {"kind", kind_name(model.kind)}, {"files", std::move(names)}},
        {}, descriptors, none, stop));
    note_loaded(model);
    return {};
  }

  // What the child unloads to make room it can load again: forgetting more than it does costs a load, no
  // more.
  void note_loaded(const models::Installed& model) {
    if (model.kind != models::Kind::speech) {
      std::erase_if(order_, [&](const std::string& other) { return !loaded_.contains(other); });
      if (order_.size() >= static_cast<size_t>(options_.max_loaded)) {
        for (const std::string& other : order_) loaded_.erase(other);
        order_.clear();
      }
      order_.push_back(model.id);
    }
    loaded_.insert(model.id);
  }

  // ---- one request

  Result<Message> call(const bj::object& header, std::string payload, std::span<const int> descriptors,
                       Sink& sink, std::stop_token stop) {
    Result<Message> answer = send_and_wait(header, std::move(payload), descriptors, sink, stop);
    if (!answer && ends_child(answer.error().code)) end_child();
    if (answer && answer->header.contains("effort")) {
      sink.effort(TRY(trusted(effort_from_json(*TRY(trusted(json::get_object(answer->header, "effort")))))));
    }
    return answer;
  }

  static bool ends_child(ErrorCode code) {
    return code == ErrorCode::engine_crashed || code == ErrorCode::engine_timeout ||
           code == ErrorCode::out_of_memory;
  }

  Result<Message> send_and_wait(const bj::object& header, std::string payload,
                                std::span<const int> descriptors, Sink& sink, std::stop_token stop) {
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
    TRY(channel_->send(header, payload, descriptors));
    std::string().swap(payload);  // tens of megabytes of voices, and the engine holds them now
    return wait_for_answer("done", options_.silence, sink, stop);
  }

  Result<Message> wait_for_answer(std::string_view type, Clock::duration most_silence, Sink& sink,
                                  std::stop_token stop) {
    const StopEvent stop_event(stop);
    std::optional<Clock::time_point> canceled_at;
    Silence silence(most_silence, Clock::now(), cpu_time(child_.pid()));
    Error sink_error;
    bool sink_failed = false;
    for (;;) {
      if ((stop.stop_requested() || sink_failed) && !canceled_at) {
        canceled_at = Clock::now();
        (void)channel_->send({{"type", "cancel"}});
      }
      // Once a stop is asked for, its event stays readable: it must not be waited for again.
      const auto grace_end = canceled_at.value_or(Clock::now()) + limits::kEngineCancelGrace;
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(
          std::clamp<Clock::duration>(grace_end - Clock::now(), Clock::duration::zero(), kWatchInterval));
      std::optional<Message> message = TRY(channel_->receive(wait, canceled_at ? -1 : stop_event.fd()));
      if (!message) {
        if (canceled_at && Clock::now() >= grace_end) {
          end_child();
          return sink_failed ? fail(std::move(sink_error)) : fail(ErrorCode::canceled, "canceled");
        }
        if (silence.too_long(Clock::now(), cpu_time(child_.pid()))) {
          return fail(ErrorCode::engine_timeout, "the engine process does not answer");
        }
        TRY(check_memory());
        continue;
      }
      silence.heard(Clock::now(), cpu_time(child_.pid()));
      if (message->type == "error") {
        if (sink_failed) return fail(std::move(sink_error));
        return fail(error_from(message->header));
      }
      if (message->type == type) {
        if (sink_failed) return fail(std::move(sink_error));
        return std::move(*message);
      }
      Result<void> handled = handle(*message, sink);
      if (!handled && !sink_failed) {
        sink_failed = true;
        sink_error = std::move(handled).error();
      }
    }
  }

  Result<void> handle(const Message& message, Sink& sink) {
    if (message.type == "progress") {
      sink.progress(std::clamp(TRY(trusted(json::get_number(message.header, "fraction"))), 0.0, 1.0));
      return {};
    }
    if (message.type == "log") {
      const int64_t level = TRY(trusted(json::get_integer(message.header, "level", 0, 3)));
      log::write(static_cast<log::Level>(level), TRY(trusted(json::get_string(message.header, "line"))));
      return {};
    }
    if (message.type == "group") {
      GroupText text = TRY(trusted(group_from_json(*TRY(trusted(json::get_object(message.header, "text"))))));
      if (expected_groups_.empty() || text.group != expected_groups_.front())
        return broken("an unexpected group");
      expected_groups_.erase(expected_groups_.begin());
      return sink.group(std::move(text));
    }
    return broken("an unexpected message: " + message.type);
  }

  Result<void> check_memory() {
    if (options_.engine.memory_limit_bytes == 0 ||
        resident_bytes(child_.pid()) <= static_cast<uint64_t>(options_.engine.memory_limit_bytes))
      return {};
    return fail(ErrorCode::out_of_memory,
                fmt::format("the engine grew over its memory limit of {} MB; raise --memory-limit or "
                            "SPEECH_ENGINE_MEMORY_LIMIT, or choose a smaller model",
                            options_.engine.memory_limit_bytes / 1'000'000));
  }

  static tl::unexpected<Error> broken(std::string detail) {
    return fail(ErrorCode::engine_crashed, "the engine process gave an answer that cannot be",
                std::move(detail));
  }

  // What a child says is checked; what does not hold is the child's failure, not the caller's.
  template <typename T>
  static Result<T> trusted(Result<T> result) {
    if (!result) return broken(std::move(result).error().message);
    return result;
  }

  ProcessOptions options_;
  ChildProcess child_;
  std::unique_ptr<Channel> channel_;
  Capabilities capabilities_;
  std::map<std::string, models::Installed, std::less<>> prepared_;
  std::set<std::string, std::less<>> loaded_;
  std::vector<std::string> order_;  // loaded models that count against max_loaded, oldest first
  std::vector<int> expected_groups_;
};

}  // namespace

std::unique_ptr<Provider> make_process_provider(ProcessOptions options) {
  return std::make_unique<ProcessProvider>(std::move(options));
}

}  // namespace hansard::engine
