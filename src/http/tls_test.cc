// The server over TLS, asked by libcurl.

#include "http/tls.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/temporary_folder.h"
#include "http/range.h"
#include "http/server.h"
#include "http/test_client.h"

namespace hansard::http {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using File = std::unique_ptr<FILE, Freed<std::fclose>>;

// A certificate of its own for 127.0.0.1, valid from a day ago to `days` from now.
void make_certificate(const TlsFiles& files, const char* organization = "Hansard", int days = 1) {
  const Key key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Freed<X509_free>> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2L * 24 * 3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * 24L * 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(organization),
                             -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  X509_add_ext(certificate.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const File certificate_file(std::fopen(files.certificate.c_str(), "w"));
  ASSERT_EQ(PEM_write_X509(certificate_file.get(), certificate.get()), 1);
  const File key_file(std::fopen(files.key.c_str(), "w"));
  ASSERT_EQ(PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
}

struct CurlAnswer {
  CURLcode code = CURLE_OK;
  long status = 0;
  std::string body;
  std::string organization;  // of the certificate that was shown
};

// libcurl with one connection that it keeps; it trusts the certificate in `trusted`.
class CurlClient {
 public:
  CurlClient(uint16_t port, const fs::path& trusted)
      : base_(fmt::format("https://127.0.0.1:{}", port)), trusted_(trusted) {}

  CurlAnswer ask(const std::string& path, const std::string& body = {},
                 long version = CURL_SSLVERSION_DEFAULT) {
    CurlAnswer answer;
    CURL* curl = curl_.get();
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, (base_ + path).c_str());
    curl_easy_setopt(curl, CURLOPT_CAINFO, trusted_.c_str());
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, version);
    curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "ALL@SECLEVEL=0");
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (!body.empty()) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    }
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(
        curl, CURLOPT_WRITEFUNCTION, +[](char* bytes, size_t size, size_t count, void* out) {
          static_cast<std::string*>(out)->append(bytes, size * count);
          return size * count;
        });
    answer.code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_certinfo* shown = nullptr;
    curl_easy_getinfo(curl, CURLINFO_CERTINFO, &shown);
    for (const curl_slist* at = shown->num_of_certs > 0 ? shown->certinfo[0] : nullptr; at != nullptr;
         at = at->next) {
      const std::string_view line = at->data;
      if (line.starts_with("Subject:O = ")) answer.organization = line.substr(12);
    }
    return answer;
  }
  // Made for the last question.
  long connections_made() const {
    long count = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_NUM_CONNECTS, &count);
    return count;
  }

 private:
  std::string base_;
  fs::path trusted_;
  std::unique_ptr<CURL, Freed<curl_easy_cleanup>> curl_{curl_easy_init()};
};

// Says something, and then nothing until the server ends it.
class Beginning : public EventSource {
 public:
  Next next() override { return {std::exchange(text_, {}), false}; }
  void on_ready(std::function<void()>) override {}

 private:
  std::string text_ = "data: 1\n\n";
};

class Tls : public testing::Test {
 protected:
  Tls() { make_certificate(files_); }

  void start(TimeLimits time = {}) {
    Router router;
    router.get("/hello", [](Request&) { return Answer(text_response(200, "text/plain", "hello")); });
    router.post("/echo",
                [](Request& request) { return Answer(text_response(200, "text/plain", request.body)); });
    router.get("/file", [this](Request& request) {
      return file_answer(request, open_for_read(folder_ / "large").value(), kLarge, "audio/wav", "\"f\"", 0);
    });
    router.get("/events", [](Request&) {
      Response response;
      response.with("Content-Type", "text/event-stream");
      response.body = std::make_shared<Beginning>();
      return Answer(std::move(response));
    });
    std::ofstream(folder_ / "large") << large();
    auto server = Server::open({.port = 0, .tls = files_, .time = time}, std::move(router));
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    server_->start();
  }
  CurlClient client() const { return {server_->port(), files_.certificate}; }
  static std::string large() {
    std::string bytes;
    while (bytes.size() < kLarge) bytes += fmt::format("{} ", bytes.size());
    bytes.resize(kLarge);
    return bytes;
  }

  static constexpr size_t kLarge = 5'000'001;
  const TemporaryFolder folder_;
  const TlsFiles files_{folder_ / "cert.pem", folder_ / "key.pem"};
  std::unique_ptr<Server> server_;
};

