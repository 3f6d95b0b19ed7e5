#include "models/hub.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "base/network.h"
#include "models/staged_file.h"

namespace hansard::models {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEndpoint = "https://huggingface.co";
constexpr int kTries = 3;      // in a row, without a byte gained
constexpr int kRedirects = 6;  // the hub needs two
constexpr long kConnectTimeoutS = 15;
constexpr long kSilenceS = 60;  // a server that sends nothing for so long has gone
constexpr uint64_t kEtagBytes = 1024;
constexpr uint64_t kGitBlobBytes = 64ULL << 20;  // files that the hub keeps in git itself are small

struct CurlFree {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Curl = std::unique_ptr<CURL, CurlFree>;
using CurlUrl = std::unique_ptr<CURLU, CurlFree>;

// ---- addresses

struct Address {
  std::string scheme;
  std::string host;
  std::string port;
  bool operator==(const Address&) const = default;
};

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  return result;
}

std::optional<Address> address_of(const std::string& url) {
  const CurlUrl parsed(curl_url());
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return std::nullopt;
  Address address{part_of(parsed.get(), CURLUPART_SCHEME), part_of(parsed.get(), CURLUPART_HOST),
                  part_of(parsed.get(), CURLUPART_PORT)};
  if (address.host.empty() || (address.scheme != "https" && address.scheme != "http")) return std::nullopt;
  return address;
}

// ---- checksums that a server reports

bool is_hex(std::string_view text, size_t size) {
  return text.size() == size && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string_view unquoted(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return etag;
}

// The name that git gives to a file: SHA-1 over "blob <size>\0" and the bytes.
Result<std::string> git_name(const fs::path& path) {
  const std::string bytes = TRY(read_file(path, kGitBlobBytes));
  std::string blob = fmt::format("blob {}", bytes.size());
  blob += '\0';
  blob += bytes;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(blob.data(), blob.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return fmt::format("{:02x}", fmt::join(digest.data(), digest.data() + size, ""));
}

// ---- one request

// What a server said before the body.
struct Head {
  std::string etag;         // of what is sent
  std::string linked_etag;  // the hub's: of the file that is linked to
  std::string linked_size;
  std::string content_range;  // "bytes 100-199/200"
};

enum class Outcome { whole, cut, refused, unreachable, wrong, canceled, failed };

// A file on its way, over all requests that it takes.
struct Transfer {
  const File& file;
  StagedFile& part;
  const OnBytes& on_bytes;
  const std::stop_token& stop;
  CURL* handle = nullptr;
  std::string resume_etag;  // of the bytes that are there
  Head head;
  std::string body_etag;  // of what this request brought
  std::optional<Error> write_error;
  std::string wrong;   // what was wrong with the answer
  std::string reason;  // why there is no file, for people
};

long status_of(CURL* handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

size_t on_header(char* data, size_t, size_t size, void* context) {
  Head& head = static_cast<Transfer*>(context)->head;
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) head = {};
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  const std::string name(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' ')) {
    value.remove_suffix(1);
  }
  const auto is = [&name](const char* other) { return ::strcasecmp(name.c_str(), other) == 0; };
  if (is("etag")) head.etag = value;
  if (is("x-linked-etag")) head.linked_etag = value;
  if (is("x-linked-size")) head.linked_size = value;
  if (is("content-range")) head.content_range = value;
  return size;
}

// Whether the answer's first byte belongs where the next one goes.
bool begins_right(Transfer& transfer) {
  const long status = status_of(transfer.handle);
  if (status == 200) return true;
  const std::string expected = fmt::format("bytes {}-{}/{}", transfer.part.size_bytes(),
                                           transfer.file.size_bytes - 1, transfer.file.size_bytes);
  if (status == 206 && transfer.head.content_range == expected) return true;
  transfer.wrong = "it sent another part of the file than was asked for";
  return false;
}

struct Body {
  Transfer* transfer;
  bool begun = false;
};

size_t on_body(char* data, size_t, size_t size, void* context) {
  Body& body = *static_cast<Body*>(context);
  Transfer& transfer = *body.transfer;
  const long status = status_of(transfer.handle);
  if (status != 200 && status != 206) return size;  // an error's or a redirection's text
  if (!body.begun) {
    if (!begins_right(transfer)) return 0;
    if (status == 200 && transfer.part.size_bytes() > 0) {
      if (auto restarted = transfer.part.restart(); !restarted) {
        transfer.write_error = std::move(restarted).error();
        return 0;
      }
    }
    body.begun = true;
    transfer.body_etag = transfer.head.etag;
  }
  if (transfer.part.size_bytes() + size > transfer.file.size_bytes) {
    transfer.wrong = fmt::format("{} is larger than {} bytes", transfer.file.name, transfer.file.size_bytes);
    return 0;
  }
  if (auto written = transfer.part.append({data, size}); !written) {
    transfer.write_error = std::move(written).error();
    return 0;
  }
  if (transfer.on_bytes) transfer.on_bytes(transfer.part.size_bytes());
  return size;
}

int on_tick(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(context)->stop.stop_requested() ? 1 : 0;
}

struct HeaderList {
  curl_slist* first = nullptr;
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  ~HeaderList() { curl_slist_free_all(first); }
  void add(const std::string& line) { first = curl_slist_append(first, line.c_str()); }
};

CURLcode request(Transfer& transfer, const std::string& url, const std::string& token) {
  CURL* handle = transfer.handle;
  curl_easy_reset(handle);
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "hansard");
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutS);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kSilenceS);
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  Body body{&transfer};
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_tick);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  if (!token.empty()) {
    curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, token.c_str());
  }
  HeaderList headers;
  if (transfer.part.size_bytes() > 0) {
    headers.add(fmt::format("Range: bytes={}-", transfer.part.size_bytes()));
    if (transfer.resume_etag.starts_with('"')) headers.add("If-Range: " + transfer.resume_etag);
  }
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.first);
  return curl_easy_perform(handle);
}

