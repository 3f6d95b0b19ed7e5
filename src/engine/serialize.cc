#include "engine/serialize.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace hansard::engine {
namespace {

namespace bj = json::bj;

// Words and turns are rounded to what they are known to: a tenth of a millisecond is finer than either model.
double time_of(double seconds) {
  return json::rounded(seconds, 4);
}

tl::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::invalid_request, std::string(what));
}

Result<const bj::object*> as_object(const bj::value& value) {
  if (!value.is_object()) return bad("an object is missing");
  return &value.get_object();
}

Result<double> get_time(const bj::object& object, std::string_view name) {
  const double value = TRY(json::get_number(object, name));
  if (value < 0 || value > 1e7) return bad(fmt::format("field \"{}\" is no time", name));
  return value;
}

Result<Piece> piece_from_json(const bj::value& value) {
  if (!value.is_array() || value.get_array().size() != 2) return bad("a piece is not [start, end]");
  const bj::array& ends = value.get_array();
  if (!ends[0].is_int64() || !ends[1].is_int64()) return bad("a piece is not [start, end]");
  const Piece piece{ends[0].get_int64(), ends[1].get_int64()};
  if (piece.start < 0 || piece.end <= piece.start) return bad("a piece ends before it starts");
  return piece;
}

Result<Window> window_from_json(const bj::object& object) {
  Window window;
  window.language = TRY(json::get_string(object, "language"));
  int64_t last_end = 0;
  for (const bj::value& value : *TRY(json::get_array(object, "pieces"))) {
    window.pieces.push_back(TRY(piece_from_json(value)));
    if (window.pieces.back().start < last_end) return bad("pieces overlap");
    last_end = window.pieces.back().end;
  }
  if (window.pieces.empty()) return bad("a window is empty");
  return window;
}

Result<void> check_groups(const Plan& plan) {
  int next = 0;
  for (const Group& group : plan.groups) {
    if (group.first_window != next || group.window_count < 1) return bad("groups do not cover the windows");
    next += group.window_count;
  }
  if (next != static_cast<int>(plan.windows.size())) return bad("groups do not cover the windows");
  return {};
}

bj::object to_json(const Word& word) {
  return {{"start", time_of(word.start)},
          {"end", time_of(word.end)},
          {"text", word.text},
          {"probability", json::rounded(static_cast<double>(word.probability), 4)}};
}

Result<Word> word_from_json(const bj::object& object) {
  Word word;
  word.start = TRY(get_time(object, "start"));
  word.end = TRY(get_time(object, "end"));
  if (word.end < word.start) return bad("a word ends before it starts");
  word.text = TRY(json::get_string(object, "text"));
  word.probability = static_cast<float>(TRY(json::get_number(object, "probability")));
  return word;
}

bj::object to_json(const WindowText& window) {
  bj::array words;
  for (const Word& word : window.words) words.push_back(to_json(word));
  return {{"language", window.language},
          {"tokens", bj::value_from(window.tokens)},
          {"average_log_probability", json::rounded(window.average_log_probability, 5)},
          {"no_speech_probability", json::rounded(window.no_speech_probability, 5)},
          {"decoded_again", window.decoded_again},
          {"words", std::move(words)}};
}

Result<WindowText> window_text_from_json(const bj::object& object) {
  WindowText window;
  window.language = TRY(json::get_string(object, "language"));
  for (const bj::value& token : *TRY(json::get_array(object, "tokens"))) {
    if (!token.is_int64() || token.get_int64() < 0 || token.get_int64() > 1'000'000)
      return bad("a token is off");
    window.tokens.push_back(static_cast<int>(token.get_int64()));
  }
  window.average_log_probability = TRY(json::get_number(object, "average_log_probability"));
  window.no_speech_probability = TRY(json::get_number(object, "no_speech_probability"));
  window.decoded_again = TRY(json::get_bool(object, "decoded_again"));
  for (const bj::value& value : *TRY(json::get_array(object, "words"))) {
    window.words.push_back(TRY(word_from_json(*TRY(as_object(value)))));
  }
  return window;
}

