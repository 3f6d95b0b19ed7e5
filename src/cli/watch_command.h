// hansard watch: transcribes what comes into a folder, as long as it runs.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stop_token>

#include "base/config.h"
#include "cli/exit_code.h"
#include "cli/transcribe_command.h"

namespace hansard::cli {

struct WatchArguments {
  std::filesystem::path folder;
  std::optional<std::filesystem::path> out;  // nothing: transcripts lie beside their recordings
  std::chrono::milliseconds settle{5000};    // a recording is whole when it has not changed for so long
  bool once = false;                         // ends when all that is there is done
  TranscribeArguments transcribe;            // for each recording; inputs and output are not used
};

// Looks again and again, also into subfolders, for recordings that are new or have changed. What was done is
// remembered in the data folder, so a restart goes on where it was; a transcript that is there and younger
// than its recording counts as done. Recordings that cannot be read are not tried again until they change,
// others after a while. Ends with ok when `stop` asks for it; with `once`, with how the first that failed
// did.
ExitCode run_watch(const WatchArguments& arguments, const Config& config, const std::stop_token& stop);

}  // namespace hansard::cli
