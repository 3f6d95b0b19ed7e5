// Blobs as files in a folder: written beside their place, synced, renamed, and the folder synced.
#pragma once

#include <filesystem>
#include <memory>

#include "blob/blob.h"

namespace hansard::blob {

// Makes the folder where there is none, and removes writes that an earlier process did not finish: the caller
// sees to it that no other process writes there.
Result<std::unique_ptr<Blobs>> open_file_blobs(const std::filesystem::path& folder);

}  // namespace hansard::blob
