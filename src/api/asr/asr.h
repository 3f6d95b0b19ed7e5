// The routes of whisper-asr-webservice, for its clients, over the same jobs as all others: /asr and
// /detect-language.
#pragma once

#include "api/v1/api.h"
#include "http/router.h"

namespace hansard::api::asr {

void add_routes(http::Router& router, v1::Services& services);

}  // namespace hansard::api::asr
