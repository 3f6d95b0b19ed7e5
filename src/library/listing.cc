#include "library/listing.h"

#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "base/spelling.h"

namespace hansard::library {
namespace {

constexpr std::string_view kLastOfAll = "\U0010FFFF";

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    if (error != std::errc() || end != hex.data() + i + 2) return std::nullopt;
    bytes += static_cast<char>(value);
  }
  return bytes;
}

std::string order_name(const Sort& sort) {
  return fmt::format("{}{}", sort.descending ? "-" : "+", static_cast<int>(sort.by));
}

}  // namespace

std::optional<Sort> parse_sort(std::string_view text) {
  Sort sort;
  sort.descending = text.starts_with('-');
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text == "created_at") {
    sort.by = SortBy::created_at;
  } else if (text == "updated_at") {
    sort.by = SortBy::updated_at;
  } else if (text == "title") {
    sort.by = SortBy::title;
  } else {
    return std::nullopt;
  }
  return sort;
}

Page Page::first(Sort sort, int64_t limit) {
  Page page{sort, limit, {}, sort.descending ? std::string(kLastOfAll) : std::string()};
  if (sort.by == SortBy::title) {
    page.after_key = sort.descending ? std::string(kLastOfAll) : std::string();
  } else {
    page.after_key = sort.descending ? std::numeric_limits<int64_t>::max() : int64_t{-1};
  }
  return page;
}

std::string make_cursor(const Page& page) {
  const bool number = std::holds_alternative<int64_t>(page.after_key);
  const std::string key =
      number ? std::to_string(std::get<int64_t>(page.after_key)) : std::get<std::string>(page.after_key);
  return to_hex(fmt::format("{}|{}|{}", order_name(page.sort), page.after_id, key));
}

std::optional<Page> parse_cursor(std::string_view cursor, Sort sort, int64_t limit) {
  const auto text = from_hex(cursor);
  if (!text) return std::nullopt;
  const size_t first = text->find('|');
  const size_t second = first == std::string::npos ? first : text->find('|', first + 1);
  if (second == std::string::npos || text->substr(0, first) != order_name(sort)) return std::nullopt;
  Page page{sort, limit, {}, text->substr(first + 1, second - first - 1)};
  const std::string key = text->substr(second + 1);
  if (sort.by == SortBy::title) {
    page.after_key = key;
    return page;
  }
  const auto number = parse_integer(key);
  if (!number) return std::nullopt;
  page.after_key = *number;
  return page;
}

std::string like_pattern(std::string_view part) {
  std::string pattern = "%";
  for (const char c : part) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

}  // namespace hansard::library
