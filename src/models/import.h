// Takes a model in that someone brings: a folder or an archive.
#pragma once

#include <filesystem>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "models/catalog.h"

namespace hansard::models {

// Copies the files of `model`, or of any Whisper model in CTranslate2's format where `model` is null, from a
// folder or a tar to `stage`, an empty folder, and checks them. They lie at its top or in its only folder;
// what else lies there is left out. Errors: not_found, invalid_request (no model, one of another format, a
// hostile archive), model_corrupt (not the catalog's bytes), insufficient_storage, canceled.
Result<std::vector<File>> take_in(const std::filesystem::path& from, const Model* model,
                                  const std::filesystem::path& stage, const std::stop_token& stop);

}  // namespace hansard::models
