#include "engine/child/diarize/fbank.h"

#include <gtest/gtest.h>

#include <array>

#include "base/file.h"

namespace hansard::engine {
namespace {

constexpr int64_t kSamples = 4000;

// A signal that anyone can make again, in whole 16-bit steps.
UniqueFd spool() {
  std::string bytes;
  for (int64_t i = 0; i < kSamples; ++i) {
    const auto sample = static_cast<int16_t>(((i * i * 7919) % 65536 - 32768) / 4);
    bytes.append(reinterpret_cast<const char*>(&sample), sizeof sample);
  }
  UniqueFd fd = open_unnamed_file("/tmp").value();
  EXPECT_TRUE(write_all(fd.get(), bytes));
  return fd;
}

// Reference: kaldi-native-fbank 1.23 of the same signal (Hamming, no dither, 80 bins, 20 to 8000 Hz,
// snip_edges).
TEST(Fbank, IsThatOfKaldi) {
  constexpr std::array<int, 6> kBins{0, 1, 13, 40, 66, 79};
  const std::array<std::pair<int64_t, std::array<float, 6>>, 3> reference{{
      {0, {14.1745F, 15.3753F, 18.8246F, 21.3181F, 25.0673F, 25.1149F}},
      {7, {14.2027F, 14.7298F, 18.3097F, 22.7915F, 24.1983F, 25.5857F}},
      {22, {14.2565F, 15.8602F, 18.2646F, 22.9111F, 25.0806F, 25.2567F}},
  }};
  const UniqueFd fd = spool();
  const Pcm pcm(fd.get(), kSamples);
  ASSERT_EQ(fbank_frame_count(kSamples), 23);
  const std::vector<float> frames = fbank(pcm, 0, 23).value();
  for (const auto& [frame, values] : reference) {
    for (size_t i = 0; i < kBins.size(); ++i) {
      EXPECT_NEAR(frames[static_cast<size_t>(frame * kFbankBins + kBins[i])], values[i], 0.02)
          << frame << " " << i;
    }
  }
}

TEST(Fbank, OfAPartIsThePartOfTheWhole) {
  const UniqueFd fd = spool();
  const Pcm pcm(fd.get(), kSamples);
  const std::vector<float> whole = fbank(pcm, 0, 23).value();
  const std::vector<float> part = fbank(pcm, 5, 4).value();
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 5 * kFbankBins));
  EXPECT_EQ(fbank_frame_count(399), 0);
  EXPECT_EQ(fbank_frame_count(400), 1);
}

}  // namespace
}  // namespace hansard::engine
