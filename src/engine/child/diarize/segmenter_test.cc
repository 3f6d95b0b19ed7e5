// Our segmentation network against ONNX Runtime's, with real weights and a real conversation.
#include "engine/child/diarize/segmenter.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "engine/child/diarize/networks.h"
#include "engine/child/speech/sound_for_tests.h"

namespace hansard::engine {
namespace {

constexpr size_t kScores = static_cast<size_t>(kSegmentFrames) * kSegmentClasses;

class SegmenterModel : public ::testing::TestWithParam<const kernels::Set*> {
 protected:
  void SetUp() override {
    files_ = testing::open_model("diarization-default", "diarization");
    for (const int16_t sample : testing::decoded("endgame_nagg_nell.wav")) {
      samples_.push_back(static_cast<float>(sample) / 32768);
    }
    segmenter_ = Segmenter::load(files_.read("segmentation.onnx").value(), *GetParam());
    ASSERT_NE(segmenter_, nullptr);
  }

  ModelFiles files_;
  std::vector<float> samples_;
  std::unique_ptr<Segmenter> segmenter_;
  Segmenter::Room room_;
};

TEST_P(SegmenterModel, HearsTheSameVoices) {
  const std::vector<int64_t> offsets = {0, 32'000, 64'000, 70'001, 240'000};
  const std::vector<float> ours = segmenter_->segment(samples_, offsets, room_);
  const std::vector<float> theirs =
      Networks::load(files_, nullptr).value()->segment(samples_, offsets, room_).value();
  ASSERT_EQ(ours.size(), offsets.size() * kScores);
  ASSERT_EQ(theirs.size(), ours.size());
  double apart = 0;
  int other_class = 0;
  for (size_t row = 0; row < ours.size(); row += kSegmentClasses) {
    const auto largest = [&](const std::vector<float>& scores) {
      const auto first = scores.begin() + static_cast<ptrdiff_t>(row);
      return std::max_element(first, first + kSegmentClasses) - first;
    };
    if (largest(ours) != largest(theirs)) ++other_class;
    for (size_t c = row; c < row + kSegmentClasses; ++c)
      apart += std::abs(std::exp(ours[c]) - std::exp(theirs[c]));
  }
  const double rows = static_cast<double>(ours.size()) / kSegmentClasses;
  EXPECT_LT(other_class / rows, 0.02);
  EXPECT_LT(apart / rows, 0.03);
}

TEST_P(SegmenterModel, HearsAWindowAloneAsBesideOthers) {
  const std::vector<int64_t> offsets = {0, 32'000, 64'000};
  const std::vector<float> together = segmenter_->segment(samples_, offsets, room_);
  for (size_t i = 0; i < offsets.size(); ++i) {
    const std::vector<float> alone = segmenter_->segment(samples_, std::span(offsets).subspan(i, 1), room_);
    EXPECT_TRUE(
        std::equal(alone.begin(), alone.end(), together.begin() + static_cast<ptrdiff_t>(i * kScores)))
        << i;
  }
}

TEST_P(SegmenterModel, RefusesOtherNetworks) {
  EXPECT_EQ(Segmenter::load(files_.read("trunk-float.onnx").value(), *GetParam()), nullptr);
  EXPECT_EQ(Segmenter::load("no network", *GetParam()), nullptr);
}

// None where the processor has nothing that there are kernels for.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SegmenterModel);
INSTANTIATE_TEST_SUITE_P(By, SegmenterModel,
                         ::testing::ValuesIn(kernels::sets().begin(), kernels::sets().end()),
                         [](const auto& info) { return info.param->instructions(); });

}  // namespace
}  // namespace hansard::engine