Outcome network_outcome(Transfer& transfer, CURLcode code, const std::string& host) {
  if (transfer.stop.stop_requested()) return Outcome::canceled;
  if (transfer.write_error) return Outcome::failed;
  if (!transfer.wrong.empty()) {
    transfer.reason = fmt::format("{}: {}", host, transfer.wrong);
    return Outcome::wrong;
  }
  transfer.reason = fmt::format("{}: {}", host, curl_easy_strerror(code));
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return Outcome::unreachable;
    default:
      return Outcome::cut;
  }
}

Outcome status_outcome(Transfer& transfer, long status, const std::string& host) {
  if (status == 200 || status == 206) {
    if (transfer.part.size_bytes() == transfer.file.size_bytes) return Outcome::whole;
    transfer.reason = fmt::format("{}: {} ended too early", host, transfer.file.name);
    return Outcome::cut;
  }
  transfer.reason = fmt::format("{} answered {} for {}", host, status, transfer.file.name);
  if (status == 416) {  // what is there is no beginning of what the server has
    if (auto restarted = transfer.part.restart(); !restarted) {
      transfer.write_error = std::move(restarted).error();
      return Outcome::failed;
    }
    return Outcome::cut;
  }
  if (status == 401 || status == 403) transfer.reason += "; where a token is needed, set HF_TOKEN";
  return status == 408 || status == 429 || status >= 500 ? Outcome::cut : Outcome::refused;
}