constexpr std::array<std::string_view, 3> kDeviceNames{"auto", "cpu", "cuda"};
constexpr std::array<std::string_view, 4> kComputeTypeNames{"auto", "int8", "float16", "float32"};
constexpr std::array<std::string_view, 2> kTaskNames{"transcribe", "translate"};
constexpr std::array<std::string_view, 3> kPresetNames{"fast", "balanced", "accurate"};

template <typename Enum, size_t N>
Result<Enum> parse_name(const std::array<std::string_view, N>& names, std::string_view name,
                        std::string_view what) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return fail(ErrorCode::invalid_request,
              fmt::format("{} \"{}\" is not one of {}", what, name, fmt::join(names, ", ")));
}

}  // namespace

bj::object to_json(const Plan& plan) {
  bj::array windows;
  for (const Window& window : plan.windows) {
    bj::array pieces;
    for (const Piece& piece : window.pieces) pieces.push_back(bj::array{piece.start, piece.end});
    windows.push_back(bj::object{{"language", window.language}, {"pieces", std::move(pieces)}});
  }
  bj::array groups;
  for (const Group& group : plan.groups) groups.push_back(bj::array{group.first_window, group.window_count});
  return {{"windows", std::move(windows)},
          {"groups", std::move(groups)},
          {"language", plan.language},
          {"language_probability", json::rounded(plan.language_probability, 5)},
          {"speech_seconds", json::rounded(plan.speech_seconds, 4)}};
}

Result<Plan> plan_from_json(const bj::object& object) {
  Plan plan;
  for (const bj::value& value : *TRY(json::get_array(object, "windows"))) {
    plan.windows.push_back(TRY(window_from_json(*TRY(as_object(value)))));
  }
  for (const bj::value& value : *TRY(json::get_array(object, "groups"))) {
    if (!value.is_array() || value.get_array().size() != 2) return bad("a group is not [first, count]");
    const bj::array& pair = value.get_array();
    if (!pair[0].is_int64() || !pair[1].is_int64()) return bad("a group is not [first, count]");
    const auto limit = static_cast<int64_t>(plan.windows.size());
    if (pair[0].get_int64() < 0 || pair[0].get_int64() > limit || pair[1].get_int64() > limit) {
      return bad("groups do not cover the windows");
    }
    plan.groups.push_back({static_cast<int>(pair[0].get_int64()), static_cast<int>(pair[1].get_int64())});
  }
  TRY(check_groups(plan));
  plan.language = TRY(json::get_string(object, "language"));
  plan.language_probability = TRY(json::get_number(object, "language_probability"));
  plan.speech_seconds = TRY(get_time(object, "speech_seconds"));
  return plan;
}

bj::object to_json(const GroupText& group) {
  bj::array windows;
  for (const WindowText& window : group.windows) windows.push_back(to_json(window));
  return {{"group", group.group}, {"windows", std::move(windows)}};
}

Result<GroupText> group_from_json(const bj::object& object) {
  GroupText group;
  group.group = static_cast<int>(TRY(json::get_integer(object, "group", 0, 1'000'000)));
  for (const bj::value& value : *TRY(json::get_array(object, "windows"))) {
    group.windows.push_back(TRY(window_text_from_json(*TRY(as_object(value)))));
  }
  return group;
}

bj::array to_json(const std::vector<Turn>& turns) {
  bj::array array;
  for (const Turn& turn : turns) {
    array.push_back(
        bj::object{{"start", time_of(turn.start)}, {"end", time_of(turn.end)}, {"speaker", turn.speaker}});
  }
  return array;
}

Result<std::vector<Turn>> turns_from_json(const bj::array& array) {
  std::vector<Turn> turns;
  for (const bj::value& value : array) {
    const bj::object& object = *TRY(as_object(value));
    Turn turn;
    turn.start = TRY(get_time(object, "start"));
    turn.end = TRY(get_time(object, "end"));
    if (turn.end < turn.start) return bad("a turn ends before it starts");
    turn.speaker = static_cast<int>(TRY(json::get_integer(object, "speaker", 0, 9999)));
    turns.push_back(turn);
  }
  return turns;
}

