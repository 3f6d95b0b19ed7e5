// Pages of a list: an order, and where the last page ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace hansard::library {

enum class SortBy { created_at, updated_at, title };

struct Sort {
  SortBy by = SortBy::created_at;
  bool descending = true;
};
// "created_at" or "-created_at"
std::optional<Sort> parse_sort(std::string_view text);

// Rows after the one with this key and id, in the order of the sort.
struct Page {
  Sort sort;
  int64_t limit = 50;
  std::variant<int64_t, std::string> after_key;
  std::string after_id;

  // The first page of an order.
  static Page first(Sort sort, int64_t limit);
};

// A place in a list as an opaque word, and back; nothing for what is none, or of another order.
std::string make_cursor(const Page& page);
std::optional<Page> parse_cursor(std::string_view cursor, Sort sort, int64_t limit);

// A pattern for LIKE … ESCAPE '\' that finds `part` anywhere.
std::string like_pattern(std::string_view part);

}  // namespace hansard::library