// Follows redirections by hand: the hub's headers are read on the way, and its token stays with it.
// `reported` receives the hub's own checksum of the file.
Outcome fetch_once(Transfer& transfer, std::string url, const std::string& token, std::string& reported) {
  const std::optional<Address> endpoint = address_of(url);
  for (int hop = 0; hop < kRedirects; ++hop) {
    const std::optional<Address> address = address_of(url);
    if (!address || (endpoint->scheme == "https" && address->scheme != "https")) {
      transfer.reason = fmt::format("{} leads to an address that cannot be trusted", endpoint->host);
      return Outcome::refused;
    }
    const bool at_home = *address == *endpoint;
    const bool token_is_safe = at_home && (address->scheme == "https" || names_this_machine(address->host));
    const CURLcode code = request(transfer, url, token_is_safe ? token : "");
    const long status = status_of(transfer.handle);
    if (at_home && status >= 200 && status < 400) {
      const std::string& etag =
          transfer.head.linked_etag.empty() ? transfer.head.etag : transfer.head.linked_etag;
      if (!etag.empty()) reported = unquoted(etag);
      const std::string& size = transfer.head.linked_size;
      if (!size.empty() && size != std::to_string(transfer.file.size_bytes)) {
        transfer.reason = fmt::format("{}: {} has {} bytes there instead of {}", address->host,
                                      transfer.file.name, size, transfer.file.size_bytes);
        return Outcome::wrong;
      }
    }
    if (code != CURLE_OK) return network_outcome(transfer, code, address->host);
    char* next = nullptr;
    curl_easy_getinfo(transfer.handle, CURLINFO_REDIRECT_URL, &next);
    if (status < 300 || status > 399 || next == nullptr)
      return status_outcome(transfer, status, address->host);
    url = next;
  }
  transfer.reason = fmt::format("{} leads in a circle", endpoint->host);
  return Outcome::refused;
}

bool wait_before_retry(std::chrono::milliseconds delay, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock<std::mutex> hold(mutex);
  stopped.wait_for(hold, stop, delay, [] { return false; });
  return !stop.stop_requested();
}

// Whether the bytes are those of the catalog, or, where it knows none, those that the hub speaks of.
Result<bool> matches(const fs::path& path, const File& file, const std::string& sha256,
                     const std::string& reported) {
  if (!file.sha256.empty()) return sha256 == file.sha256;
  if (is_hex(reported, 64)) return sha256 == reported;
  if (is_hex(reported, 40)) return TRY(git_name(path)) == reported;
  log::warning("the hub tells no checksum of {}; only its size was checked", file.name);
  return true;
}

// One file, over all the tries that it takes.
class Download {
 public:
  Download(CURL* handle, const std::string& url, const std::string& token, const File& file,
           const fs::path& target, const OnBytes& on_bytes, const std::stop_token& stop)
      : handle_(handle),
        url_(url),
        token_(token),
        file_(file),
        target_(target),
        part_path_(fs::path(target).concat(".part")),
        etag_path_(fs::path(target).concat(".etag")),
        on_bytes_(on_bytes),
        stop_(stop) {}

  Result<File> run(std::chrono::milliseconds retry_delay) {
    for (int tries = 1;; ++tries) {
      const uint64_t best = most_bytes_;
      std::optional<File> done = TRY(attempt());
      if (done) return *done;
      if (most_bytes_ > best) tries = 1;
      if (tries >= kTries)
        return fail(ErrorCode::network, fmt::format("{} (tried {} times)", reason_, kTries));
      log::info("{}; trying again", reason_);
      if (!wait_before_retry(retry_delay * (1 << (tries - 1)), stop_)) {
        return fail(ErrorCode::canceled, "canceled");
      }
    }
  }

