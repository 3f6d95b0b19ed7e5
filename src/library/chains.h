// A transcription and those that were made of it again, as one: the first one names it, the last one is its
// state, and the last one that was completed is its text.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "jobs/job.h"
#include "store/store.h"

namespace hansard::library {

// Never empty, in the order in which they were made.
using Chain = std::vector<jobs::Job>;

// Of one of this user's transcriptions that came by this client's routes, is no retry, and was not deleted.
Result<std::optional<Chain>> find_chain(store::Reader& reader, std::string_view user_id,
                                        std::string_view client, std::string_view first_id);
// The newest first, at most `limit`.
Result<std::vector<Chain>> list_chains(store::Reader& reader, std::string_view user_id,
                                       std::string_view client, int64_t limit);

}  // namespace hansard::library
