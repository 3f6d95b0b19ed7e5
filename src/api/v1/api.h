// The routes below /api/v1: each parses, calls a service, answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>

#include "auth/accounts.h"
#include "auth/standing.h"
#include "blob/blob.h"
#include "fetch/address_rules.h"
#include "http/router.h"
#include "jobs/admission.h"
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
  auth::Accounts& accounts;
  auth::Standings& standings;
  const fetch::AddressRules& address_rules;  // of what is asked for others
  std::atomic<uint64_t> upload_limit_bytes = 0;
  const uint64_t storage_limit_bytes = 0;  // of one user; 0: none
  const jobs::QueueLimits queue_limits = {};
  const std::chrono::milliseconds download_cache{0};  // so long an address need not be fetched again
  const std::filesystem::path spool_folder;
  const std::atomic<bool>& draining;
  const std::string instance;   // this process, among those that had the database
  const std::string base_path;  // before addresses that clients are given; HANSARD_BASE_PATH
  // Peers are those of a proxy of this machine: from where someone comes is not known.
  const bool behind_proxy = false;
};

// What admins have set: goes before the configuration.
Result<void> load_settings(Services& services);

void add_routes(http::Router& router, Services& services);

}  // namespace hansard::api::v1
