// A named point where a test program may stop the world: after a write, a sync, a rename, a commit. Here it
// does nothing; a test program that defines seam() itself gets its own instead of this one at link time.
#pragma once

namespace hansard {

void seam(const char* point);

}  // namespace hansard
