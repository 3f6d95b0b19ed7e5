#include "base/json.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace hansard::json {
namespace {

tl::unexpected<Error> wrong_type(std::string_view name, std::string_view expected) {
  return fail(ErrorCode::invalid_request, fmt::format("field \"{}\" is missing or not {}", name, expected));
}

// How much of `text`, which is not JSON, could be read.
size_t place_of_error(std::string_view text) {
  bj::parser parser;
  boost::system::error_code ignored;
  return parser.write_some(text.data(), text.size(), ignored);
}

}  // namespace

Result<bj::value> parse(std::string_view text) {
  boost::system::error_code error;
  bj::value value = bj::parse({text.data(), text.size()}, error);
  if (error) {
    return fail(ErrorCode::invalid_request,
                fmt::format("not valid JSON near byte {}: {}", place_of_error(text), error.message()));
  }
  return value;
}

Result<bj::object> parse_object(std::string_view text) {
  bj::value value = TRY(parse(text));
  if (!value.is_object()) return fail(ErrorCode::invalid_request, "not a JSON object");
  return std::move(value.get_object());
}

Result<std::string> get_string(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return wrong_type(name, "a string");
  return std::string(value->get_string());
}

Result<double> get_number(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_number()) return wrong_type(name, "a number");
  const double number = value->to_number<double>();
  if (!std::isfinite(number)) return wrong_type(name, "a finite number");
  return number;
}

Result<int64_t> get_integer(const bj::object& object, std::string_view name, int64_t least, int64_t most) {
  const bj::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_number()) return wrong_type(name, "an integer");
  boost::system::error_code error;
  const int64_t number = value->to_number<int64_t>(error);
  if (error) return wrong_type(name, "an integer");
  if (number < least || number > most) {
    return fail(ErrorCode::invalid_request,
                fmt::format("field \"{}\" is {}, not between {} and {}", name, number, least, most));
  }
  return number;
}

Result<bool> get_bool(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_bool()) return wrong_type(name, "true or false");
  return value->get_bool();
}

Result<const bj::array*> get_array(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_array()) return wrong_type(name, "an array");
  return &value->get_array();
}

Result<const bj::object*> get_object(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_object()) return wrong_type(name, "an object");
  return &value->get_object();
}

namespace {

void append_text(const bj::value& value, std::string& out) {
  const auto join = [&](char open, char close, const auto& items, const auto& append) {
    out += open;
    bool first = true;
    for (const auto& item : items) {
      if (!std::exchange(first, false)) out += ',';
      append(item);
    }
    out += close;
  };
  if (const bj::array* array = value.if_array()) {
    join('[', ']', *array, [&](const bj::value& item) { append_text(item, out); });
  } else if (const bj::object* object = value.if_object()) {
    join('{', '}', *object, [&](const bj::key_value_pair& field) {
      out += bj::serialize(field.key());
      out += ':';
      append_text(field.value(), out);
    });
  } else if (const double* number = value.if_double(); number != nullptr && std::isfinite(*number)) {
    out += fmt::format("{}", *number);
  } else {
    out += bj::serialize(value);
  }
}

}  // namespace

std::string to_text(const bj::value& value) {
  std::string out;
  append_text(value, out);
  return out;
}

double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

}  // namespace hansard::json
