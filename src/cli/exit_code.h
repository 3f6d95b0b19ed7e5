// What the program's exit codes mean; the reference is in docs/command-line.md.
#pragma once

#include "base/result.h"

namespace hansard::cli {

enum class ExitCode : int {
  ok = 0,
  failed = 1,            // something that has no code of its own
  usage = 2,             // the command's words are off
  input = 3,             // a recording is missing or cannot be read
  model = 4,             // a model is unknown, missing or damaged
  output = 5,            // a result cannot be written, or a disk is full
  engine = 6,            // the engine died, hung or ran out of memory
  without_speakers = 7,  // the transcript is written; its speakers could not be told apart
  interrupted = 130,
};

ExitCode exit_code(ErrorCode code);

}  // namespace hansard::cli
