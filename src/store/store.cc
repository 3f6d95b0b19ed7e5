#include "store/store.h"

namespace hansard::store {

double Row::number(size_t column) const {
  if (const int64_t* integer = std::get_if<int64_t>(&values_.at(column)))
    return static_cast<double>(*integer);
  return std::get<double>(values_.at(column));
}

std::optional<int64_t> Row::integer_if(size_t column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}

std::optional<double> Row::number_if(size_t column) const {
  return is_null(column) ? std::nullopt : std::optional(number(column));
}

std::optional<std::string> Row::text_if(size_t column) const {
  return is_null(column) ? std::nullopt : std::optional(text(column));
}

}  // namespace hansard::store
