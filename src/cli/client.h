// Asks a running server, over HTTP: what the commands submit, jobs and get are made of.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace hansard::cli {

// One thread at a time. Errors of every call: network where no server answers (the message says how to start
// one), canceled, and what the server says: invalid_request, not_found, conflict, …, with its message.
class Client {
 public:
  // `url` as in HANSARD_URL: "http://127.0.0.1:8080"; `api_key` as in HANSARD_API_KEY, may be empty.
  Client(std::string url, std::string api_key, std::stop_token stop);

  // `path` below /api/v1, with its query. An empty `body` is none. The answer's body.
  Result<std::string> request(std::string_view method, std::string_view path, std::string_view body = {});
  Result<json::bj::object> object(std::string_view method, std::string_view path, std::string_view body = {});

  // A form with a file; `sent` gets the bytes sent so far.
  Result<json::bj::object> upload(std::string_view path, const std::filesystem::path& file,
                                  const std::map<std::string, std::string>& fields,
                                  const std::function<void(uint64_t)>& sent);

  // Server-Sent Events until the stream ends or `event` gives false.
  using OnEvent = std::function<bool(std::string_view name, const json::bj::object& data)>;
  Result<void> follow(std::string_view path, const OnEvent& event);

 private:
  std::string address(std::string_view path) const;

  std::string url_;
  std::string api_key_;
  std::stop_token stop_;
};

// A part of a path or query, escaped.
std::string escaped(std::string_view text);

}  // namespace hansard::cli
