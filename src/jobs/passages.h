// What of a transcript can be searched for. A pure function.
#pragma once

#include <vector>

#include "store/search.h"
#include "transcript/document.h"

namespace hansard::jobs {

// Its segments, with the names of their speakers.
std::vector<store::Passage> passages_of(const transcript::Document& document);

}  // namespace hansard::jobs