 private:
  // The file; nothing where another try may help, for reason_; or an error for which it cannot.
  Result<std::optional<File>> attempt() {
    StagedFile part = TRY(StagedFile::resume(part_path_, stop_));
    const bool complete = part.size_bytes() == file_.size_bytes;
    if (part.size_bytes() > file_.size_bytes || (complete && file_.sha256.empty())) TRY(part.restart());
    const uint64_t before = part.size_bytes();
    began_afresh_ = began_afresh_ || before == 0;
    if (on_bytes_) on_bytes_(before);
    Transfer transfer{.file = file_,
                      .part = part,
                      .on_bytes = on_bytes_,
                      .stop = stop_,
                      .handle = handle_,
                      .resume_etag = read_file(etag_path_, kEtagBytes).value_or("")};
    const Outcome outcome =
        before == file_.size_bytes ? Outcome::whole : fetch_once(transfer, url_, token_, reported_);
    most_bytes_ = std::max(most_bytes_, part.size_bytes());
    if (!transfer.body_etag.empty()) TRY(write_file_atomically(etag_path_, transfer.body_etag, Sync::no));
    reason_ = std::move(transfer.reason);
    switch (outcome) {
      case Outcome::whole:
        return check(part);
      case Outcome::canceled:
        return fail(ErrorCode::canceled, "canceled");
      case Outcome::failed:
        return fail(std::move(*transfer.write_error));
      case Outcome::refused:
        return fail(ErrorCode::network, reason_);
      case Outcome::unreachable:
        // Without a first byte the network is not there at all.
        if (most_bytes_ == 0) return fail(ErrorCode::network, reason_);
        return std::nullopt;
      case Outcome::wrong:
        forget();
        return fail(ErrorCode::model_corrupt, fmt::format("{}; it was deleted", reason_));
      case Outcome::cut:
        return std::nullopt;
    }
    return std::nullopt;
  }

  Result<std::optional<File>> check(StagedFile& part) {
    const uint64_t size_bytes = part.size_bytes();
    const std::string sha256 = TRY(part.finish());
    if (TRY(matches(part_path_, file_, sha256, reported_))) {
      if (::rename(part_path_.c_str(), target_.c_str()) != 0) {
        return fail(system_error("cannot keep what was downloaded", errno));
      }
      forget();
      return File{file_.name, size_bytes, sha256};
    }
    forget();
    reason_ = fmt::format("{} has another checksum than it should; it was deleted", file_.name);
    // Perhaps it was an older piece that was wrong.
    if (!began_afresh_) return std::nullopt;
    return fail(ErrorCode::model_corrupt, reason_);
  }

  void forget() const {
    std::error_code ignored;
    fs::remove(part_path_, ignored);
    fs::remove(etag_path_, ignored);
  }

  CURL* handle_;
  const std::string& url_;
  const std::string& token_;
  const File& file_;
  const fs::path& target_;
  fs::path part_path_;
  fs::path etag_path_;
  const OnBytes& on_bytes_;
  const std::stop_token& stop_;
  std::string reported_;  // the hub's own checksum
  std::string reason_;
  uint64_t most_bytes_ = 0;
  bool began_afresh_ = false;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Hub::Hub(std::string endpoint, std::string token, std::chrono::milliseconds retry_delay)
    : endpoint_(std::move(endpoint)), token_(std::move(token)), retry_delay_(retry_delay) {
  [[maybe_unused]] static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (endpoint_.empty()) endpoint_ = environment("HF_ENDPOINT");
  if (endpoint_.empty()) endpoint_ = kEndpoint;
  while (endpoint_.ends_with('/')) endpoint_.pop_back();
  const std::optional<Address> address = address_of(endpoint_);
  host_ = address ? address->host : "";
}

Result<File> Hub::download(std::string_view repository, const File& file, const fs::path& target,
                           const OnBytes& on_bytes, const std::stop_token& stop) const {
  if (host_.empty())
    return fail(ErrorCode::network, "HF_ENDPOINT is not an address that begins with https://");
  const size_t at = repository.find('@');
  const std::string url = fmt::format("{}/{}/resolve/{}/{}", endpoint_, repository.substr(0, at),
                                      repository.substr(at + 1), file.name);
  const Curl handle(curl_easy_init());
  if (!handle) return fail(ErrorCode::out_of_memory, "cannot start a download");
  return Download(handle.get(), url, token_, file, target, on_bytes, stop).run(retry_delay_);
}

}  // namespace hansard::models
