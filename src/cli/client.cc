#include "cli/client.h"

#include <curl/curl.h>

#include <memory>

#include <fmt/format.h>

namespace hansard::cli {
namespace {

namespace bj = json::bj;

constexpr size_t kLongestAnswerBytes = 256 << 20;

struct Transfer {
  std::string body;
  std::function<bool(std::string_view)> take;  // instead of `body`; false ends the transfer
  std::function<void(uint64_t)> sent;
  std::stop_token stop;
  CURL* handle = nullptr;
  bool enough = false;
};

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view bytes(data, size * count);
  long status = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (transfer.take && status == 200) {
    if (transfer.take(bytes)) return bytes.size();
    transfer.enough = true;
    return 0;
  }
  if (transfer.body.size() + bytes.size() > kLongestAnswerBytes) return 0;
  transfer.body += bytes;
  return bytes.size();
}

int on_tick(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent) {
  const auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.sent && sent > 0) transfer.sent(static_cast<uint64_t>(sent));
  return transfer.stop.stop_requested() ? 1 : 0;
}

ErrorCode code_of(long status) {
  switch (status) {
    case 404:
      return ErrorCode::not_found;
    case 409:
      return ErrorCode::conflict;
    case 415:
      return ErrorCode::unsupported_media;
    case 503:
      return ErrorCode::network;
    case 507:
      return ErrorCode::insufficient_storage;
    default:
      return status < 500 ? ErrorCode::invalid_request : ErrorCode::internal;
  }
}

// What the server says is wrong, in its own words.
Error refusal(long status, const std::string& body) {
  std::string message = fmt::format("the server answers with status {}", status);
  if (status == 401)
    return {ErrorCode::permission_denied,
            "the server wants to know who asks; set HANSARD_API_KEY to a key of yours",
            {}};
  if (const auto answer = json::parse_object(body)) {
    const bj::value* error = answer->if_contains("error");
    if (error != nullptr && error->is_object()) {
      const bj::object& said = error->get_object();
      const auto text = json::get_string(said, "message");
      const auto field = json::get_string(said, "field");
      if (text) message = field ? fmt::format("{}: {}", *field, *text) : *text;
    }
  }
  return {code_of(status), message, {}};
}

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

HeaderList headers_of(const std::string& api_key, const char* more = "") {
  curl_slist* list = nullptr;
  if (!api_key.empty()) list = curl_slist_append(list, ("X-API-Key: " + api_key).c_str());
  if (*more != '\0') list = curl_slist_append(list, more);
  return {list, curl_slist_free_all};
}

Handle prepare(const std::string& url, std::string_view method, Transfer& transfer) {
  Handle handle(curl_easy_init(), curl_easy_cleanup);
  CURL* curl = handle.get();
  transfer.handle = curl;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, std::string(method).c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "hansard");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  return handle;
}

Result<void> perform(const Handle& handle, const std::string& url, Transfer& transfer) {
  const CURLcode code = curl_easy_perform(handle.get());
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (transfer.enough) return {};
  if (transfer.stop.stop_requested()) return fail(ErrorCode::canceled, "interrupted");
  if (status >= 400) return fail(refusal(status, transfer.body));
  if (code == CURLE_OK) return {};
  if (code == CURLE_READ_ERROR) return fail(ErrorCode::not_found, "the file cannot be read");
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return fail(ErrorCode::invalid_request,
                fmt::format("HANSARD_URL is \"{}\"; allowed is the address of a server, as in "
                            "http://127.0.0.1:8080",
                            url));
  }
  return fail(
      ErrorCode::network,
      fmt::format("no server answers at {}: {}; start one with hansard serve, or name it with HANSARD_URL",
                  url, curl_easy_strerror(code)));
}

