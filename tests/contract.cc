#include "contract.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/file.h"
#include "http/problem.h"

namespace hansard {

namespace bj = json::bj;
using http::Exchange;

namespace {

std::string escaped(std::string_view name) {
  std::string result;
  for (const char c : name) result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return result;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string header_of(const Exchange& exchange, const std::string& lower_case_name) {
  const auto found = exchange.response.headers.find(lower_case_name);
  return found == exchange.response.headers.end() ? "" : found->second;
}

// "audio/*" of "audio/wav"
std::string any_of_type(std::string_view media_type) {
  return std::string(media_type.substr(0, media_type.find('/'))) + "/*";
}

}  // namespace

struct Contract::Schemas {
  std::map<std::string, std::unique_ptr<valijson::Schema>, std::less<>> parsed;
  bj::object root;  // the document, and a reference to the schema that is being parsed
};

Contract::Contract(bj::object document) : document_(std::move(document)), schemas_(new Schemas) {
  schemas_->root = document_;
  for (const auto& [path, item] : document_.at("paths").as_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      if (method == "parameters") continue;
      std::string name(method);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      router_.add({name, std::string(path), {}});
    }
  }
}

Contract::~Contract() = default;

Contract& Contract::of_this_build() {
  static Contract contract(
      json::parse_object(read_file(HANSARD_BINARY_DIR "/src/api/openapi.json", 4 << 20).value()).value());
  return contract;
}

const bj::value& Contract::at(const std::string& pointer) const {
  // An object finds no pointers; its value does.
  const bj::value* value = &document_.at(bj::string_view(pointer).substr(1, pointer.find('/', 1) - 1));
  const size_t rest = pointer.find('/', 1);
  return rest == std::string::npos ? *value : value->at_pointer(bj::string_view(pointer).substr(rest));
}

std::string Contract::resolve(std::string pointer) const {
  for (;;) {
    const bj::value& node = at(pointer);
    const bj::value* reference = node.is_object() ? node.as_object().if_contains("$ref") : nullptr;
    if (reference == nullptr) return pointer;
    pointer = std::string(reference->as_string().subview(1));
  }
}

std::string Contract::check_schema(const std::string& pointer, const bj::value& value) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<valijson::Schema>& schema = schemas_->parsed[pointer];
  if (!schema) {
    schema = std::make_unique<valijson::Schema>();
    schemas_->root["allOf"] = bj::array{bj::object{{"$ref", "#" + pointer}}};
    const bj::value root(schemas_->root);
    valijson::SchemaParser().populateSchema(valijson::adapters::BoostJsonAdapter(root), *schema);
  }
  valijson::Validator validator;
  valijson::ValidationResults results;
  if (validator.validate(*schema, valijson::adapters::BoostJsonAdapter(value), &results)) return {};
  std::string text;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    for (const std::string& part : error.context) text += part;
    text += ": " + error.description + "\n";
  }
  return text + json::to_text(value).substr(0, 2000);
}

std::string Contract::check_headers(const std::string& response, const Exchange& exchange) {
  const bj::object& fields = at(response).as_object();
  if (!fields.contains("headers")) return {};
  for (const auto& field : fields.at("headers").as_object()) {
    const std::string name(field.key());
    const std::string pointer = resolve(fmt::format("{}/headers/{}", response, escaped(name)));
    const bj::value* required = at(pointer).as_object().if_contains("required");
    const auto found = exchange.response.headers.find(lower(name));
    if (found == exchange.response.headers.end()) {
      if (required != nullptr && required->as_bool()) return "the header " + name + " is missing";
      continue;
    }
    if (const std::string wrong = check_schema(pointer + "/schema", bj::value(found->second)); !wrong.empty())
      return fmt::format("the header {}: {}", name, wrong);
  }
  return {};
}

std::string Contract::check_events(const std::string& schema, std::string_view stream) {
  const auto schema_of = [&](std::string_view name) -> std::string {
    const bj::array& kinds = at(schema + "/anyOf").as_array();
    for (size_t i = 0; i < kinds.size(); ++i) {
      const bj::array& names = kinds[i].at_pointer("/properties/event/enum").as_array();
      const bool named = std::any_of(names.begin(), names.end(), [&](const bj::value& one) {
        return std::string_view(one.as_string()) == name;
      });
      if (named) return fmt::format("{}/anyOf/{}/properties/data/contentSchema", schema, i);
    }
    return {};
  };
  while (!stream.empty()) {
    const size_t end = std::min(stream.find("\n\n"), stream.size());
    std::string_view event = stream.substr(0, end);
    stream.remove_prefix(std::min(end + 2, stream.size()));
    std::string name;
    std::string data;
    while (!event.empty()) {
      const size_t line_end = std::min(event.find('\n'), event.size());
      const std::string_view line = event.substr(0, line_end);
      event.remove_prefix(std::min(line_end + 1, event.size()));
      const size_t colon = std::min(line.find(':'), line.size());
      const std::string_view field = line.substr(0, colon);
      const std::string_view value = line.substr(std::min(colon + 2, line.size()));
      if (field == "event") name = value;
      if (field == "data") data = value;
      static const std::set<std::string_view> kFields{"", "id", "event", "data", "retry"};
      if (!kFields.contains(field)) return "the stream has a line that is no field: " + std::string(line);
    }
    if (name.empty() && data.empty()) continue;
    const std::string pointer = schema_of(name);
    if (pointer.empty()) return "there is no event \"" + name + "\"";
    auto parsed = json::parse(data);
    if (!parsed) return "the data of " + name + " is no JSON: " + data;
    if (const std::string wrong = check_schema(pointer, *parsed); !wrong.empty())
      return fmt::format("the data of {}: {}", name, wrong);
  }
  return {};
}