bj::object to_json(const SpeechOptions& options) {
  return {{"voice_activity", options.voice_activity},
          {"threshold", json::rounded(static_cast<double>(options.threshold), 4)},
          {"min_silence_ms", options.min_silence_ms}};
}

Result<SpeechOptions> speech_options_from_json(const bj::object& object) {
  SpeechOptions options;
  options.voice_activity = TRY(json::get_bool(object, "voice_activity"));
  options.threshold = static_cast<float>(TRY(json::get_number(object, "threshold")));
  options.min_silence_ms = static_cast<int>(TRY(json::get_integer(object, "min_silence_ms", 0, 60'000)));
  return options;
}

bj::object to_json(const TranscribeOptions& options) {
  return {{"task", name(options.task)},
          {"preset", name(options.preset)},
          {"beam_size", options.beam_size},
          {"initial_prompt", options.initial_prompt},
          {"hotwords", bj::value_from(options.hotwords)}};
}

Result<TranscribeOptions> transcribe_options_from_json(const bj::object& object) {
  TranscribeOptions options;
  options.task = TRY(parse_task(TRY(json::get_string(object, "task"))));
  options.preset = TRY(parse_preset(TRY(json::get_string(object, "preset"))));
  options.beam_size = static_cast<int>(TRY(json::get_integer(object, "beam_size", 0, 100)));
  options.initial_prompt = TRY(json::get_string(object, "initial_prompt"));
  for (const bj::value& word : *TRY(json::get_array(object, "hotwords"))) {
    if (!word.is_string()) return bad("a hotword is not text");
    options.hotwords.emplace_back(word.get_string());
  }
  return options;
}

bj::object to_json(const Effort& effort) {
  return {{"seconds", bj::value_from(effort.seconds)}, {"counts", bj::value_from(effort.counts)}};
}

Result<Effort> effort_from_json(const bj::object& object) {
  Effort effort;
  const bj::object& seconds = *TRY(json::get_object(object, "seconds"));
  for (const auto& field : seconds) effort.seconds[field.key()] = TRY(json::get_number(seconds, field.key()));
  const bj::object& counts = *TRY(json::get_object(object, "counts"));
  for (const auto& field : counts)
    effort.counts[field.key()] = TRY(json::get_integer(counts, field.key(), 0));
  return effort;
}

bj::object to_json(const SpeakerCount& count) {
  bj::object object;
  if (count.exact) object["exact"] = *count.exact;
  if (count.least) object["least"] = *count.least;
  if (count.most) object["most"] = *count.most;
  return object;
}

Result<SpeakerCount> speaker_count_from_json(const bj::object& object) {
  const auto read = [&](std::string_view name) -> Result<std::optional<int>> {
    if (!object.contains({name.data(), name.size()})) return std::optional<int>();
    return std::optional<int>(static_cast<int>(TRY(json::get_integer(object, name, 1, 1000))));
  };
  SpeakerCount count;
  count.exact = TRY(read("exact"));
  count.least = TRY(read("least"));
  count.most = TRY(read("most"));
  return count;
}

std::string_view name(Device device) {
  return kDeviceNames.at(static_cast<size_t>(device));
}
std::string_view name(ComputeType compute_type) {
  return kComputeTypeNames.at(static_cast<size_t>(compute_type));
}
std::string_view name(Task task) {
  return kTaskNames.at(static_cast<size_t>(task));
}
std::string_view name(Preset preset) {
  return kPresetNames.at(static_cast<size_t>(preset));
}
Result<Device> parse_device(std::string_view name) {
  return parse_name<Device>(kDeviceNames, name, "device");
}
Result<ComputeType> parse_compute_type(std::string_view name) {
  return parse_name<ComputeType>(kComputeTypeNames, name, "compute type");
}
Result<Task> parse_task(std::string_view name) {
  return parse_name<Task>(kTaskNames, name, "task");
}
Result<Preset> parse_preset(std::string_view name) {
  return parse_name<Preset>(kPresetNames, name, "preset");
}

}  // namespace hansard::engine
