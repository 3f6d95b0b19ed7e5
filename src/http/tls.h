// The certificate that the server shows to whoever asks over TLS.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"

struct ssl_ctx_st;

namespace hansard::http {

// Both or none: PEM files, the certificate followed by those that signed it.
struct TlsFiles {
  std::filesystem::path certificate;
  std::filesystem::path key;
  bool given() const { return !certificate.empty() || !key.empty(); }
};

struct FreeTls {
  void operator()(ssl_ctx_st* context) const;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, FreeTls>;

// What connections are made of: TLS 1.2 and 1.3. Errors: invalid_request, naming the setting, the file and
// what to do. A certificate whose time has passed is taken, and the log says so.
Result<TlsContext> load_tls(const TlsFiles& files);

}  // namespace hansard::http
