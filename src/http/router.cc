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

bool match_segment(std::string_view pattern, std::string_view segment, std::vector<std::string>& parameters) {
  if (pattern.empty() || pattern.front() != '{') return pattern == segment;
  const std::string_view action = pattern.substr(pattern.find('}') + 1);  // ":cancel" or nothing
  const size_t colon = std::min(segment.find(':'), segment.size());
  if (colon == 0 || segment.substr(colon) != action) return false;
  parameters.emplace_back(segment.substr(0, colon));
  return true;
}

// What the pattern's {…} stand for, where it fits.
std::optional<std::vector<std::string>> match_segments(const std::vector<std::string>& pattern,
                                                       const std::vector<std::string>& segments) {
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
  std::vector<std::string> segments = split(path);
  for (std::string& segment : segments) {
    auto decoded = percent_decode(segment);
    if (!decoded) {
      result.malformed = true;
      return result;
    }
    segment = std::move(*decoded);
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
