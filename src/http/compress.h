// Text answers made smaller for the way: gzip by zlib (RFC 9110, 8.4 and 12.5.3).
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace hansard::http {

// Whether an Accept-Encoding header takes gzip, and no less gladly than the bytes as they are.
bool accepts_gzip(std::string_view accept_encoding);

// Gives an answer the form that is sent to whoever asked: JSON and text above limits::kCompressedBytes are
// compressed where the request allows it, and their ETag says so. Text that comes with a Content-Encoding is
// in that form already. Files and event streams stay as they are.
void encode(const Request& request, Response& response);

// The tag of the compressed form: "x" → "x-gzip", with the quotes. names_etag() knows both.
std::string gzip_etag(std::string_view etag);

}  // namespace hansard::http
