#include "http/router.h"

#include <algorithm>
#include <optional>

namespace hansard::http {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const size_t slash = path.find('/', 1);
    segments.emplace_back(path.substr(1, slash == std::string_view::npos ? slash : slash - 1));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  }
  return segments;
}

// A part of an address, decoded: what stands before its action, and that with its ':'. An escaped ':' begins
// no action.
struct Segment {
  std::string name;
  std::string action;
};

std::optional<Segment> decode(std::string_view text) {
  const size_t colon = std::min(text.find(':'), text.size());
  auto name = percent_decode(text.substr(0, colon));
  auto action = percent_decode(text.substr(colon));
  if (!name || !action) return std::nullopt;
  return Segment{std::move(*name), std::move(*action)};
}

bool match_segment(std::string_view pattern, const Segment& segment, std::vector<std::string>& parameters) {
  if (pattern.empty() || pattern.front() != '{') return pattern == segment.name + segment.action;
  const std::string_view action = pattern.substr(pattern.find('}') + 1);  // ":cancel" or nothing
  if (segment.name.empty() || segment.action != action) return false;
  parameters.emplace_back(segment.name);
  return true;
}

// What the pattern's {…} stand for, where it fits.
std::optional<std::vector<std::string>> match_segments(const std::vector<std::string>& pattern,
                                                       const std::vector<Segment>& segments) {
  if (pattern.size() != segments.size()) return std::nullopt;
  std::vector<std::string> parameters;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (!match_segment(pattern[i], segments[i], parameters)) return std::nullopt;
  }
  return parameters;
}

}  // namespace

void Router::add(Route route) {
  std::vector<std::string> segments = split(route.pattern);
  entries_.push_back({std::move(route), std::move(segments)});
}

std::vector<const Route*> Router::routes() const {
  std::vector<const Route*> all;
  for (const Entry& entry : entries_) all.push_back(&entry.route);
  return all;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match result;
  if (path.empty() || path.front() != '/') {
    result.malformed = true;
    return result;
  }
  std::vector<Segment> segments;
  for (const std::string& text : split(path)) {
    auto segment = decode(text);
    if (!segment) {
      result.malformed = true;
      return result;
    }
    segments.push_back(std::move(*segment));
  }
  std::optional<std::vector<std::string>> parameters;
  std::string_view pattern;  // the one that is meant
  for (const Entry& entry : entries_) {
    auto fitting = match_segments(entry.segments, segments);
    if (!fitting || (parameters && fitting->size() >= parameters->size())) continue;
    parameters = std::move(fitting);
    pattern = entry.route.pattern;
  }
  if (!parameters) return result;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Entry& entry : entries_) {
    if (entry.route.pattern != pattern) continue;
    if (entry.route.method == wanted) {
      result.route = &entry.route;
      result.parameters = std::move(*parameters);
      return result;
    }
    result.allow += entry.route.method == "GET" ? "GET, HEAD, " : entry.route.method + ", ";
  }
  result.allow += "OPTIONS";
  return result;
}

}  // namespace hansard::http
