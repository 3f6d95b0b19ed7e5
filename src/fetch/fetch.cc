#include "fetch/fetch.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/limits.h"
#include "base/spelling.h"
#include "http/field.h"

namespace hansard::fetch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long kConnectTimeoutMs = 15'000;
constexpr long kSilenceS = 60;  // a server that sends nothing for so long has gone
constexpr int kRedirects = 5;
constexpr size_t kHeaderBytes = 256 << 10;  // of one answer; no server that means well sends more

struct CurlFree {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Curl = std::unique_ptr<CURL, CurlFree>;
using CurlUrl = std::unique_ptr<CURLU, CurlFree>;
using CurlList = std::unique_ptr<curl_slist, CurlFree>;

// ---- addresses

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  return result;
}

CurlUrl parse_url(const std::string& url) {
  CurlUrl parsed(curl_url());
  const bool is_url =
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
  return is_url ? std::move(parsed) : nullptr;
}

std::string host_of(CURLU* url) {
  std::string host = part_of(url, CURLUPART_HOST);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

// Where a redirection at `url` leads; empty where that is no address.
std::string next_url(const std::string& url, const std::string& location) {
  const CurlUrl parsed = parse_url(url);
  const bool is_url =
      curl_url_set(parsed.get(), CURLUPART_URL, location.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
  return is_url ? part_of(parsed.get(), CURLUPART_URL) : "";
}

std::optional<IpAddress> address_of(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4 = {};
    std::memcpy(&v4, address, sizeof v4);
    return ipv4(reinterpret_cast<const uint8_t*>(&v4.sin_addr));
  }
  if (address->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6 = {};
  std::memcpy(&v6, address, sizeof v6);
  IpAddress bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return bytes;
}

tl::unexpected<Error> refused(const std::string& host) {
  return fail(ErrorCode::address_refused,
              fmt::format("{} is not, or leads to, an address of a private network or of this machine, which "
                          "may not be asked",
                          host));
}

// ---- the name of what comes

std::string unescaped(std::string_view text) {
  int size = 0;
  char* bytes = curl_easy_unescape(nullptr, text.data(), static_cast<int>(text.size()), &size);
  if (bytes == nullptr) return std::string(text);
  std::string result(bytes, static_cast<size_t>(size));
  curl_free(bytes);
  return result;
}

std::string_view last_part(std::string_view path) {
  return path.substr(path.find_last_of("/\\") + 1);  // npos + 1: all of it
}

// The file's name in a Content-Disposition (RFC 6266): that with an encoding goes before the plain one.
std::string disposed_name(std::string_view field) {
  std::string plain;
  while (!field.empty()) {
    const std::string_view pair = http::take_element(field, ';');
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name = lower(http::trim(pair.substr(0, equals)));
    std::string_view value = http::trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
      value = value.substr(1, value.size() - 2);
    }
    if (name == "filename") plain = last_part(value);
    const size_t quote = value.rfind('\'');
    if (name == "filename*" && lower(value).starts_with("utf-8'") && quote != std::string_view::npos) {
      return std::string(last_part(unescaped(value.substr(quote + 1))));
    }
  }
  return plain;
}

// ---- one request

struct Transfer {
  const AddressRules* rules;
  const std::stop_token& stop;
  const Take* take = nullptr;
  const OnBytes* on_bytes = nullptr;
  uint64_t most_bytes = 0;

  CURL* handle = nullptr;
  bool refused = false;  // an address was
  size_t header_bytes = 0;
  std::string location;
  std::string disposition;
  std::string media_type;
  uint64_t size_bytes = 0;
  bool too_large = false;
  std::optional<Error> take_error;
};

long status_of(CURL* handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// The only place where a connection comes from.
curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  const auto asked = address_of(&address->addr);
  if (!asked || !transfer.rules->allow(*asked)) transfer.refused = true;
  // A name that stands for one such address is not asked at its others either.
  if (transfer.refused) return CURL_SOCKET_BAD;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t on_header(char* data, size_t, size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  transfer.header_bytes += size;
  if (transfer.header_bytes > kHeaderBytes) return 0;
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) {
    transfer.location.clear();
    transfer.disposition.clear();
    transfer.media_type.clear();
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  const std::string name = lower(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  while (value.ends_with('\n') || value.ends_with('\r')) value.remove_suffix(1);
  if (name == "location") transfer.location = http::trim(value);
  if (name == "content-disposition") transfer.disposition = http::trim(value);
  if (name == "content-type") transfer.media_type = lower(http::trim(value.substr(0, value.find(';'))));
  return size;
}

std::optional<uint64_t> announced_bytes(CURL* handle) {
  curl_off_t bytes = -1;
  curl_easy_getinfo(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &bytes);
  return bytes < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(bytes));
}

size_t on_body(char* data, size_t, size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  // The text of an error or a redirection: nobody reads it.
  if (transfer.take == nullptr || status_of(transfer.handle) != 200) return 0;
  const auto announced = announced_bytes(transfer.handle);
  if (transfer.size_bytes + size > transfer.most_bytes || announced.value_or(0) > transfer.most_bytes) {
    transfer.too_large = true;
    return 0;
  }
  if (auto taken = (*transfer.take)({data, size}); !taken) {
    transfer.take_error = std::move(taken).error();
    return 0;
  }
  transfer.size_bytes += size;
  if (*transfer.on_bytes) (*transfer.on_bytes)(transfer.size_bytes, announced);
  return size;
}

int on_tick(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(context)->stop.stop_requested() ? 1 : 0;
}

CURLcode perform(Transfer& transfer, const std::string& url, Clock::time_point deadline) {
  CURL* handle = transfer.handle;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (left <= 0) return CURLE_OPERATION_TIMEDOUT;
  transfer.header_bytes = 0;
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "hansard");
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(left));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kSilenceS);
  curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_tick);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  if (transfer.rules != nullptr) {
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &transfer);
  }
  return curl_easy_perform(handle);
}

