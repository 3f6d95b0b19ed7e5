#include "base/id.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace hansard {
namespace {

TEST(Id, HasItsPrefixAndTwentySixCharacters) {
  const std::string id = make_id("tr", 1'764'000'000'000);
  EXPECT_EQ(id.size(), 29U);
  EXPECT_TRUE(is_id("tr", id));
  EXPECT_FALSE(is_id("file", id));
  EXPECT_FALSE(is_id("tr", id + "x"));
  EXPECT_FALSE(is_id("tr", "tr_" + std::string(26, 'u')));  // Crockford leaves u out
}

TEST(Id, GrowsWithTimeAndWithinAMillisecond) {
  std::string last;
  for (const int64_t time : {1'900'000'000'000, 1'900'000'000'000, 1'900'000'000'000, 1'900'000'000'001,
                             1'800'000'000'000 /* the clock was set back */}) {
    const std::string id = make_id("tr", time);
    EXPECT_GT(id, last);
    last = id;
  }
}

TEST(Id, ThreadsNeverGetTheSame) {
  std::vector<std::vector<std::string>> made(4);
  std::vector<std::thread> threads;
  for (auto& mine : made) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 2000; ++i) mine.push_back(make_id("x", 1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& mine : made) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 8000U);
}

TEST(Clock, TimesAreRfc3339InUtc) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(1'795'524'812'104), "2026-11-24T12:53:32.104Z");
}

}  // namespace
}  // namespace hansard
