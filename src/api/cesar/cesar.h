// The routes of Cesar, for its clients, over the same jobs as all others: /transcribe, /jobs, /health.
// docs/cesar.md says what is as there and what is not.
#pragma once

#include "api/v1/api.h"
#include "http/router.h"

namespace hansard::api::cesar {

void add_routes(http::Router& router, v1::Services& services);

}  // namespace hansard::api::cesar
