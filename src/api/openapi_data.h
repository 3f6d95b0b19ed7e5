// What make_openapi.py makes of openapi.yaml: constants of the program.
#pragma once

#include <string_view>

namespace hansard::api {

extern const std::string_view kContract;  // the document, as JSON
extern const std::string_view kContractETag;
extern const std::string_view kPage;  // the document as a page, HTML
extern const std::string_view kPageETag;
extern const std::string_view kPagePolicy;  // its Content-Security-Policy

}  // namespace hansard::api
