#include "http/test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/spelling.h"

namespace hansard::http {

Client::Client(uint16_t port) : port_(port), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the interface of connect()
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) socket_.reset();
}

void Client::send(std::string_view bytes) {
  if (!request_line_.ends_with("\r\n")) {
    request_line_ += bytes;
    if (const size_t end = request_line_.find("\r\n"); end != std::string::npos)
      request_line_.resize(end + 2);
  }
  send_more(bytes);
}

void Client::send_more(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

bool Client::fill() {
  std::string bytes(64 * 1024, '\0');
  const ssize_t n = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  if (n <= 0) return false;
  buffer_.append(bytes, 0, static_cast<size_t>(n));
  return true;
}

// Takes an answer's head out of `bytes`, where it has come.
std::optional<ClientResponse> Client::take_head(std::string& bytes) const {
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  ClientResponse response;
  const std::string text = bytes.substr(0, end + 2);
  bytes.erase(0, end + 4);
  if (text.size() > 12) std::from_chars(text.data() + 9, text.data() + 12, response.status);
  for (size_t at = text.find("\r\n") + 2; at < text.size();) {
    const size_t line_end = text.find("\r\n", at);
    const size_t colon = text.find(": ", at);
    response.headers[lower(text.substr(at, colon - at))] = text.substr(colon + 2, line_end - colon - 2);
    at = line_end + 2;
  }
  return response;
}

ClientResponse Client::receive(bool head) {
  std::optional<ClientResponse> response = take_head(buffer_);
  while (!response) {
    if (!fill()) return {};
    response = take_head(buffer_);
  }
  if (response->status == 100) return receive(head);
  if (!head && response->status != 204 && response->status != 304) {
    const auto length = response->headers.find("content-length");
    const size_t size = length == response->headers.end() ? std::string::npos : std::stoul(length->second);
    while (buffer_.size() < size && fill()) {
    }
    response->body = buffer_.substr(0, size);
    buffer_.erase(0, response->body.size());
    if (size != std::string::npos && response->body.size() < size) return std::move(*response);  // broken off
  }
  show(*response);
  request_line_.clear();
  return std::move(*response);
}

std::string Client::read_until(std::string_view text) {
  while (buffer_.find(text) == std::string::npos && fill()) {
  }
  show_stream(buffer_);
  return std::exchange(buffer_, {});
}

void Client::show(ClientResponse response) {
  if (witness == nullptr) return;
  const size_t space = std::min(request_line_.find(' '), request_line_.size());
  const size_t second = std::min(request_line_.find(' ', space + 1), request_line_.size());
  witness({port_, request_line_.substr(0, space),
           space < second ? request_line_.substr(space + 1, second - space - 1) : "", std::move(response)});
}

void Client::show_stream(std::string_view bytes) {
  if (witness == nullptr) return;
  stream_ += bytes;
  if (!stream_head_) stream_head_ = take_head(stream_);
  if (!stream_head_ || !stream_head_->headers["content-type"].starts_with("text/event-stream")) return;
  const size_t end = stream_.rfind("\n\n");
  const size_t whole = end == std::string::npos ? 0 : end + 2;
  ClientResponse response = *stream_head_;
  response.body = stream_.substr(0, whole);
  stream_.erase(0, whole);
  show(std::move(response));
}

void Client::shutdown_sending() const {
  ::shutdown(socket_.get(), SHUT_WR);
}

ClientResponse Client::request(std::string_view method, std::string_view target, std::string_view body,
                               std::string_view headers) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}", method, target, headers);
  if (!body.empty()) text += fmt::format("Content-Length: {}\r\n", body.size());
  send(text + "\r\n");
  send(body);
  return receive(method == "HEAD");
}

std::string form(std::string_view file_bytes, std::string_view file_name,
                 const std::map<std::string, std::string>& fields) {
  std::string body;
  for (const auto& [name, value] : fields) {
    body += fmt::format("--b\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", name, value);
  }
  body +=
      fmt::format("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\r\n", file_name);
  body += file_bytes;
  return body + "\r\n--b--\r\n";
}

}  // namespace hansard::http
