#include "engine/process/silence.h"

#include <gtest/gtest.h>

namespace hansard::engine {
namespace {

using namespace std::chrono_literals;

// A child seen twice a second: `computes` is how much of each second it computes.
class Seen {
 public:
  bool too_long_after(std::chrono::seconds time, double computes) {
    for (const auto end = now_ + time; now_ < end;) {
      now_ += 500ms;
      cpu_ += std::chrono::nanoseconds(static_cast<int64_t>(computes * 5e8));
      if (silence_.too_long(now_, cpu_)) return true;
    }
    return false;
  }
  void speaks() { silence_.heard(now_, cpu_); }

 private:
  Silence::Clock::time_point now_{1h};
  std::chrono::nanoseconds cpu_{3s};
  Silence silence_{120s, now_, cpu_};
};

TEST(Silence, OfAChildThatWaitsForNothingIsTooLongOnce) {
  Seen child;
  EXPECT_FALSE(child.too_long_after(120s, 0));
  EXPECT_TRUE(child.too_long_after(1s, 0));
}

TEST(Silence, IsBrokenByAWord) {
  Seen child;
  EXPECT_FALSE(child.too_long_after(119s, 0));
  child.speaks();
  EXPECT_FALSE(child.too_long_after(119s, 0));
  EXPECT_TRUE(child.too_long_after(2s, 0));
}

TEST(Silence, OfAChildThatOtherWorkKeepsFromComputingIsNoHang) {
  Seen child;
  EXPECT_FALSE(child.too_long_after(600s, 0.01));
  EXPECT_FALSE(child.too_long_after(119s, 0));
  EXPECT_TRUE(child.too_long_after(2s, 0));
}

TEST(Silence, OfAChildThatComputesOnTwoCoresEndsSomeTime) {
  Seen child;
  EXPECT_FALSE(child.too_long_after(300s, 2));
  EXPECT_TRUE(child.too_long_after(1h, 2));
}

}  // namespace
}  // namespace hansard::engine
