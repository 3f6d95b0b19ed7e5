// How many threads computing may use.
#pragma once

namespace hansard::engine::whisper {

// Physical cores that this process may run on: two threads of one core only slow each other. At least 1.
int physical_cores();

}  // namespace hansard::engine::whisper
