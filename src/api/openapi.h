// The HTTP contract, openapi.yaml, as the server serves it: /openapi.json for programs, /docs for people.
#pragma once

#include "http/router.h"

namespace hansard::api {

void add_contract_routes(http::Router& router);

}  // namespace hansard::api
