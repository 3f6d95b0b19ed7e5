#include "base/json.h"

#include <gtest/gtest.h>

namespace hansard::json {
namespace {

template <typename T>
std::string message(const Result<T>& result) {
  if (result) return "(no error)";
  EXPECT_EQ(result.error().code, ErrorCode::invalid_request);
  return result.error().message;
}

TEST(Json, SaysWhereItBreaks) {
  EXPECT_TRUE(parse(R"( {"a": [1, 2]} )"));
  EXPECT_EQ(message(parse(R"({"a": tru})")), "not valid JSON near byte 6: syntax error");
  EXPECT_EQ(message(parse("")).rfind("not valid JSON near byte 0: ", 0), 0U);
  EXPECT_EQ(message(parse("[1] x")).rfind("not valid JSON near byte 4: ", 0), 0U);
  EXPECT_EQ(message(parse("\"\xff\"")).rfind("not valid JSON", 0), 0U);
  EXPECT_EQ(message(parse(std::string(100'000, '['))).rfind("not valid JSON", 0), 0U);
  EXPECT_EQ(message(parse_object("[1]")), "not a JSON object");
}

TEST(Json, GettersNameTheField) {
  const bj::object object =
      parse_object(
          R"({"text": "t", "number": 1.5, "whole": 3, "flag": true, "list": [1], "inner": {"a": 1}, "none": null})")
          .value();
  EXPECT_EQ(get_string(object, "text").value(), "t");
  EXPECT_EQ(get_number(object, "number").value(), 1.5);
  EXPECT_EQ(get_number(object, "whole").value(), 3.0);
  EXPECT_EQ(get_integer(object, "whole").value(), 3);
  EXPECT_TRUE(get_bool(object, "flag").value());
  EXPECT_EQ(get_array(object, "list").value()->size(), 1U);
  EXPECT_EQ(get_object(object, "inner").value()->size(), 1U);

  EXPECT_EQ(message(get_string(object, "whole")), "field \"whole\" is missing or not a string");
  EXPECT_EQ(message(get_string(object, "absent")), "field \"absent\" is missing or not a string");
  EXPECT_EQ(message(get_number(object, "text")), "field \"text\" is missing or not a number");
  EXPECT_EQ(message(get_integer(object, "number")), "field \"number\" is missing or not an integer");
  EXPECT_EQ(message(get_bool(object, "none")), "field \"none\" is missing or not true or false");
  EXPECT_EQ(message(get_array(object, "inner")), "field \"inner\" is missing or not an array");
  EXPECT_EQ(message(get_object(object, "list")), "field \"list\" is missing or not an object");
}

TEST(Json, NumbersAreHeldToTheirRange) {
  const bj::object object =
      parse_object(R"({"small": -1, "large": 18446744073709551615, "huge": 1e300, "infinite": 1e999})")
          .value();
  EXPECT_EQ(message(get_integer(object, "small", 0, 10)), "field \"small\" is -1, not between 0 and 10");
  EXPECT_EQ(message(get_integer(object, "large")), "field \"large\" is missing or not an integer");
  EXPECT_EQ(message(get_integer(object, "huge")), "field \"huge\" is missing or not an integer");
  EXPECT_EQ(message(get_number(object, "infinite")), "field \"infinite\" is missing or not a finite number");
}

TEST(Json, RoundsForWriting) {
  EXPECT_EQ(bj::serialize(bj::value(rounded(0.1 + 0.2, 6))), "3E-1");
  EXPECT_EQ(rounded(0.1 + 0.2, 2), 0.3);
  EXPECT_EQ(rounded(-1.0005, 2), -1.0);
  EXPECT_EQ(rounded(2.675, 0), 3.0);
}

}  // namespace
}  // namespace hansard::json
