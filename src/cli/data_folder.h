// The data folder as a process has it: one server or one command at a time.
#pragma once

#include <filesystem>

#include "base/fd.h"
#include "base/result.h"

namespace hansard::cli {

// The database in a data folder, its blobs, and the keys that sign tokens.
std::filesystem::path database_path(const std::filesystem::path& folder);
std::filesystem::path blobs_path(const std::filesystem::path& folder);
std::filesystem::path token_keys_path(const std::filesystem::path& folder);

// Makes the folder, and finds out whether this user may write to it. Errors, saying what to set: conflict,
// permission_denied, insufficient_storage, internal.
Result<void> make_data_folder(const std::filesystem::path& folder);

// Held while the result lives; makes the folder. Errors: conflict where another process has it,
// permission_denied, insufficient_storage, internal.
Result<UniqueFd> lock_data_folder(const std::filesystem::path& folder);

// For commands that write into the folder of a server: files of another user would lock the server out.
// Errors: permission_denied, saying whom to be.
Result<void> check_owner(const std::filesystem::path& folder);

}  // namespace hansard::cli
