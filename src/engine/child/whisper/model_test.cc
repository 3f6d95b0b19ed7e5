// Our network against CTranslate2's, with real weights and real speech.
#include "engine/child/whisper/model.h"

#include <cctype>
#include <cstring>

#include <gtest/gtest.h>

#include "engine/child/kernels/kernels.h"
#include "engine/child/speech/sound_for_tests.h"
#include "engine/child/whisper/log_mel.h"
#include "engine/child/whisper/words.h"

namespace hansard::engine::whisper {
namespace {

class TwoNetworksModel : public ::testing::TestWithParam<const kernels::Set*> {
 protected:
  void SetUp() override {
    const ModelFiles base = engine::testing::open_model("whisper-base", "transcription");
    tokenizer_ = std::make_unique<Tokenizer>(Tokenizer::parse(base.read("tokenizer.json").value()).value());
    ours_ = load_with_kernels(base, *tokenizer_, 2, *GetParam()).value();
    theirs_ = load_with_ctranslate2(base, Device::cpu, ComputeType::float32, 2).value();
    const Result<ChildOutput> output = run_child(
        {.argv = {"ffmpeg", "-v", "error", "-i", (parts_folder() / "recordings/two_cities.wav").string(),
                  "-ac", "1", "-ar", "16000", "-f", "f32le", "-"}},
        std::chrono::seconds(60), 16 << 20);
    ASSERT_TRUE(output && output->exit.ok());
    sound_.resize(output->standard_output.size() / sizeof(float));
    std::memcpy(sound_.data(), output->standard_output.data(), sound_.size() * sizeof(float));
  }

  // `seconds` of the recording, in as many frames as given.
  Features features(double start, double seconds, int frames) const {
    const auto from =
        std::span(sound_).subspan(static_cast<size_t>(start * 16000), static_cast<size_t>(seconds * 16000));
    return {LogMel(80).compute(from, frames), frames};
  }

  std::vector<std::vector<int>> prompts(size_t count) const {
    return std::vector<std::vector<int>>(
        count, {*tokenizer_->special("startoftranscript"), *tokenizer_->language("en"),
                *tokenizer_->special("transcribe"), *tokenizer_->special("notimestamps")});
  }

  std::vector<Word> words(Model& model, const Model::Alignment& window) const {
    const auto times = model.align(std::span(&window, 1)).value();
    return make_words(*tokenizer_, "en", window.hypothesis->tokens, times[0]);
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Model> ours_;
  std::unique_ptr<Model> theirs_;
  std::vector<float> sound_;
};

// Letters alone, small: what two networks that round differently must agree on.
std::string letters(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return result;
}

TEST_P(TwoNetworksModel, SayTheSameAtTheSameTimes) {
  const std::vector<double> seconds = {20, 9};
  const std::vector<Features> windows = {features(10, 20, 3000), features(30, 9, 1100)};
  const auto encoded = ours_->encode(windows).value();
  const auto reference = theirs_->encode(windows).value();
  for (const int beam : {1, 5}) {
    const auto found = ours_->generate(encoded, prompts(2), {.beam_size = beam}).value();
    const auto expected = theirs_->generate(reference, prompts(2), {.beam_size = beam}).value();
    for (size_t i = 0; i < windows.size(); ++i) {
      EXPECT_NEAR(found[i].average_log_probability, expected[i].average_log_probability, 0.05);
      EXPECT_NEAR(found[i].no_speech_probability, expected[i].no_speech_probability, 0.03);
      std::vector<int> start = prompts(1)[0];
      start.pop_back();
      const std::vector<Word> ours = words(*ours_, {encoded[i], start, &found[i], seconds[i]});
      const std::vector<Word> theirs = words(*theirs_, {reference[i], start, &expected[i], seconds[i]});
      ASSERT_EQ(ours.size(), theirs.size());
      double apart = 0;
      int others = 0;
      for (size_t k = 0; k < ours.size(); ++k) {
        if (letters(ours[k].text) != letters(theirs[k].text)) ++others;
        EXPECT_NEAR(ours[k].start, theirs[k].start, 0.3) << ours[k].text;
        EXPECT_NEAR(ours[k].probability, theirs[k].probability, 0.3F) << ours[k].text;
        apart += std::abs(ours[k].start - theirs[k].start);
      }
      // Where the sound leaves it open, either word is right.
      EXPECT_LE(others, 1) << "window " << i;
      EXPECT_LT(apart / static_cast<double>(ours.size()), 0.02) << "seconds, window " << i;
    }
  }
}

TEST_P(TwoNetworksModel, HearTheSameLanguage) {
  const std::vector<Features> windows = {features(0, 10, 1500), features(10, 28, 3000)};
  const auto ours = ours_->detect_language(ours_->encode(windows).value()).value();
  const auto theirs = theirs_->detect_language(theirs_->encode(windows).value()).value();
  for (size_t i = 0; i < windows.size(); ++i) {
    EXPECT_EQ(ours[i][0].first, "en");
    EXPECT_EQ(ours[i].size(), theirs[i].size());
    EXPECT_NEAR(ours[i][0].second, theirs[i][0].second, 0.05F);
  }
}

// None where the processor has nothing that there are kernels for.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TwoNetworksModel);
INSTANTIATE_TEST_SUITE_P(By, TwoNetworksModel,
                         ::testing::ValuesIn(kernels::sets().begin(), kernels::sets().end()),
                         [](const auto& info) { return info.param->instructions(); });

}  // namespace
}  // namespace hansard::engine::whisper
