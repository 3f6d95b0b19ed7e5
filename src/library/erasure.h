// Everything that a user has, gone.
#pragma once

#include <string_view>
#include <vector>

#include "library/files.h"
#include "store/store.h"

namespace hansard::library {

// Cancels what is in work and removes all rows of the user but the user's own and what belongs to it. The
// files as they were: once the transaction is durable, erase_recording() is for each of them.
Result<std::vector<File>> erase_rows(store::Transaction& transaction, std::string_view user_id);

}  // namespace hansard::library
