// Words out of real recordings with a real model.

#include "engine/child/whisper/transcriber.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "engine/child/speech/sound_for_tests.h"

namespace hansard::engine {
namespace {

class TranscriberModel : public ::testing::Test {
 protected:
  const Pcm& pcm() const { return sound_.pcm(); }

  static std::unique_ptr<Transcriber> tiny(int threads = 2) {
    return Transcriber::load(testing::open_model("whisper-tiny.en", "transcription"), {.threads = threads})
        .value();
  }

  // The recording in windows of 10 s, in groups as given.
  static Plan plan(std::vector<Group> groups) {
    Plan result;
    for (int64_t start = 0; start < 40 * kSampleRate; start += 10 * kSampleRate) {
      result.windows.push_back({{{start, start + 10 * kSampleRate}}, "en"});
    }
    result.language = "en";
    result.groups = std::move(groups);
    return result;
  }

  static std::vector<WindowText> all(Transcriber& transcriber, const Pcm& pcm, const Plan& plan) {
    std::vector<WindowText> windows;
    for (int group = 0; group < static_cast<int>(plan.groups.size()); ++group) {
      GroupText text = transcriber.transcribe(pcm, plan, group, {}, [](double) {}, {}).value();
      for (WindowText& window : text.windows) windows.push_back(std::move(window));
    }
    return windows;
  }

  testing::Sound sound_{testing::decoded("two_cities.wav")};
};

TEST_F(TranscriberModel, AWindowSaysTheSameWhateverItsNeighboursAndTheThreads) {
  const auto together = all(*tiny(), pcm(), plan({{0, 4}}));
  EXPECT_EQ(all(*tiny(), pcm(), plan({{0, 1}, {1, 1}, {2, 1}, {3, 1}})), together);
  EXPECT_EQ(all(*tiny(1), pcm(), plan({{0, 4}})), together);
  std::string text;
  for (const WindowText& window : together) {
    for (const Word& word : window.words) text += word.text;
  }
  EXPECT_NE(text.find("age of wisdom"), std::string::npos) << text;
}

TEST_F(TranscriberModel, EveryWordHasItsTimeInItsWindow) {
  const Plan the_plan = plan({{0, 4}});
  const auto windows = all(*tiny(), pcm(), the_plan);
  for (size_t i = 0; i < windows.size(); ++i) {
    double last = static_cast<double>(i) * 10;
    for (const Word& word : windows[i].words) {
      EXPECT_GE(word.start, last - 1e-6);
      EXPECT_GE(word.end, word.start);
      EXPECT_LE(word.end, static_cast<double>(i + 1) * 10 + 1e-6);
      EXPECT_GT(word.probability, 0);
      last = word.start;
    }
    EXPECT_FALSE(windows[i].words.empty());
  }
}

TEST_F(TranscriberModel, HotwordsAndPromptsChangeSpelling) {
  TranscribeOptions options;
  options.initial_prompt = "IT WAS THE BEST OF TIMES, IT WAS THE WORST OF TIMES. EVERYTHING IS IN CAPITALS.";
  const GroupText text =
      tiny()->transcribe(pcm(), plan({{0, 1}, {1, 3}}), 0, options, [](double) {}, {}).value();
  std::string said;
  for (const Word& word : text.windows[0].words) said += word.text;
  EXPECT_NE(said.find("TIMES"), std::string::npos) << said;
}

TEST_F(TranscriberModel, DetectsTheLanguage) {
  auto base = Transcriber::load(testing::open_model("whisper-base", "transcription"), {.threads = 2}).value();
  Plan detected = plan({{0, 4}});
  detected.language.clear();
  const std::vector<Piece> regions{{0, 40 * kSampleRate}};
  ASSERT_TRUE(base->detect_languages(pcm(), regions, detected, [](double) {}, {}));
  EXPECT_EQ(detected.language, "en");
  EXPECT_GT(detected.language_probability, 0.8);
}

TEST_F(TranscriberModel, CanBeCanceled) {
  std::stop_source stop;
  stop.request_stop();
  const auto canceled = tiny()->transcribe(pcm(), plan({{0, 4}}), 0, {}, [](double) {}, stop.get_token());
  ASSERT_FALSE(canceled);
  EXPECT_EQ(canceled.error().code, ErrorCode::canceled);
}

TEST_F(TranscriberModel, DamagedFilesAreNamedWithoutAPath) {
  for (const char* name : {"model.bin", "tokenizer.json"}) {
    ModelFiles damaged = testing::open_model("whisper-tiny.en", "transcription");
    for (ModelFile& file : damaged.files) {
      if (file.name != name) continue;
      file.fd = open_unnamed_file("/tmp").value();
      ASSERT_TRUE(write_all(file.fd.get(), "not a model"));
    }
    const auto loaded = Transcriber::load(damaged, {});
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().code, ErrorCode::model_corrupt) << loaded.error().message;
    EXPECT_EQ(loaded.error().message.find("/proc"), std::string::npos);
  }
}

}  // namespace
}  // namespace hansard::engine
