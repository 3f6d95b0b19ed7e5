// The whole of diarization with its real models on real sound.

#include "engine/child/diarize/diarizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "base/file.h"
#include "engine/child/speech/sound_for_tests.h"

namespace hansard::engine {
namespace {

class DiarizerModel : public ::testing::Test {
 protected:
  static std::unique_ptr<Diarizer> diarizer(int threads) {
    return Diarizer::load(testing::open_model("diarization-default", "diarization"), threads).value();
  }

  static std::vector<int16_t> conversation() { return testing::decoded("endgame_nagg_nell.wav"); }

  static std::string voices(std::span<const int16_t> samples, int threads) {
    const testing::Sound sound(samples);
    const std::vector<Piece> everywhere{{0, sound.pcm().sample_count()}};
    return diarizer(threads)->voices(sound.pcm(), everywhere, [](double) {}, {}).value();
  }
};

size_t speakers(const std::vector<Turn>& turns) {
  std::set<int> names;
  for (const Turn& turn : turns) names.insert(turn.speaker);
  return names.size();
}

TEST_F(DiarizerModel, TellsTwoPeopleApartWhateverTheThreads) {
  const std::vector<int16_t> sound = conversation();
  const std::string bytes = voices(sound, 1);
  EXPECT_EQ(voices(sound, 2), bytes);
  EXPECT_EQ(voices(sound, 3), bytes);
  const std::vector<Turn> automatic = turns(bytes, {}, {}).value();
  EXPECT_EQ(speakers(automatic), 2U);
  EXPECT_EQ(automatic.front().speaker, 0);
  for (const Turn& turn : automatic) {
    EXPECT_GE(turn.start, 0);
    EXPECT_LT(turn.start, turn.end);
    EXPECT_LE(turn.end, static_cast<double>(sound.size()) / kSampleRate);
  }
  EXPECT_EQ(speakers(turns(bytes, {.exact = 1}, {}).value()), 1U);
}

TEST_F(DiarizerModel, HearsNobodyWhereNobodySpeaks) {
  for (const double seconds : {0.00625, 12.0, 0.0}) {
    EXPECT_TRUE(turns(voices(testing::silence(seconds), 1), {}, {})->empty()) << seconds;
  }
}

// The gate: what voice activity does not call speech is nobody's.
TEST_F(DiarizerModel, LeavesWhatIsNoSpeechToNobody) {
  const testing::Sound sound(conversation());
  const Pcm& pcm = sound.pcm();
  const std::vector<Piece> speech{{0, 10 * kSampleRate}};
  const std::string bytes = diarizer(2)->voices(pcm, speech, [](double) {}, {}).value();
  const std::vector<Turn> heard = turns(bytes, {}, {}).value();
  EXPECT_FALSE(heard.empty());
  for (const Turn& turn : heard) EXPECT_LE(turn.end, 10.1);
}

// A voice too faint for the network is somebody's where voice activity is sure of speech.
TEST_F(DiarizerModel, BelievesVoiceActivityWhereAVoiceIsFaint) {
  std::vector<int16_t> samples = conversation();
  samples.resize(16 * kSampleRate);
  std::minstd_rand random(1);
  std::normal_distribution<double> noise(0, 300);
  for (int16_t& sample : samples) sample = static_cast<int16_t>(sample / 40 + noise(random));
  const testing::Sound faint(samples);
  const Pcm& pcm = faint.pcm();
  const auto heard_s = [&](const std::vector<Piece>& speech) {
    double seconds = 0;
    const std::string bytes = diarizer(2)->voices(pcm, speech, [](double) {}, {}).value();
    const std::vector<Turn> heard = turns(bytes, {}, {}).value();
    for (const Turn& turn : heard) seconds += turn.end - turn.start;
    return seconds;
  };
  // Regions so short are all edge.
  std::vector<Piece> edges;
  for (int64_t at = 0; at < pcm.sample_count(); at += kSampleRate / 2)
    edges.push_back({at, at + kSampleRate / 2});
  const double sure_s = heard_s({{0, pcm.sample_count()}});
  const double unsure_s = heard_s(edges);
  EXPECT_GT(sure_s, unsure_s + 1);
}

TEST_F(DiarizerModel, CanBeCanceled) {
  const testing::Sound sound(conversation());
  const Pcm& pcm = sound.pcm();
  const std::vector<Piece> everywhere{{0, pcm.sample_count()}};
  std::stop_source stop;
  stop.request_stop();
  const auto canceled = diarizer(1)->voices(pcm, everywhere, [](double) {}, stop.get_token());
  ASSERT_FALSE(canceled);
  EXPECT_EQ(canceled.error().code, ErrorCode::canceled);
}

TEST_F(DiarizerModel, NamesADamagedModel) {
  ModelFiles damaged = testing::open_model("diarization-default", "diarization");
  const auto projection = std::find_if(damaged.files.begin(), damaged.files.end(),
                                       [](const ModelFile& file) { return file.name == "projection.bin"; });
  ASSERT_NE(projection, damaged.files.end());
  projection->fd = open_unnamed_file("/tmp").value();
  ASSERT_TRUE(write_all(projection->fd.get(), "too short"));
  const auto loaded = Diarizer::load(damaged, 1);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::model_corrupt);
  EXPECT_NE(loaded.error().message.find("projection.bin"), std::string::npos);
}

}  // namespace
}  // namespace hansard::engine
