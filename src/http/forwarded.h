// Who asks, where proxies stand between: X-Forwarded-* and Forwarded (RFC 7239), believed of trusted proxies
// alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/network.h"
#include "http/message.h"

namespace hansard::http {

struct Caller {
  std::string peer;                   // address
  std::optional<std::string> scheme;  // "http" or "https", where it is known
  std::optional<std::string> host;    // with its port, where it is not the default
};

// Finds the caller behind `direct`, what the connection itself shows. 400 where the two kinds of header name
// different addresses: only one of them can be the proxy's.
Outcome<Caller> find_caller(const Request& request, Caller direct, const Networks& trusted);

// Whether a page of this Origin was served by this server. Of an unknown scheme only the host counts.
bool same_origin(std::string_view origin, const Caller& caller);

}  // namespace hansard::http
