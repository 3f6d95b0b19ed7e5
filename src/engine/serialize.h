// Plans, words and turns as JSON: what goes over the protocol and what artifacts hold. Reading trusts
// nothing: counts, order, ranges and finiteness are checked (text is valid UTF-8 since the JSON parser
// demands it). Errors: invalid_request naming the field.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/types.h"

namespace hansard::engine {

json::bj::object to_json(const Plan& plan);
Result<Plan> plan_from_json(const json::bj::object& object);

json::bj::object to_json(const GroupText& group);
Result<GroupText> group_from_json(const json::bj::object& object);

json::bj::array to_json(const std::vector<Turn>& turns);
Result<std::vector<Turn>> turns_from_json(const json::bj::array& array);

json::bj::object to_json(const SpeechOptions& options);
Result<SpeechOptions> speech_options_from_json(const json::bj::object& object);

json::bj::object to_json(const TranscribeOptions& options);
Result<TranscribeOptions> transcribe_options_from_json(const json::bj::object& object);

json::bj::object to_json(const Effort& effort);
Result<Effort> effort_from_json(const json::bj::object& object);

json::bj::object to_json(const SpeakerCount& count);
Result<SpeakerCount> speaker_count_from_json(const json::bj::object& object);

std::string_view name(Device device);             // "auto", "cpu", "cuda"
std::string_view name(ComputeType compute_type);  // "auto", "int8", "float16", "float32"
std::string_view name(Task task);                 // "transcribe", "translate"
std::string_view name(Preset preset);             // "fast", "balanced", "accurate"
Result<Device> parse_device(std::string_view name);
Result<ComputeType> parse_compute_type(std::string_view name);
Result<Task> parse_task(std::string_view name);
Result<Preset> parse_preset(std::string_view name);

}  // namespace hansard::engine