// Why there is no whole answer; nothing where there is one, of whatever status.
Result<void> check_transfer(const Transfer& transfer, CURLcode code, const std::string& host) {
  if (transfer.stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
  if (transfer.take_error) return fail(*transfer.take_error);
  if (transfer.refused) return refused(host);
  if (transfer.too_large) {
    return fail(ErrorCode::too_large, fmt::format("what {} sends is larger than the {} MB that are taken",
                                                  host, transfer.most_bytes >> 20));
  }
  if (code == CURLE_OK) return {};
  // The body was not read.
  if (code == CURLE_WRITE_ERROR && transfer.header_bytes <= kHeaderBytes) return {};
  const std::string why = curl_easy_strerror(code);
  if (code == CURLE_UNSUPPORTED_PROTOCOL) {
    return fail(ErrorCode::unavailable,
                fmt::format("{} leads to an address that is not http or https", host));
  }
  return fail(ErrorCode::network, fmt::format("{}: {}", host, why));
}

Error refusal_of(long status, const std::string& host) {
  const std::string message = fmt::format("{} answered {}", host, status);
  if (status == 401 || status == 403)
    return {ErrorCode::access_denied, message + ": it is not for everyone", {}};
  if (status == 429)
    return {ErrorCode::rate_limited, message + ": it was asked too often; try again later", {}};
  if (status == 408 || status >= 500) return {ErrorCode::network, message + "; try again later", {}};
  return {ErrorCode::unavailable, message + ": there is nothing at this address", {}};
}

struct Begun {
  Curl handle;
  std::string host;
  Clock::time_point deadline;
};
Result<Begun> begin(const std::string& url, const AddressRules* rules, std::chrono::milliseconds time) {
  [[maybe_unused]] static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  TRY(check_url(url, rules));
  Begun begun{Curl(curl_easy_init()), host_of(parse_url(url).get()), Clock::now() + time};
  if (!begun.handle) return fail(ErrorCode::out_of_memory, "cannot start a transfer");
  return begun;
}

}  // namespace

Result<void> check_url(const std::string& url, const AddressRules* rules) {
  const auto bad = [] {
    return fail(ErrorCode::invalid_request, "must be an address that begins with http:// or https://");
  };
  if (url.size() > limits::kUrlBytes) {
    return fail(ErrorCode::invalid_request, fmt::format("must have at most {} bytes", limits::kUrlBytes));
  }
  const CurlUrl parsed = parse_url(url);
  if (!parsed || url.find('\0') != std::string::npos) return bad();
  const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
  const std::string host = host_of(parsed.get());
  if ((scheme != "http" && scheme != "https") || host.empty()) return bad();
  const auto number = parse_ip_address(host);
  if (number && rules != nullptr && !rules->allow(*number)) return refused(host);
  return {};
}

std::string name_of(const std::string& url) {
  const CurlUrl parsed = parse_url(url);
  if (!parsed) return {};
  std::string name(last_part(unescaped(part_of(parsed.get(), CURLUPART_PATH))));
  return name.empty() ? host_of(parsed.get()) : name;
}

Result<Got> get(const Get& wanted, const Take& take, const OnBytes& on_bytes, const std::stop_token& stop) {
  const Begun begun = TRY(begin(wanted.url, wanted.rules, wanted.time));
  Transfer transfer{.rules = wanted.rules,
                    .stop = stop,
                    .take = &take,
                    .on_bytes = &on_bytes,
                    .most_bytes = wanted.most_bytes,
                    .handle = begun.handle.get()};
  std::string url = wanted.url;
  for (int hop = 0; hop <= kRedirects; ++hop) {
    const CURLcode code = perform(transfer, url, begun.deadline);
    TRY(check_transfer(transfer, code, begun.host));
    const long status = status_of(transfer.handle);
    if (status < 300 || status > 399 || transfer.location.empty()) {
      if (status != 200) return fail(refusal_of(status, begun.host));
      std::string name = disposed_name(transfer.disposition);
      if (name.empty()) name = name_of(url);
      return Got{std::move(name), std::move(transfer.media_type), transfer.size_bytes};
    }
    url = next_url(url, transfer.location);
    if (const auto checked = check_url(url, wanted.rules); !checked) {
      if (checked.error().code == ErrorCode::address_refused) return refused(begun.host);
      return fail(ErrorCode::unavailable,
                  fmt::format("{} leads to an address that is not http or https", begun.host));
    }
  }
  return fail(ErrorCode::unavailable,
              fmt::format("{} leads on and on, more than {} times", begun.host, kRedirects));
}

Result<int> post(const Post& wanted, const std::stop_token& stop) {
  const Begun begun = TRY(begin(wanted.url, wanted.rules, wanted.time));
  Transfer transfer{.rules = wanted.rules, .stop = stop, .handle = begun.handle.get()};
  CurlList headers;
  for (const std::string& header : wanted.headers) {
    headers.reset(curl_slist_append(headers.release(), header.c_str()));
  }
  curl_easy_setopt(transfer.handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(transfer.handle, CURLOPT_POST, 1L);
  curl_easy_setopt(transfer.handle, CURLOPT_POSTFIELDS, wanted.body.c_str());
  curl_easy_setopt(transfer.handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(wanted.body.size()));
  TRY(check_transfer(transfer, perform(transfer, wanted.url, begun.deadline), begun.host));
  return static_cast<int>(status_of(transfer.handle));
}

}  // namespace hansard::fetch
