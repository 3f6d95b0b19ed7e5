// Requests at a fixed rate, whatever the answers take: a late answer does not put off the requests behind it,
// and counts from when its request was due. One line of JSON on standard output.
//
//   paced-requests PORT PER_SECOND SECONDS PATH...     paths in turns, over connections that stay open
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace {

using Clock = std::chrono::steady_clock;

// Each connection has this long for an answer before its next request is late.
constexpr size_t kConnections = 16;

[[noreturn]] void end_with(std::string_view what) {
  fmt::print(stderr, "paced-requests: {}\n", what);
  std::_Exit(1);
}

class Connection {
 public:
  explicit Connection(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int yes = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      end_with("cannot connect");
    }
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void get(std::string_view path) {
    const std::string request = fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      end_with("cannot send");
    answer_.clear();
    size_t whole = std::string::npos;
    while (answer_.size() < whole) {
      receive();
      const size_t head = answer_.find("\r\n\r\n");
      if (head != std::string::npos) whole = head + 4 + body_bytes(head);
    }
    if (!answer_.starts_with("HTTP/1.1 200")) end_with(answer_.substr(0, 100));
  }

 private:
  void receive() {
    char bytes[16'384];
    const ssize_t count = ::recv(socket_, bytes, sizeof(bytes), 0);
    if (count <= 0) end_with("the connection was closed");
    answer_.append(bytes, static_cast<size_t>(count));
  }
  size_t body_bytes(size_t head) const {
    constexpr std::string_view kName = "\r\nContent-Length: ";
    const size_t at = answer_.find(kName);
    if (at > head) end_with("an answer without a length");
    return static_cast<size_t>(std::strtoull(answer_.c_str() + at + kName.size(), nullptr, 10));
  }

  int socket_;
  std::string answer_;
};

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) end_with("PORT PER_SECOND SECONDS PATH...");
  const auto port = static_cast<uint16_t>(std::atoi(argv[1]));
  const auto per_second = static_cast<size_t>(std::atoi(argv[2]));
  const size_t count = per_second * static_cast<size_t>(std::atoi(argv[3]));
  const std::vector<std::string> paths(argv + 4, argv + argc);
  const auto interval = std::chrono::nanoseconds(1'000'000'000 / per_second);
  std::vector<double> times(count);
  {
    const auto began = Clock::now() + std::chrono::milliseconds(50);
    std::vector<std::jthread> threads;
    for (size_t first = 0; first < kConnections; ++first) {
      threads.emplace_back([&, first] {
        Connection connection(port);
        for (size_t i = first; i < count; i += kConnections) {
          const auto due = began + interval * static_cast<int64_t>(i);
          std::this_thread::sleep_until(due);
          connection.get(paths[i / kConnections % paths.size()]);
          times[i] = milliseconds(Clock::now() - due);
        }
      });
    }
  }
  std::sort(times.begin(), times.end());
  fmt::print(R"({{"p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f}}})"
             "\n",
             times[count / 2], times[count * 99 / 100], times.back());
}
