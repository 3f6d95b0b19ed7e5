// The routes below /api/v1: each parses, calls a service, answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "blob/blob.h"
#include "http/router.h"
#include "jobs/hub.h"
#include "jobs/slots.h"
#include "library/renditions.h"
#include "library/uploads.h"
#include "models/installer.h"
#include "models/library.h"
#include "pipeline/artifacts.h"
#include "store/store.h"

namespace hansard::api::v1 {

// What handlers call; everything outlives the router.
struct Services {
  store::Store& store;
  blob::Blobs& blobs;
  jobs::Hub& hub;
  jobs::Slots& slots;
  models::Library& models;
  models::Installer& installer;
  const pipeline::Artifacts& artifacts;
  library::UploadsInWork& uploads;
  library::Renditions& renditions;
  std::string user_id;  // whose requests these are, while there are no accounts
  uint64_t upload_limit_bytes = 0;
  const std::atomic<bool>& draining;
  const std::string instance;  // this process, among those that had the database
};

void add_routes(http::Router& router, Services& services);

}  // namespace hansard::api::v1