// Cuts a stream into events (WHATWG HTML, 9.2), as they come.
class EventReader {
 public:
  explicit EventReader(const Client::OnEvent& event) : event_(event) {}
  bool take(std::string_view bytes) {
    held_ += bytes;
    for (size_t end = held_.find('\n'); end != std::string::npos; end = held_.find('\n')) {
      const std::string line = held_.substr(0, end);
      held_.erase(0, end + 1);
      if (!take_line(line)) return false;
    }
    return true;
  }

 private:
  bool take_line(std::string_view line) {
    constexpr std::string_view kName = "event: ";
    constexpr std::string_view kData = "data: ";
    if (line.starts_with(kName)) name_ = line.substr(kName.size());
    if (line.starts_with(kData)) data_ = line.substr(kData.size());
    if (!line.empty()) return true;
    const auto data = json::parse_object(data_);
    const std::string name = std::exchange(name_, {});
    data_.clear();
    return name.empty() || !data || event_(name, *data);
  }

  const Client::OnEvent& event_;
  std::string held_;
  std::string name_;
  std::string data_;
};

}  // namespace

Client::Client(std::string url, std::string api_key, std::stop_token stop)
    : url_(std::move(url)), api_key_(std::move(api_key)), stop_(std::move(stop)) {
  while (url_.ends_with('/')) url_.pop_back();
}

std::string Client::address(std::string_view path) const {
  return fmt::format("{}/api/v1/{}", url_, path);
}

Result<std::string> Client::request(std::string_view method, std::string_view path, std::string_view body) {
  Transfer transfer;
  transfer.stop = stop_;
  const Handle handle = prepare(address(path), method, transfer);
  const std::string sent(body);
  const HeaderList headers = headers_of(api_key_, sent.empty() ? "" : "Content-Type: application/json");
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  if (!sent.empty()) {
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(sent.size()));
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, sent.c_str());
  }
  TRY(perform(handle, url_, transfer));
  return std::move(transfer.body);
}

Result<bj::object> Client::object(std::string_view method, std::string_view path, std::string_view body) {
  return json::parse_object(TRY(request(method, path, body)));
}

Result<bj::object> Client::upload(std::string_view path, const std::filesystem::path& file,
                                  const std::map<std::string, std::string>& fields,
                                  const std::function<void(uint64_t)>& sent) {
  Transfer transfer;
  transfer.stop = stop_;
  transfer.sent = sent;
  const Handle handle = prepare(address(path), "POST", transfer);
  const HeaderList headers = headers_of(api_key_);
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  const std::unique_ptr<curl_mime, decltype(&curl_mime_free)> form(curl_mime_init(handle.get()),
                                                                   curl_mime_free);
  for (const auto& [name, value] : fields) {
    curl_mimepart* part = curl_mime_addpart(form.get());
    curl_mime_name(part, name.c_str());
    curl_mime_data(part, value.data(), value.size());
  }
  curl_mimepart* part = curl_mime_addpart(form.get());
  curl_mime_name(part, "file");
  // What opens and is no file would wait for bytes, or fail in the middle.
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error) || curl_mime_filedata(part, file.c_str()) != CURLE_OK) {
    return fail(ErrorCode::not_found, "there is no such file, or it cannot be read");
  }
  curl_easy_setopt(handle.get(), CURLOPT_MIMEPOST, form.get());
  TRY(perform(handle, url_, transfer));
  return json::parse_object(transfer.body);
}

Result<void> Client::follow(std::string_view path, const OnEvent& event) {
  EventReader reader(event);
  Transfer transfer;
  transfer.stop = stop_;
  transfer.take = [&](std::string_view bytes) { return reader.take(bytes); };
  const Handle handle = prepare(address(path), "GET", transfer);
  // A server that lives sends a comment every 15 s.
  curl_easy_setopt(handle.get(), CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_LOW_SPEED_TIME, 60L);
  const HeaderList headers = headers_of(api_key_);
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  return perform(handle, url_, transfer);
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '_' || c == '-' || c == '.';
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

}  // namespace hansard::cli
