#include "auth/attempts.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/limits.h"

namespace hansard::auth {
namespace {

constexpr int64_t kNow = 1'795'000'000'000;
constexpr int64_t kAgeMs = std::chrono::milliseconds(limits::kAttemptsAge).count();

TEST(Attempts, OfANameAreCountedWhateverTheAddressAndTheLetters) {
  Attempts attempts;
  for (int i = 0; i < limits::kAttemptsOfName; ++i) {
    EXPECT_FALSE(attempts.begin(i % 2 == 0 ? "ada" : "Ada", fmt::format("10.0.0.{}", i), kNow + i));
  }
  EXPECT_EQ(attempts.begin("ADA", "10.1.1.1", kNow + 1000).value(), std::chrono::milliseconds(kAgeMs - 1000));
  EXPECT_FALSE(attempts.begin("bob", "10.1.1.1", kNow + 1000));
  // As the first is forgotten, the next may be made.
  EXPECT_FALSE(attempts.begin("ada", "10.1.1.1", kNow + kAgeMs));
  EXPECT_TRUE(attempts.begin("ada", "10.1.1.1", kNow + kAgeMs));
}

TEST(Attempts, OfAnAddressAreCountedWhateverTheName) {
  Attempts attempts;
  for (int i = 0; i < limits::kAttemptsOfAddress; ++i)
    EXPECT_FALSE(attempts.begin(fmt::format("u{}", i), "2001:db8::1", kNow));
  EXPECT_TRUE(attempts.begin("other", "2001:db8::ffff:1", kNow)) << "the same network";
  EXPECT_FALSE(attempts.begin("other", "2001:db8:0:1::1", kNow));
}

TEST(Attempts, TheRightPasswordForgivesTheNameAndNotTheAddress) {
  Attempts attempts;
  for (int i = 1; i < limits::kAttemptsOfName; ++i) EXPECT_FALSE(attempts.begin("ada", "10.0.0.1", kNow));
  EXPECT_FALSE(attempts.begin("ada", "10.0.0.1", kNow));
  attempts.succeed("ada", "10.0.0.1");
  EXPECT_FALSE(attempts.begin("ada", "10.0.0.1", kNow));
  for (int i = limits::kAttemptsOfName; i < limits::kAttemptsOfAddress; ++i) {
    EXPECT_FALSE(attempts.begin(fmt::format("u{}", i), "10.0.0.1", kNow));
  }
  EXPECT_TRUE(attempts.begin("eve", "10.0.0.1", kNow));
}

TEST(Attempts, OneThatWasNotLookedAtDoesNotCount) {
  Attempts attempts;
  for (int i = 0; i < 10 * limits::kAttemptsOfAddress; ++i) {
    EXPECT_FALSE(attempts.begin("ada", "10.0.0.1", kNow));
    attempts.take_back("ada", "10.0.0.1");
  }
}

TEST(Attempts, WhoTriesManyNamesFillsNoMemoryAndFreesNobodyElse) {
  Attempts attempts;
  for (int i = 0; i < limits::kAttemptsOfName; ++i) EXPECT_FALSE(attempts.begin("ada", "10.0.0.1", kNow));
  for (size_t i = 0; i < limits::kAttemptsKept / 4; ++i) {
    (void)attempts.begin(fmt::format("u{}", i), fmt::format("10.{}.{}.1", i / 200, i % 200), kNow);
  }
  EXPECT_TRUE(attempts.begin("ada", "10.0.0.9", kNow));
}

TEST(Attempts, NetworksOfAddresses) {
  EXPECT_EQ(network_of("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(network_of("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(network_of("fe80::1%eth0"), "fe80::");
}

}  // namespace
}  // namespace hansard::auth
