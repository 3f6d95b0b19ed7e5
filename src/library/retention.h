// What goes away with time.
#pragma once

#include <chrono>
#include <cstdint>

#include "blob/blob.h"
#include "pipeline/artifacts.h"
#include "store/store.h"

namespace hansard::library {

// How long an installation keeps what people made; nothing: until they delete it.
struct Retention {
  std::chrono::days audio{0};        // since the recording came
  std::chrono::days transcripts{0};  // since the transcription last changed
};

struct Forgotten {
  int64_t recordings = 0;
  int64_t transcriptions = 0;
};

// Erases recordings (their bytes and what was computed of them; transcripts stay) and deletes transcriptions
// that are older, each with its event. What a job needs, or is in work, stays until it is at an end. Erases
// for good what was deleted, or has been in the trash, for longer than limits say.
Result<Forgotten> apply_retention(store::Store& store, blob::Blobs& blobs,
                                  const pipeline::Artifacts& artifacts, const Retention& retention);

}  // namespace hansard::library
