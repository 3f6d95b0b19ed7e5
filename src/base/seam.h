// A named point where a test program may stop the world: after a write, a sync, a rename, a commit. `what`
// says what is written, where that tells one pass from another. Here it does nothing; a test program that
// defines seam() itself gets its own instead of this one at link time.
#pragma once

#include <string_view>

namespace hansard {

void seam(const char* point, std::string_view what = {});

}  // namespace hansard