std::string Contract::check_body(const std::string& response, const Exchange& exchange) {
  const std::string& body = exchange.response.body;
  const bj::object& fields = at(response).as_object();
  if (!fields.contains("content"))
    return body.empty() ? "" : "there is a body where none is documented: " + body.substr(0, 500);
  const std::string header = header_of(exchange, "content-type");
  std::string type = header.substr(0, header.find(';'));
  const bj::object& types = fields.at("content").as_object();
  if (!types.contains(type)) type = any_of_type(type);
  if (!types.contains(type)) return "the Content-Type is not documented: " + header;
  if (exchange.method == "HEAD") return body.empty() ? "" : "an answer to HEAD has a body";
  const std::string schema = fmt::format("{}/content/{}/schema", response, escaped(type));
  if (type == "text/event-stream") return check_events(schema, body);
  if (type != "application/json" || exchange.response.headers.contains("content-encoding")) return {};
  auto parsed = json::parse(body);
  if (!parsed) return "the body is no JSON: " + body.substr(0, 500);
  return check_schema(schema, *parsed);
}

// The page for people and its files: they have a policy that lets them run, at addresses that begin as no
// route of the document does.
bool Contract::is_page(const Exchange& exchange) const {
  if (exchange.response.status != 200 && exchange.response.status != 304) return false;
  if (header_of(exchange, "content-security-policy").find("script-src 'self'") == std::string::npos)
    return false;
  const auto first_segment = [](std::string_view path) {
    return path.substr(0, path.find_first_of("/?", 1));
  };
  const std::vector<const http::Route*> routes = router_.routes();
  return std::none_of(routes.begin(), routes.end(), [&](const http::Route* route) {
    return first_segment(route->pattern) == first_segment(exchange.target);
  });
}

// An answer that is of no route of the document.
std::string Contract::check_refusal(const Exchange& exchange, const http::Router::Match& match) {
  if (is_page(exchange)) return {};
  const int status = exchange.response.status;
  // What every route may answer, each request may be answered before its route is known.
  const bool early =
      status >= 400 &&
      at("/paths/~1api~1v1~1health/get/responses").as_object().contains(std::to_string(status));
  const bool method = !match.allow.empty() && status == (exchange.method == "OPTIONS" ? 204 : 405);
  const bool nowhere = match.allow.empty() && status == 404;
  if (!early && !method && !nowhere) return "the contract has no such route";
  if (method && header_of(exchange, "allow") != match.allow)
    return fmt::format("Allow is \"{}\", not \"{}\"", header_of(exchange, "allow"), match.allow);
  if (exchange.method == "HEAD" || status == 204) return {};
  auto body = json::parse(exchange.response.body);
  if (!body) return "the body is no JSON: " + exchange.response.body.substr(0, 500);
  if (std::string wrong = check_schema("/components/schemas/Error", *body); !wrong.empty()) return wrong;
  const bj::string& code = body->as_object().at("error").as_object().at("code").as_string();
  return code == http::problem_code(status) ? "" : fmt::format("{} is no code of a {}", code.c_str(), status);
}

std::string Contract::violation(const Exchange& exchange) {
  const std::string path = exchange.target.substr(0, exchange.target.find('?'));
  const http::Router::Match match = router_.match(exchange.method, path);
  if (match.route == nullptr) return check_refusal(exchange, match);
  const std::string responses =
      fmt::format("/paths/{}/{}/responses", escaped(match.route->pattern), lower(match.route->method));
  const std::string status = std::to_string(exchange.response.status);
  if (!at(responses).as_object().contains(status)) return "this status is not documented";
  const std::string response = resolve(responses + "/" + status);
  std::string wrong = check_headers(response, exchange);
  return wrong.empty() ? check_body(response, exchange) : wrong;
}

// ---- every answer of every test

namespace {

std::mutex servers_mutex;
// By port: what none of its answers may hold.
std::map<uint16_t, std::vector<std::string>>& servers() {
  static std::map<uint16_t, std::vector<std::string>> servers;
  return servers;
}

std::string leak(const Exchange& exchange, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (exchange.response.body.find(secret) != std::string::npos) return "its body holds " + secret;
    for (const auto& [name, value] : exchange.response.headers) {
      if (value.find(secret) != std::string::npos) return "its header " + name + " holds " + secret;
    }
  }
  return {};
}

void witness(const Exchange& exchange) {
  std::string wrong;
  {
    const std::lock_guard lock(servers_mutex);
    const auto server = servers().find(exchange.port);
    if (server == servers().end()) return;
    wrong = leak(exchange, server->second);
  }
  if (wrong.empty()) wrong = Contract::of_this_build().violation(exchange);
  if (wrong.empty()) return;
  ADD_FAILURE() << "the contract is broken by the answer " << exchange.response.status << " to "
                << exchange.method << " " << exchange.target << "\n"
                << wrong;
}

}  // namespace

void hold_to_contract(uint16_t port, std::vector<std::string> secrets) {
  const std::lock_guard lock(servers_mutex);
  servers()[port] = std::move(secrets);
  http::Client::show_to(witness);
}

}  // namespace hansard
