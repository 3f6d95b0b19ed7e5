#include "http/tls.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "base/log.h"

namespace hansard::http {
namespace {

constexpr uint64_t kLongestFileBytes = 1 << 20;

std::string last_error() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

tl::unexpected<Error> bad(std::string_view setting, const std::filesystem::path& file,
                          std::string_view what) {
  return fail(ErrorCode::invalid_request, fmt::format("{} is \"{}\", {}", setting, file.string(), what),
              last_error());
}

// Says why in words where OpenSSL would not.
Result<std::string> read_pem(std::string_view setting, const std::filesystem::path& file) {
  auto text = read_file(file, kLongestFileBytes);
  if (!text) return bad(setting, file, "which cannot be read: " + text.error().message);
  return std::move(*text);
}

Result<void> load_certificate(SSL_CTX* context, const std::filesystem::path& file) {
  constexpr std::string_view kSetting = "HANSARD_TLS_CERT";
  TRY(read_pem(kSetting, file));
  if (SSL_CTX_use_certificate_chain_file(context, file.c_str()) != 1) {
    return bad(kSetting, file,
               "which holds no certificate in PEM form; allowed is a file that begins with -----BEGIN "
               "CERTIFICATE-----");
  }
  if (X509_cmp_current_time(X509_get0_notAfter(SSL_CTX_get0_certificate(context))) < 0) {
    log::warning("the certificate of HANSARD_TLS_CERT is no longer valid; clients will refuse it");
  }
  return {};
}

Result<void> load_key(SSL_CTX* context, const std::filesystem::path& file) {
  constexpr std::string_view kSetting = "HANSARD_TLS_KEY";
  const std::string text = TRY(read_pem(kSetting, file));
  const std::unique_ptr<BIO, decltype(&BIO_free)> bytes(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
  // Nobody is there to be asked for a passphrase.
  bool asked = false;
  const auto no_passphrase = [](char*, int, int, void* was_asked) {
    *static_cast<bool*>(was_asked) = true;
    return -1;
  };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bytes.get(), nullptr, no_passphrase, &asked), &EVP_PKEY_free);
  if (!key && asked) {
    return bad(kSetting, file,
               "which asks for a passphrase; write it without one: openssl pkey -in KEY -out PLAIN");
  }
  if (!key) {
    return bad(
        kSetting, file,
        "which holds no key in PEM form; allowed is a file that begins with -----BEGIN PRIVATE KEY-----");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return bad(kSetting, file, "which is not the key of the certificate in HANSARD_TLS_CERT");
  }
  return {};
}

// The server speaks HTTP/1.1 and nothing else; to a client that offers other names alone nothing is said.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  static constexpr std::array<unsigned char, 9> kHttp{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* out = nullptr;
  const int found = SSL_select_next_proto(&out, size, kHttp.data(), kHttp.size(), offered, offered_size);
  *chosen = out;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

void FreeTls::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

Result<TlsContext> load_tls(const TlsFiles& files) {
  if (files.certificate.empty() || files.key.empty()) {
    return fail(ErrorCode::invalid_request,
                "HANSARD_TLS_CERT and HANSARD_TLS_KEY go together; set both, or none for plain HTTP");
  }
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail(ErrorCode::internal, "TLS cannot be used", last_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // Most connections wait: their buffers go back meanwhile.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets do it without memory
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  TRY(load_certificate(context.get(), files.certificate));
  TRY(load_key(context.get(), files.key));
  return context;
}

}  // namespace hansard::http
