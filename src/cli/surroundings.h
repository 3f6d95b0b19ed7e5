// Where things are on this machine: the engine program, the models, the engine's settings. The composition
// root's knowledge, used by every command.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "engine/process/process_provider.h"
#include "engine/provider.h"
#include "models/library.h"

namespace hansard::cli {

// hansard-engine: beside this program, or in ../libexec/hansard. Errors: not_found.
Result<std::filesystem::path> engine_program();

models::Library open_library(const Config& config);

// The local provider as the configuration and `options` say; starts nothing yet.
Result<engine::ProcessOptions> provider_options(const Config& config, const engine::EngineOptions& options);
Result<std::unique_ptr<engine::Provider>> open_provider(const Config& config,
                                                        const engine::EngineOptions& options);

// hansard doctor: what is here, what is missing, how to get it. `healthy` is false when something that
// `hansard transcribe` needs is missing.
struct Diagnosis {
  std::string text;
  bool healthy = true;
};
Diagnosis diagnose(const Config& config);

}  // namespace hansard::cli
