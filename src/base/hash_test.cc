#include "base/hash.h"

#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"

namespace hansard {
namespace {

// FIPS 180-4 examples.
constexpr std::string_view kOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kOfMillionA = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, KnowsTheStandardsExamples) {
  EXPECT_EQ(sha256_hex(""), kOfNothing);
  EXPECT_EQ(sha256_hex("abc"), kOfAbc);
}

TEST(Sha256, TakesBytesInPieces) {
  Sha256 hash;
  const std::string piece(1000, 'a');
  for (int i = 0; i < 1000; ++i) hash.update(piece);
  EXPECT_EQ(hash.finish(), kOfMillionA);
}

TEST(Sha256, HashesAFileFromItsStart) {
  const UniqueFd fd = open_unnamed_file(std::filesystem::temp_directory_path()).value();
  EXPECT_EQ(sha256_of_file(fd.get()).value(), kOfNothing);
  ASSERT_TRUE(write_all(fd.get(), std::string(1'000'000, 'a')));
  EXPECT_EQ(sha256_of_file(fd.get()).value(), kOfMillionA);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 1'000'000);
  EXPECT_FALSE(sha256_of_file(-1));
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(sha256_of_file(fd.get(), stopped.get_token()).error().code, ErrorCode::canceled);
}

}  // namespace
}  // namespace hansard
