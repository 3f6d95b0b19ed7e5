#include "base/result.h"

#include <gtest/gtest.h>

namespace hansard {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorCode::invalid_request, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  const int once = TRY(half(n));
  return TRY(half(once));
}

TEST(Result, TryPassesValuesAndErrors) {
  EXPECT_EQ(quarter(8).value(), 2);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().message, "odd");
}

TEST(Result, CodesAreKnownByTheirNames) {
  for (const ErrorCode code : {ErrorCode::invalid_request, ErrorCode::conflict, ErrorCode::internal})
    EXPECT_EQ(parse_error_code(error_code_name(code)), code);
  EXPECT_FALSE(parse_error_code("SOMETHING_ELSE"));
}

TEST(Result, SystemErrorsGetTheirKind) {
  EXPECT_EQ(system_error("cannot write", ENOSPC).code, ErrorCode::insufficient_storage);
  EXPECT_EQ(system_error("cannot open", EACCES).code, ErrorCode::permission_denied);
  EXPECT_EQ(system_error("cannot open", ENOENT).message, "cannot open: No such file or directory");
}

}  // namespace
}  // namespace hansard
