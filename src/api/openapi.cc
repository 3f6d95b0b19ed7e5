#include "api/openapi.h"

#include <string>

#include "api/openapi_data.h"
#include "http/range.h"

namespace hansard::api {
namespace {

http::Response constant(const http::Request& request, std::string_view content_type, std::string_view text,
                        std::string_view etag) {
  const auto known = request.header("if-none-match");
  const bool same = known && http::names_etag(*known, etag);
  http::Response response =
      http::text_response(same ? 304 : 200, content_type, std::string(same ? "" : text));
  response.with("ETag", std::string(etag)).with("Cache-Control", "no-cache");
  return response;
}

}  // namespace

void add_contract_routes(http::Router& router) {
  router.get("/openapi.json", [](const http::Request& request) -> http::Answer {
    return constant(request, "application/json", kContract, kContractETag);
  });
  router.get("/docs", [](const http::Request& request) -> http::Answer {
    http::Response response = constant(request, "text/html; charset=utf-8", kPage, kPageETag);
    response.with("Content-Security-Policy", std::string(kPagePolicy));
    return response;
  });
}

}  // namespace hansard::api
