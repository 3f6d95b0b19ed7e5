// The routes that clients of OpenAI's audio interface ask, over the same jobs as all others:
// /v1/audio/transcriptions, /v1/audio/translations, /v1/models. docs/openai.md says what is as there and what
// is not.
#pragma once

#include "api/v1/api.h"
#include "http/router.h"

namespace hansard::api::openai {

void add_routes(http::Router& router, v1::Services& services);

}  // namespace hansard::api::openai
