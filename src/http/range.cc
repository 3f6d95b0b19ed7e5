#include "http/range.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include <fmt/format.h>

#include "http/compress.h"
#include "http/field.h"

namespace hansard::http {
namespace {

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

RangeChoice choose_range(std::optional<std::string_view> header, uint64_t size) {
  const RangeChoice whole{RangeKind::whole, {0, size}};
  constexpr std::string_view kUnit = "bytes=";
  if (!header || !header->starts_with(kUnit)) return whole;
  const std::string_view text = trim(header->substr(kUnit.size()));
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos || text.find(',') != std::string_view::npos) return whole;
  const std::string_view first_text = trim(text.substr(0, dash));
  const std::string_view last_text = trim(text.substr(dash + 1));
  const auto first = parse_number(first_text);
  const auto last = parse_number(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) return whole;
  if (!first) {
    if (*last == 0 || size == 0) return {RangeKind::unsatisfiable, {}};
    const uint64_t length = std::min(*last, size);
    return {RangeKind::part, {size - length, length}};
  }
  if (last && *last < *first) return whole;
  if (*first >= size) return {RangeKind::unsatisfiable, {}};
  const uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {RangeKind::part, {*first, end - *first + 1}};
}

bool names_etag(std::string_view header, std::string_view etag) {
  if (trim(header) == "*") return true;
  while (!header.empty()) {
    std::string_view one = take_element(header);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == etag || one == gzip_etag(etag)) return true;
  }
  return false;
}

std::string http_date(int64_t time_ms) {
  const auto seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), size};
}

Answer file_answer(const Request& request, UniqueFd fd, uint64_t size, std::string_view content_type,
                   std::string_view etag, int64_t modified_ms) {
  const std::string modified = http_date(modified_ms);
  Response response;
  response.with("Accept-Ranges", "bytes").with("ETag", std::string(etag)).with("Last-Modified", modified);
  response.with("Content-Type", std::string(content_type));
  if (const auto known = request.header("if-none-match"); known && names_etag(*known, etag)) {
    response.status = 304;
    response.body = std::string();
    return response;
  }
  auto wanted = request.header("range");
  if (const auto same = request.header("if-range"); same && *same != etag && *same != modified)
    wanted.reset();
  const RangeChoice choice = choose_range(wanted, size);
  if (choice.kind == RangeKind::unsatisfiable) {
    Problem problem(416, fmt::format("the file has {} bytes", size));
    problem.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
    return fail(std::move(problem));
  }
  if (choice.kind == RangeKind::part) {
    response.status = 206;
    response.with("Content-Range", fmt::format("bytes {}-{}/{}", choice.range.first,
                                               choice.range.first + choice.range.length - 1, size));
  }
  response.body = FileBody{std::move(fd), choice.range.first, choice.range.length};
  return response;
}

}  // namespace hansard::http
