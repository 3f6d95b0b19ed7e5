#include "http/forwarded.h"

#include <algorithm>

#include "base/spelling.h"
#include "http/field.h"

namespace hansard::http {
namespace {

// The address in "192.0.2.1", "192.0.2.1:4711", "2001:db8::1" or "[2001:db8::1]:4711".
std::optional<std::string> node_address(std::string_view node) {
  if (node.starts_with('[')) {
    node = node.substr(1, node.find(']') - 1);
  } else if (std::count(node.begin(), node.end(), ':') == 1) {
    node = node.substr(0, node.find(':'));
  }
  const auto bytes = parse_ip_address(std::string(node));
  return bytes ? std::optional(to_text(*bytes)) : std::nullopt;
}

// The elements of all headers of this name, in order.
std::vector<std::string_view> elements(const Request& request, std::string_view name) {
  std::vector<std::string_view> result;
  for (const auto& [key, value] : request.headers) {
    if (key != name) continue;
    for (std::string_view list = value; !list.empty();) result.push_back(take_element(list));
  }
  return result;
}

// `name`'s value in "for=192.0.2.1;proto=https".
std::optional<std::string> parameter(std::string_view element, std::string_view name) {
  while (!element.empty()) {
    const std::string_view pair = take_element(element, ';');
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || lower(trim(pair.substr(0, equals))) != name) continue;
    std::string_view value = trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
      value = value.substr(1, value.size() - 2);
    }
    return std::string(value);
  }
  return std::nullopt;
}

// Each proxy writes at the end whom it was asked by: from there back to the first that is not trusted.
struct Walked {
  std::string peer;
  size_t used;  // the element that named it; the count of all where none did
};
Walked walk(std::string peer, const std::vector<std::optional<std::string>>& nodes, const Networks& trusted) {
  size_t at = nodes.size();
  while (at > 0 && trusted.contain(peer) && nodes[at - 1]) peer = *nodes[--at];
  return {std::move(peer), at};
}

std::optional<std::string> known_scheme(std::optional<std::string> scheme) {
  if (!scheme) return std::nullopt;
  std::string name = lower(*scheme);
  return name == "http" || name == "https" ? std::optional(std::move(name)) : std::nullopt;
}

std::optional<std::string> last(const std::vector<std::string_view>& values) {
  return values.empty() ? std::nullopt : std::optional<std::string>(values.back());
}

std::string without_default_port(std::string_view scheme, std::string_view host) {
  const std::string_view port = scheme == "https" ? ":443" : ":80";
  if (host.ends_with(port)) host.remove_suffix(port.size());
  return lower(host);
}

}  // namespace

Outcome<Caller> find_caller(const Request& request, Caller direct, const Networks& trusted) {
  if (!trusted.contain(direct.peer)) return direct;
  Caller caller = direct;
  const auto forwarded = elements(request, "forwarded");
  std::optional<std::string> by_forwarded;
  if (!forwarded.empty()) {
    std::vector<std::optional<std::string>> nodes;
    for (const std::string_view element : forwarded) {
      const auto node = parameter(element, "for");
      nodes.push_back(node ? node_address(*node) : std::nullopt);
    }
    const Walked walked = walk(direct.peer, nodes, trusted);
    const std::string_view element = forwarded[std::min(walked.used, forwarded.size() - 1)];
    by_forwarded = caller.peer = walked.peer;
    if (auto scheme = known_scheme(parameter(element, "proto"))) caller.scheme = std::move(scheme);
    if (auto host = parameter(element, "host")) caller.host = std::move(host);
  }
  const auto addresses = elements(request, "x-forwarded-for");
  if (!addresses.empty()) {
    std::vector<std::optional<std::string>> nodes;
    for (const std::string_view node : addresses) nodes.push_back(node_address(node));
    caller.peer = walk(direct.peer, nodes, trusted).peer;
    if (by_forwarded && *by_forwarded != caller.peer) {
      return fail(Problem(400, "Forwarded and X-Forwarded-For name different addresses"));
    }
  }
  if (auto scheme = known_scheme(last(elements(request, "x-forwarded-proto")))) {
    caller.scheme = std::move(scheme);
  }
  if (auto host = last(elements(request, "x-forwarded-host"))) caller.host = std::move(host);
  return caller;
}

bool same_origin(std::string_view origin, const Caller& caller) {
  const size_t scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos) return false;  // "null"
  const std::string scheme = lower(origin.substr(0, scheme_end));
  // A page that came unprotected may be anyone's.
  if (caller.scheme == "https" && scheme != "https") return false;
  return without_default_port(scheme, origin.substr(scheme_end + 3)) ==
         without_default_port(scheme, caller.host.value_or(""));
}

}  // namespace hansard::http
