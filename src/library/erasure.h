// What is gone for good: everything that a user has, and what was kept for a while alone.
#pragma once

#include <string_view>
#include <vector>

#include "library/files.h"
#include "store/store.h"

namespace hansard::library {

// Takes all of the user's transcripts out of the search, some at a time: of many this takes seconds, in which
// others want to write. Ahead of erase_rows(), for a user who cannot add to them any more.
Result<void> erase_passages(store::Store& store, std::string_view user_id);

// Cancels what is in work and removes all rows of the user but the user's own and what belongs to it. The
// files as they were: once the transaction is durable, erase_recording() is for each of them.
Result<std::vector<File>> erase_rows(store::Transaction& transaction, std::string_view user_id);

// Erases ephemeral transcriptions that ended longer ago than limits say, with their recordings and all that
// was computed of them. How many.
Result<int64_t> erase_ephemeral(store::Store& store, blob::Blobs& blobs,
                                const pipeline::Artifacts& artifacts);

}  // namespace hansard::library
