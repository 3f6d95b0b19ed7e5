// The `local` provider: a hansard-engine child that is started when first needed, watched while it works, and
// replaced when it dies, hangs or grows too large.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/limits.h"
#include "engine/provider.h"

namespace hansard::engine {

struct ProcessOptions {
  std::filesystem::path program;  // hansard-engine
  EngineOptions engine;
  int max_loaded = 2;                    // models resident at once
  std::chrono::seconds idle_timeout{0};  // the child exits when so long nothing was asked; 0: never
  // A child that says nothing for so long while a request is in work is killed: engine_timeout.
  std::chrono::milliseconds silence = limits::kEngineSilence;
  // Told of each child, on the calling thread; `died`: it crashed, hung or grew too large.
  std::function<void(pid_t)> on_start;
  std::function<void(pid_t, bool died)> on_end;
  std::filesystem::path gpu_code_folder;  // where a GPU's driver keeps what it compiled; empty: nowhere
};

// Not for use by two threads at once; Provider says the rest. The destructor ends the child.
std::unique_ptr<Provider> make_process_provider(ProcessOptions options);

}  // namespace hansard::engine
