// `hansard serve` as its own process, on any free port. All its answers are held to the contract,
// which tells no path and no token.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/process.h"
#include "http/test_client.h"

namespace hansard {

class Serving {
 public:
  // Starts `program` (hansard, or a test's own build of it) and waits until it listens. `environment` is its
  // whole environment, but that nobody is asked for a name unless it says HANSARD_AUTH; `flags` come after
  // "serve --port 0".
  Serving(std::filesystem::path program, std::filesystem::path log, std::vector<std::string> environment,
          std::vector<std::string> flags = {});

  ~Serving();
  Serving(Serving&&) = default;

  // Whether it came to listen; else it has ended.
  bool listens() const { return port_ != 0; }
  uint16_t port() const { return port_; }
  ChildProcess& child() { return child_; }
  std::string log() const;

  // Goes with every request from now on: "X-API-Key: …\r\n".
  void ask_with(std::string headers) { headers_ = std::move(headers); }
  // Asks on a connection of its own.
  http::ClientResponse request(std::string_view method, std::string_view target, std::string_view body = {},
                               std::string_view headers = {}) const;
  http::ClientResponse get(std::string_view target) const { return request("GET", target); }
  // Hands in a recording to be transcribed: the job's id, empty where it was not accepted.
  std::string submit(std::string_view recording, const std::map<std::string, std::string>& fields = {},
                     std::string_view headers = {}) const;
  // Waits for a job's end through its events; its JSON.
  json::bj::object wait_for_end(const std::string& id) const;

 private:
  std::string headers_;
  std::filesystem::path log_;
  ChildProcess child_;
  uint16_t port_ = 0;
};

}  // namespace hansard
