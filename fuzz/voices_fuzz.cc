// What was kept of the voices of a recording, as a damaged disk may give it back.

#include "engine/child/diarize/diarizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)hansard::engine::turns(bytes, {}, {});
  (void)hansard::engine::turns(bytes, {.exact = 3}, {});
  return 0;
}
