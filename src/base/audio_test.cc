#include "base/audio.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"

namespace hansard {
namespace {

UniqueFd spool_of(const std::vector<int16_t>& samples) {
  UniqueFd fd = open_unnamed_file(std::filesystem::temp_directory_path()).value();
  const std::string bytes(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(int16_t));
  EXPECT_TRUE(write_all(fd.get(), bytes));
  return fd;
}

TEST(Pcm, ReadsSamplesAsFractions) {
  const UniqueFd fd = spool_of({0, 16384, -16384, 32767, -32768});
  const Pcm pcm(fd.get(), 5);
  std::vector<float> out(3);
  ASSERT_TRUE(pcm.read(1, out));
  EXPECT_EQ(out, (std::vector<float>{0.5F, -0.5F, 32767.0F / 32768}));
  ASSERT_TRUE(pcm.read(4, std::span(out).first(1)));
  EXPECT_EQ(out[0], -1.0F);
}

TEST(Pcm, OutsideIsSilence) {
  const UniqueFd fd = spool_of({16384, 16384});
  const Pcm pcm(fd.get(), 2);
  const auto read = [&](int64_t start, size_t count) {
    std::vector<float> out(count, 9.0F);
    EXPECT_TRUE(pcm.read(start, out));
    return out;
  };
  EXPECT_EQ(read(-2, 5), (std::vector<float>{0, 0, 0.5F, 0.5F, 0}));
  EXPECT_EQ(read(1, 2), (std::vector<float>{0.5F, 0}));
  EXPECT_EQ(read(-9, 3), (std::vector<float>(3)));
  EXPECT_EQ(read(7, 3), (std::vector<float>(3)));
  EXPECT_TRUE(read(0, 0).empty());
}

TEST(Pcm, KnowsItsLength) {
  EXPECT_EQ(Pcm(-1, kSampleRate * 3 / 2).seconds(), 1.5);
}

TEST(Pcm, AShorterFileIsAnError) {
  const UniqueFd fd = spool_of({1, 2});
  std::vector<float> out(4);
  EXPECT_FALSE(Pcm(fd.get(), 4).read(0, out));
}

}  // namespace
}  // namespace hansard
