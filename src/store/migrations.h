// The schema's numbered steps, out of migrations/*.sql. Where the databases differ a step holds a word in
// braces, which the driver replaces: {identity} is a primary key that counts up by itself and gives no number
// twice, {passages_index} what the driver searches in.
#pragma once

#include <span>
#include <string_view>

namespace hansard::store {

struct Migration {
  int number;             // 1, 2, …: the version of the schema after it
  std::string_view name;  // "0001_library.sql"
  std::string_view sql;
};

std::span<const Migration> migrations();

}  // namespace hansard::store
