// Reading JSON that may be anything: each getter names the field and says what was expected.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "base/result.h"

namespace hansard::json {

namespace bj = boost::json;

// Parses one value; errors are invalid_request and name the place. Depth and size are bounded by the caller's
// limit on `text`.
Result<bj::value> parse(std::string_view text);
Result<bj::object> parse_object(std::string_view text);

// The field `name` of `object`, which must be there and of the type. Errors: invalid_request naming the
// field.
Result<std::string> get_string(const bj::object& object, std::string_view name);
Result<double> get_number(const bj::object& object, std::string_view name);  // finite
Result<int64_t> get_integer(const bj::object& object, std::string_view name,
                            int64_t least = std::numeric_limits<int64_t>::min(),
                            int64_t most = std::numeric_limits<int64_t>::max());
Result<bool> get_bool(const bj::object& object, std::string_view name);
// These point into `object`.
Result<const bj::array*> get_array(const bj::object& object, std::string_view name);
Result<const bj::object*> get_object(const bj::object& object, std::string_view name);

// As bj::serialize() writes it, but with numbers as people write them: 0.85, not 8.5E-1.
std::string to_text(const bj::value& value);

// `value` rounded to `digits` decimals, written without trailing noise: 0.1 + 0.2 is 0.3.
double rounded(double value, int digits);

}  // namespace hansard::json
