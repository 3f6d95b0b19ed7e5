#include "base/test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cctype>
#include <condition_variable>
#include <cstdlib>
#include <list>
#include <mutex>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "base/fd.h"

namespace hansard {
namespace {

// The request, or nothing where the client has gone.
std::optional<TestRequest> receive(int fd) {
  std::string head;
  char byte = 0;
  while (!head.ends_with("\r\n\r\n")) {
    if (::recv(fd, &byte, 1, 0) != 1) return std::nullopt;
    head += byte;
  }
  TestRequest request;
  std::istringstream lines(head);
  lines >> request.method >> request.path;
  std::string line;
  while (std::getline(lines, line)) {
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    request.headers[name] = line.substr(colon + 2, line.find('\r') - colon - 2);
  }
  const std::string size = request.header("content-length");
  request.body.resize(size.empty() ? 0 : std::stoul(size));
  for (size_t got = 0; got < request.body.size();) {
    const ssize_t n = ::recv(fd, request.body.data() + got, request.body.size() - got, 0);
    if (n <= 0) return std::nullopt;
    got += static_cast<size_t>(n);
  }
  return request;
}

void send(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

TestResponse serve(const TestRequest& request, const std::string& bytes, const std::string& etag) {
  TestResponse response{.headers = {{"ETag", etag}}, .body = bytes};
  const std::string range = request.header("range");
  const std::string condition = request.header("if-range");
  if (range.empty() || (!condition.empty() && condition != etag)) return response;
  const size_t from = std::stoul(range.substr(range.find('=') + 1));
  if (from >= bytes.size()) return {.status = 416};
  response.status = 206;
  response.headers.emplace_back("Content-Range",
                                fmt::format("bytes {}-{}/{}", from, bytes.size() - 1, bytes.size()));
  response.body = bytes.substr(from);
  return response;
}

struct TestServer::State {
  Answer answer;
  UniqueFd listener;
  int port = 0;
  mutable std::mutex mutex;
  std::condition_variable_any changed;
  std::vector<TestRequest> requests;
  std::list<std::jthread> connections;
  std::jthread accepting;

  void answer_one(int descriptor, const std::stop_token& stop) {
    const UniqueFd fd(descriptor);
    const std::optional<TestRequest> request = receive(fd.get());
    if (!request) return;
    {
      const std::lock_guard<std::mutex> hold(mutex);
      requests.push_back(*request);
    }
    const TestResponse response = answer(*request);
    std::string head = fmt::format("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n",
                                   response.status, response.body.size());
    for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
    send(fd.get(), head + "\r\n");
    send(fd.get(),
         std::string_view(response.body).substr(0, response.break_after.value_or(response.body.size())));
    if (response.silent_after) {
      std::unique_lock<std::mutex> hold(mutex);
      changed.wait(hold, stop, [] { return false; });
    }
    ::shutdown(fd.get(), SHUT_RDWR);
  }
};

TestServer::TestServer(Answer answer) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.answer = std::move(answer);
  state.listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(state.listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(state.listener.get(), 16) != 0) {
    std::abort();
  }
  ::getsockname(state.listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  state.port = ntohs(address.sin_port);
  state.accepting = std::jthread([&state](const std::stop_token& stop) {
    for (;;) {
      const int fd = ::accept4(state.listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0 || stop.stop_requested()) {
        if (fd >= 0) ::close(fd);
        return;
      }
      state.connections.emplace_back(
          [&state, fd](const std::stop_token& ended) { state.answer_one(fd, ended); });
    }
  });
}

TestServer::~TestServer() {
  state_->accepting.request_stop();
  ::shutdown(state_->listener.get(), SHUT_RDWR);
  state_->accepting.join();
  state_->connections.clear();
}

std::string TestServer::address() const {
  return fmt::format("http://127.0.0.1:{}", state_->port);
}

std::vector<TestRequest> TestServer::requests() const {
  const std::lock_guard<std::mutex> hold(state_->mutex);
  return state_->requests;
}

int TestServer::count(const std::string& path_ending) const {
  int count = 0;
  for (const TestRequest& request : requests()) count += request.path.ends_with(path_ending) ? 1 : 0;
  return count;
}

}  // namespace hansard
