// Gets a model of the catalog from its sources.
#pragma once

#include <filesystem>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "models/hub.h"
#include "models/library.h"
#include "models/workplace.h"

namespace hansard::models {

// A folder that holds all files of a model and nothing else, checked.
struct Staged {
  std::filesystem::path folder;
  std::vector<File> files;
};

// Tries the sources in order. Files of a damaged installed copy that are right are used again, and so is what
// an earlier try left. Errors: network and model_corrupt with what each source said, insufficient_storage
// (room is looked for first), canceled.
Result<Staged> fetch(const Model& model, const Workplace& place, const Hub& hub,
                     const OnInstallProgress& progress, const std::stop_token& stop);

}  // namespace hansard::models
