// What goes away by itself: what is older than it is to be kept, old events and sessions, the trash, uploads
// that were never completed, what was kept for a while alone, and blobs that no row names.
#pragma once

#include <optional>
#include <thread>

#include "blob/blob.h"
#include "library/retention.h"
#include "library/uploads.h"
#include "pipeline/artifacts.h"
#include "store/store.h"

namespace hansard::cli {

// Looks at once, and then every hour (every few minutes for what is kept for an hour), until it is destroyed.
// What was written before it was made, nobody who still runs is at. All outlive it.
class Housekeeper {
 public:
  Housekeeper(store::Store& store, blob::Blobs& blobs, const pipeline::Artifacts& artifacts,
              library::UploadsInWork& uploads, library::Retention retention);

 private:
  void run(const std::stop_token& stop);
  void erase_ephemeral();
  void keep_house();
  void sweep();

  store::Store& store_;
  blob::Blobs& blobs_;
  const pipeline::Artifacts& artifacts_;
  library::UploadsInWork& uploads_;
  const library::Retention retention_;
  // While one sweeps. The first spares all that is created from the beginning on.
  std::optional<blob::Blobs::Sweep> sweep_;
  std::jthread thread_;
};

}  // namespace hansard::cli
