// Holds answers of the server to its contract, openapi.yaml: status, headers, type and body must be as the
// document says. Bodies are held to their schemas by valijson.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "http/router.h"
#include "http/test_client.h"

namespace hansard {

// Threads: any number.
class Contract {
 public:
  // The document of this build.
  static Contract& of_this_build();
  explicit Contract(json::bj::object document);
  ~Contract();

  // What is wrong with an answer; empty where nothing is.
  std::string violation(const http::Exchange& exchange);

  const json::bj::object& document() const { return document_; }
  // The addresses and methods that it has, as routes without handlers.
  const http::Router& router() const { return router_; }

 private:
  struct Schemas;

  // `pointer` is a JSON pointer into the document; references are followed.
  std::string resolve(std::string pointer) const;
  const json::bj::value& at(const std::string& pointer) const;
  std::string check_schema(const std::string& pointer, const json::bj::value& value);
  std::string check_headers(const std::string& response, const http::Exchange& exchange);
  std::string check_body(const std::string& response, const http::Exchange& exchange);
  std::string check_events(const std::string& schema, std::string_view stream);
  bool is_page(const http::Exchange& exchange) const;
  std::string check_refusal(const http::Exchange& exchange, const http::Router::Match& match);

  json::bj::object document_;
  http::Router router_;
  std::mutex mutex_;  // of what follows
  std::unique_ptr<Schemas> schemas_;
};

// From now on every answer of a server on this port that a test's client gets is held to the contract of this
// build, and must not hold any of `secrets`: paths and tokens. One that breaks this fails the test that runs.
void hold_to_contract(uint16_t port, std::vector<std::string> secrets = {});

}  // namespace hansard
