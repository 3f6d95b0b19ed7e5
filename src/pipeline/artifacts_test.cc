#include "pipeline/artifacts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>
#include <vector>

#include "base/file.h"
#include "base/temporary_folder.h"

namespace hansard::pipeline {
namespace {

namespace fs = std::filesystem;

class ArtifactsTest : public testing::Test {
 protected:
  // Makes an artifact look as if it had been used last so long ago.
  void age(const Key& key, int seconds) {
    const fs::path path = folder_ / key.stage() / key.file_name();
    fs::last_write_time(path, fs::last_write_time(path) - std::chrono::seconds(seconds));
  }

  const TemporaryFolder folder_;
};

Key key(int n) {
  return Key("words", 1, "ab").add(n);
}

TEST(Key, DependsOnEveryPartAndWhereItEnds) {
  EXPECT_EQ(Key("words", 1, "ab").add("ab").hex(), Key("words", 1, "ab").add("ab").hex());
  EXPECT_NE(Key("words", 1, "ab").add("ab").add("c").hex(), Key("words", 1, "ab").add("a").add("bc").hex());
  EXPECT_NE(Key("words", 1, "ab").add("ab").hex(), Key("words", 2, "ab").add("ab").hex());
  EXPECT_NE(Key("words", 1, "ab").add("ab").hex(), Key("turns", 1, "ab").add("ab").hex());
  EXPECT_EQ(Key("words", 1, "ab").hex().size(), 64U);
}

TEST_F(ArtifactsTest, KeepsWhatIsSavedForOtherObjects) {
  const Artifacts artifacts(folder_, 1'000'000);
  EXPECT_FALSE(artifacts.load(key(1)));
  ASSERT_TRUE(artifacts.save(key(1), "words of one"));
  EXPECT_EQ(Artifacts(folder_, 1'000'000).load(key(1))->bytes, "words of one");
  EXPECT_FALSE(artifacts.load(key(2)));
}

TEST_F(ArtifactsTest, IsReadableByItsOwnerAlone) {
  const Artifacts artifacts(folder_ / "cache", 1'000'000);
  ASSERT_TRUE(artifacts.save(key(1), "words"));
  struct stat status = {};
  ASSERT_EQ(::stat((folder_ / "cache/words" / key(1).file_name()).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat((folder_ / "cache").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(ArtifactsTest, EvictsTheLeastRecentlyUsedButNothingInUse) {
  const Artifacts artifacts(folder_, 250);
  const std::string bytes(100, 'x');
  for (int n = 1; n <= 4; ++n) {
    ASSERT_TRUE(artifacts.save(key(n), bytes));
    age(key(n), 100 - n);
  }
  const auto in_use = artifacts.load(key(1));
  ASSERT_TRUE(in_use);
  age(key(1), 1000);
  artifacts.evict();
  EXPECT_TRUE(artifacts.contains(key(1)));
  EXPECT_FALSE(artifacts.contains(key(2)));
  EXPECT_FALSE(artifacts.contains(key(3)));
  EXPECT_TRUE(artifacts.contains(key(4)));
}

TEST_F(ArtifactsTest, ClearTakesAllAndSaysHowMuch) {
  const Artifacts artifacts(folder_, 1'000'000);
  ASSERT_TRUE(artifacts.save(key(1), "12345"));
  ASSERT_TRUE(artifacts.save(Key("turns", 1, "ab"), "123"));
  EXPECT_EQ(artifacts.usage().at("turns").bytes, 3U);
  const Artifacts::Usage removed = artifacts.clear();
  EXPECT_EQ(removed.count, 2U);
  EXPECT_EQ(removed.bytes, 8U);
  EXPECT_TRUE(artifacts.usage().empty());
}

TEST_F(ArtifactsTest, LeavesOtherPeoplesFilesAlone) {
  const Artifacts artifacts(folder_, 1'000'000);
  ASSERT_TRUE(artifacts.save(key(1), "12345"));
  ASSERT_TRUE(write_file_atomically(folder_ / "README", "mine", Sync::no));
  artifacts.clear();
  EXPECT_TRUE(fs::exists(folder_ / "README"));
}

TEST_F(ArtifactsTest, ManyMayWriteReadAndClearAtOnce) {
  const std::string bytes(10'000, 'w');
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Artifacts artifacts(folder_, 30'000);
      for (int n = 0; n < 50; ++n) {
        EXPECT_TRUE(artifacts.save(key(n % 7), bytes));
        const auto held = artifacts.load(key((n + t) % 7));
        if (held) {
          EXPECT_EQ(held->bytes, bytes);
        }
        if (n % 10 == t) artifacts.evict();
        if (n == 25 && t == 0) artifacts.clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ArtifactsTest, ARecordingIsForgottenWholeAndNoOther) {
  const Artifacts artifacts(folder_ / "cache", 1 << 20);
  const std::string one(64, 'a');
  const std::string other(64, 'b');
  ASSERT_TRUE(artifacts.save(Key("words", 1, one).add(1), "1"));
  ASSERT_TRUE(artifacts.save(Key("voices", 1, one), "2"));
  ASSERT_TRUE(artifacts.save(Key("words", 1, other).add(1), "3"));
  artifacts.forget(one);
  EXPECT_FALSE(artifacts.contains(Key("words", 1, one).add(1)));
  EXPECT_FALSE(artifacts.contains(Key("voices", 1, one)));
  EXPECT_TRUE(artifacts.contains(Key("words", 1, other).add(1)));
}

}  // namespace
}  // namespace hansard::pipeline
