// Frames, and what their headers hold: everything that one program believes of the other.

#include "engine/protocol.h"
#include "engine/serialize.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hansard::engine;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FrameParser parser;
  const size_t half = size / 2;
  if (parser.feed(bytes.substr(0, half), {}) && parser.feed(bytes.substr(half), {})) {
    while (auto message = parser.next()) {
    }
  }
  if (const auto object = hansard::json::parse_object(bytes)) {
    if (const auto plan = plan_from_json(*object)) (void)to_json(*plan);
    if (const auto group = group_from_json(*object)) (void)to_json(*group);
    (void)transcribe_options_from_json(*object);
    (void)speech_options_from_json(*object);
    (void)speaker_count_from_json(*object);
    for (const auto& [name, value] : *object) {
      if (value.is_array()) (void)turns_from_json(value.get_array());
    }
  }
  return 0;
}
