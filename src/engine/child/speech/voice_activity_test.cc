#include <gtest/gtest.h>

#include "engine/child/speech/sound_for_tests.h"
#include "engine/child/speech/speech.h"

namespace hansard::engine {
namespace {

class SpeechRegionsModel : public ::testing::Test {
 protected:
  std::vector<Piece> regions_of(std::span<const int16_t> samples) {
    const testing::Sound sound(samples);
    const auto probabilities = network_->probabilities(sound.pcm(), {}, {});
    EXPECT_TRUE(probabilities);
    EXPECT_EQ(std::ssize(*probabilities), (std::ssize(samples) + 511) / 512);
    return speech_regions(*probabilities, std::ssize(samples), {});
  }

  std::unique_ptr<VoiceActivity> network_ =
      VoiceActivity::load(testing::open_model("speech-silero", "speech"), 2).value();
};

TEST_F(SpeechRegionsModel, NothingSpeaksInSilenceNoiseAndTones) {
  EXPECT_TRUE(regions_of(testing::silence(60)).empty());
  EXPECT_TRUE(regions_of(testing::white_noise(60, 0.1)).empty());
  EXPECT_TRUE(regions_of(testing::white_noise(60, 0.003)).empty());
  EXPECT_TRUE(regions_of(testing::pink_noise(60, 0.3)).empty());
  EXPECT_TRUE(regions_of(testing::tone(60, 440, 0.3)).empty());
  EXPECT_TRUE(regions_of(testing::tone(60, 440, 0.01)).empty());
}

TEST_F(SpeechRegionsModel, FindsTheReaderAndThePauseBeforeHim) {
  const std::vector<int16_t> reading = testing::recording("two_cities.wav", 20);
  std::vector<int16_t> samples = testing::silence(5);
  samples.insert(samples.end(), reading.begin(), reading.end());
  const std::vector<Piece> regions = regions_of(samples);
  ASSERT_FALSE(regions.empty());
  EXPECT_GT(regions.front().start, 4 * kSampleRate);
  EXPECT_LT(regions.front().start, 7 * kSampleRate);
  int64_t speech = 0;
  for (const Piece& region : regions) speech += region.end - region.start;
  EXPECT_GT(speech, 12 * kSampleRate);
}

TEST_F(SpeechRegionsModel, TheSameTwiceWhateverCameBefore) {
  const testing::Sound sound(testing::recording("two_cities.wav", 12));
  const testing::Sound other(testing::white_noise(3, 0.1));
  const auto first = network_->probabilities(sound.pcm(), {}, {});
  ASSERT_TRUE(network_->probabilities(other.pcm(), {}, {}));
  EXPECT_EQ(*first, *network_->probabilities(sound.pcm(), {}, {}));
}

TEST_F(SpeechRegionsModel, TheSameWhateverTheThreads) {
  const testing::Sound sound(testing::recording("two_cities.wav", 40));
  const ModelFiles files = testing::open_model("speech-silero", "speech");
  const std::vector<float> two = network_->probabilities(sound.pcm(), {}, {}).value();
  for (const int threads : {1, 3}) {
    EXPECT_EQ(VoiceActivity::load(files, threads).value()->probabilities(sound.pcm(), {}, {}).value(), two);
  }
}

TEST_F(SpeechRegionsModel, StopsWhenAskedAndSaysHowFarItIs) {
  const testing::Sound sound(testing::silence(60));
  std::stop_source stop;
  double last = 0;
  const auto stopped = network_->probabilities(
      sound.pcm(),
      [&](double fraction) {
        EXPECT_GT(fraction, last);
        last = fraction;
        if (fraction > 0.3) stop.request_stop();
      },
      stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::canceled);
  EXPECT_LT(last, 0.6);
}

// Our network against ONNX Runtime's, with real weights and real speech.
TEST(VoiceActivityModel, HearsTheSameByEachSetOfInstructions) {
  const testing::Sound sound(testing::recording("two_cities.wav", 40));
  const ModelFiles files = testing::open_model("speech-silero", "speech");
  const std::vector<float> theirs =
      VoiceActivity::load(files, 1, nullptr).value()->probabilities(sound.pcm(), {}, {}).value();
  for (const kernels::Set* cpu : kernels::sets()) {
    const std::vector<float> ours =
        VoiceActivity::load(files, 2, cpu).value()->probabilities(sound.pcm(), {}, {}).value();
    ASSERT_EQ(ours.size(), theirs.size());
    for (size_t i = 0; i < ours.size(); ++i)
      EXPECT_NEAR(ours[i], theirs[i], 0.002) << cpu->instructions() << i;
  }
}

TEST(VoiceActivityModel, ADamagedOneIsNamed) {
  ModelFiles files{"speech-silero", "speech", {}};
  const UniqueFd file = open_unnamed_file(std::filesystem::temp_directory_path()).value();
  ASSERT_TRUE(write_all(file.get(), "not a network"));
  files.files.push_back({"silero.onnx", UniqueFd(::dup(file.get()))});
  const auto loaded = VoiceActivity::load(files, 1);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::model_corrupt);
  EXPECT_NE(loaded.error().message.find("speech-silero"), std::string::npos);
}

}  // namespace
}  // namespace hansard::engine
