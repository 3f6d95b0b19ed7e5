// A client for test programs that can also do what no client should: send bytes as it likes, and stop.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace hansard::http {

struct ClientResponse {
  int status = 0;                              // 0: the connection ended before an answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class Client {
 public:
  explicit Client(uint16_t port);

  void send(std::string_view bytes) const;
  // One answer; `head`: of a HEAD request, which has no body.
  ClientResponse receive(bool head = false);
  // Reads until `text` has come or the connection ends; all that came.
  std::string read_until(std::string_view text);
  void shutdown_sending() const;

  ClientResponse request(std::string_view method, std::string_view target, std::string_view body = {},
                         std::string_view headers = {});

 private:
  bool fill();

  UniqueFd socket_;
  std::string buffer_;
};

// A form with one file, as the body of a request with boundary "b".
std::string form(std::string_view file_bytes, std::string_view file_name,
                 const std::map<std::string, std::string>& fields = {});
inline constexpr std::string_view kFormHeader = "Content-Type: multipart/form-data; boundary=b\r\n";

}  // namespace hansard::http