TEST_F(Tls, CarriesWhatPlainConnectionsCarry) {
  start();
  CurlClient one = client();
  const CurlAnswer hello = one.ask("/hello");
  ASSERT_EQ(hello.code, CURLE_OK) << curl_easy_strerror(hello.code);
  EXPECT_EQ(hello.body, "hello");
  EXPECT_EQ(one.connections_made(), 1);
  const std::string body(900'000, 'b');
  EXPECT_EQ(one.ask("/echo", body).body, body);
  EXPECT_TRUE(one.ask("/file").body == large());
  EXPECT_EQ(one.connections_made(), 0);
}

TEST_F(Tls, OldVersionsAreRefused) {
  start();
  const auto only = [&](long least, long most) { return client().ask("/hello", {}, least | most); };
  EXPECT_EQ(only(CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1).code, CURLE_SSL_CONNECT_ERROR);
  EXPECT_EQ(only(CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_2).body, "hello");
  EXPECT_EQ(only(CURL_SSLVERSION_TLSv1_3, CURL_SSLVERSION_MAX_TLSv1_3).body, "hello");
}

TEST_F(Tls, ANewCertificateIsShownToNewConnections) {
  start();
  CurlClient old = client();
  EXPECT_EQ(old.ask("/hello").organization, "Hansard");
  make_certificate(files_, "Renewed");
  ASSERT_TRUE(server_->reload_tls());
  // What is open goes on.
  EXPECT_EQ(old.ask("/hello").status, 200);
  EXPECT_EQ(old.connections_made(), 0);
  EXPECT_EQ(client().ask("/hello").organization, "Renewed");
  // What cannot be read changes nothing.
  const fs::path trusted = folder_ / "trusted.pem";
  fs::copy_file(files_.certificate, trusted);
  std::ofstream(files_.certificate) << "none";
  EXPECT_FALSE(server_->reload_tls());
  EXPECT_EQ(CurlClient(server_->port(), trusted).ask("/hello").organization, "Renewed");
}

TEST_F(Tls, PlainHttpIsToldWhatToDo) {
  start();
  Client one(server_->port());
  one.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const ClientResponse response = one.receive();
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "this port speaks TLS: ask by https://\n");
}

TEST_F(Tls, WhoSaysNothingIsGivenUp) {
  start({.header = 50ms, .idle = 50ms});
  Client silent(server_->port());
  EXPECT_EQ(silent.read_until("never"), "");
  CurlClient idle = client();
  EXPECT_EQ(idle.ask("/hello").status, 200);
  while (server_->load().connections > 0) std::this_thread::yield();
  EXPECT_EQ(idle.ask("/hello").status, 200);
}

TEST_F(Tls, DrainEndsStreamsAndIdleConnectionsAtOnce) {
  start();
  CurlClient idle = client();
  EXPECT_EQ(idle.ask("/hello").status, 200);
  std::jthread drain([&] {
    while (server_->load().streams == 0) std::this_thread::yield();
    server_->drain(10s);
  });
  const auto began = std::chrono::steady_clock::now();
  const CurlAnswer events = client().ask("/events");
  // Its end was said, not cut.
  EXPECT_EQ(events.code, CURLE_OK) << curl_easy_strerror(events.code);
  EXPECT_EQ(events.body, "data: 1\n\n");
  drain.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST_F(Tls, AStreamEndsWhenItsClientGoes) {
  start();
  const std::unique_ptr<CURL, Freed<curl_easy_cleanup>> curl(curl_easy_init());
  curl_easy_setopt(curl.get(), CURLOPT_URL,
                   fmt::format("https://127.0.0.1:{}/events", server_->port()).c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CAINFO, files_.certificate.c_str());
  // It leaves after the first words.
  curl_easy_setopt(
      curl.get(), CURLOPT_WRITEFUNCTION, +[](char*, size_t, size_t, void*) -> size_t { return 0; });
  EXPECT_EQ(curl_easy_perform(curl.get()), CURLE_WRITE_ERROR);
  while (server_->load().connections > 0) std::this_thread::yield();
}

TEST_F(Tls, WhatCannotBeUsedIsNamedWithWhatToDo) {
  const auto message = [](const TlsFiles& files) {
    const auto loaded = load_tls(files);
    return loaded ? "" : loaded.error().message;
  };
  const auto expect = [&](const TlsFiles& files, std::string_view setting, std::string_view text) {
    EXPECT_NE(message(files).find(setting), std::string::npos) << message(files);
    EXPECT_NE(message(files).find(text), std::string::npos) << message(files);
  };
  EXPECT_EQ(message(files_), "");
  expect({files_.certificate, ""}, "HANSARD_TLS_KEY", "go together");
  expect({"", files_.key}, "HANSARD_TLS_CERT", "go together");
  expect({folder_ / "nothing", files_.key}, "HANSARD_TLS_CERT", "cannot be read");
  expect({files_.certificate, folder_ / "nothing"}, "HANSARD_TLS_KEY", "cannot be read");
  expect({files_.key, files_.key}, "HANSARD_TLS_CERT", "no certificate in PEM form");
  expect({files_.certificate, files_.certificate}, "HANSARD_TLS_KEY", "no key in PEM form");
  const TlsFiles other{folder_ / "other.pem", folder_ / "other-key.pem"};
  make_certificate(other);
  expect({files_.certificate, other.key}, "HANSARD_TLS_KEY", "not the key of the certificate");
  const Key key(EVP_EC_gen("P-256"));
  const fs::path locked = folder_ / "locked.pem";
  {
    const File file(std::fopen(locked.c_str(), "w"));
    unsigned char passphrase[] = "secret";
    ASSERT_EQ(PEM_write_PrivateKey(file.get(), key.get(), EVP_aes_256_cbc(), passphrase, 6, nullptr, nullptr),
              1);
  }
  expect({files_.certificate, locked}, "HANSARD_TLS_KEY", "openssl pkey");
  make_certificate(other, "Old", -1);
  EXPECT_EQ(message(other), "");
}

}  // namespace
}  // namespace hansard::http
