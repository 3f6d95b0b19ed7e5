// A client for test programs that can also do what no client should: send bytes as it likes, and stop.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace hansard::http {

struct ClientResponse {
  int status = 0;                              // 0: the connection ended before an answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// An answer with the request it is to. Of an event stream: what came of it so far, in whole events.
struct Exchange {
  uint16_t port = 0;
  std::string method;
  std::string target;
  ClientResponse response;
};

class Client {
 public:
  explicit Client(uint16_t port);

  // Every answer that any client of this program gets is shown to `to`, from the client's own thread.
  static void show_to(void (*to)(const Exchange&)) { witness = to; }

  void send(std::string_view bytes);
  // More of a request whose first line was sent; also while another thread receives.
  void send_more(std::string_view bytes) const;
  // One answer; `head`: of a HEAD request, which has no body.
  ClientResponse receive(bool head = false);
  // Reads until `text` has come or the connection ends; all that came.
  std::string read_until(std::string_view text);
  void shutdown_sending() const;

  ClientResponse request(std::string_view method, std::string_view target, std::string_view body = {},
                         std::string_view headers = {});

 private:
  bool fill();
  std::optional<ClientResponse> take_head(std::string& bytes) const;
  void show(ClientResponse response);
  void show_stream(std::string_view bytes);

  inline static void (*witness)(const Exchange&) = nullptr;

  const uint16_t port_;
  UniqueFd socket_;
  std::string buffer_;
  std::string request_line_;  // of what was sent last; whole once it has its line end
  std::string stream_;        // read, and not yet shown
  std::optional<ClientResponse> stream_head_;
};

// A form with one file, as the body of a request with boundary "b".
std::string form(std::string_view file_bytes, std::string_view file_name,
                 const std::map<std::string, std::string>& fields = {});
inline constexpr std::string_view kFormHeader = "Content-Type: multipart/form-data; boundary=b\r\n";

}  // namespace hansard::http
