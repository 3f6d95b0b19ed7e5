// The whole of diarization with its real models on real sound.

#include "engine/child/diarize/diarizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "base/file.h"
#include "base/parts_folder.h"
#include "base/process.h"

namespace hansard::engine {
namespace {

ModelFiles files(const std::string& id, const std::vector<std::string>& names) {
  ModelFiles result;
  result.id = id;
  for (const std::string& name : names) {
    result.files.push_back({name, open_for_read(parts_folder() / "models" / id / name).value()});
  }
  return result;
}

class DiarizerModel : public testing::Test {
 protected:
  static std::unique_ptr<Diarizer> diarizer(int threads) {
    return Diarizer::load(files("diarization-default", {"segmentation.onnx", "trunk-int8.onnx",
                                                        "trunk-float.onnx", "projection.bin"}),
                          threads)
        .value();
  }

  static UniqueFd spool(const std::string& bytes) {
    UniqueFd fd = open_unnamed_file("/tmp").value();
    EXPECT_TRUE(write_all(fd.get(), bytes));
    return fd;
  }

  static std::string conversation() {
    const Result<ChildOutput> output =
        run_child({.argv = {"ffmpeg", "-v", "error", "-i",
                            (parts_folder() / "recordings/endgame_nagg_nell.wav").string(), "-ac", "1", "-ar",
                            "16000", "-f", "s16le", "-"}},
                  std::chrono::seconds(60), 16 << 20);
    EXPECT_TRUE(output && output->exit.ok());
    return output->standard_output;
  }

  static std::string voices(const std::string& bytes, int threads) {
    const UniqueFd fd = spool(bytes);
    const Pcm pcm(fd.get(), static_cast<int64_t>(bytes.size() / 2));
    const std::vector<Piece> everywhere{{0, pcm.sample_count()}};
    return diarizer(threads)->voices(pcm, everywhere, [](double) {}, {}).value();
  }
};

size_t speakers(const std::vector<Turn>& turns) {
  std::set<int> names;
  for (const Turn& turn : turns) names.insert(turn.speaker);
  return names.size();
}

TEST_F(DiarizerModel, TellsTwoPeopleApartWhateverTheThreads) {
  const std::string sound = conversation();
  const std::string bytes = voices(sound, 1);
  EXPECT_EQ(voices(sound, 2), bytes);
  EXPECT_EQ(voices(sound, 3), bytes);
  const std::vector<Turn> automatic = turns(bytes, {}, {}).value();
  EXPECT_EQ(speakers(automatic), 2U);
  EXPECT_EQ(automatic.front().speaker, 0);
  for (const Turn& turn : automatic) {
    EXPECT_GE(turn.start, 0);
    EXPECT_LT(turn.start, turn.end);
    EXPECT_LE(turn.end, static_cast<double>(sound.size()) / 32000);
  }
  EXPECT_EQ(speakers(turns(bytes, {.exact = 1}, {}).value()), 1U);
}

TEST_F(DiarizerModel, HearsNobodyWhereNobodySpeaks) {
  EXPECT_TRUE(turns(voices(std::string(200, '\0'), 1), {}, {})->empty());
  EXPECT_TRUE(turns(voices(std::string(32000 * 12, '\0'), 1), {}, {})->empty());
  EXPECT_TRUE(turns(voices("", 1), {}, {})->empty());
}

// The gate: what voice activity does not call speech is nobody's.
TEST_F(DiarizerModel, LeavesWhatIsNoSpeechToNobody) {
  const std::string sound = conversation();
  const UniqueFd fd = spool(sound);
  const Pcm pcm(fd.get(), static_cast<int64_t>(sound.size() / 2));
  const std::vector<Piece> speech{{0, 10 * kSampleRate}};
  const std::string bytes = diarizer(2)->voices(pcm, speech, [](double) {}, {}).value();
  const std::vector<Turn> heard = turns(bytes, {}, {}).value();
  EXPECT_FALSE(heard.empty());
  for (const Turn& turn : heard) EXPECT_LE(turn.end, 10.1);
}

// A voice too faint for the network is somebody's where voice activity is sure of speech.
TEST_F(DiarizerModel, BelievesVoiceActivityWhereAVoiceIsFaint) {
  const std::string sound = conversation();
  std::vector<int16_t> samples(16 * kSampleRate);
  std::memcpy(samples.data(), sound.data(), samples.size() * sizeof(int16_t));
  std::minstd_rand random(1);
  std::normal_distribution<double> noise(0, 300);
  for (int16_t& sample : samples) sample = static_cast<int16_t>(sample / 40 + noise(random));
  const std::string faint(reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(int16_t));
  const UniqueFd fd = spool(faint);
  const Pcm pcm(fd.get(), std::ssize(samples));
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
  const std::string sound = conversation();
  const UniqueFd fd = spool(sound);
  const Pcm pcm(fd.get(), static_cast<int64_t>(sound.size() / 2));
  const std::vector<Piece> everywhere{{0, pcm.sample_count()}};
  std::stop_source stop;
  stop.request_stop();
  const auto canceled = diarizer(1)->voices(pcm, everywhere, [](double) {}, stop.get_token());
  ASSERT_FALSE(canceled);
  EXPECT_EQ(canceled.error().code, ErrorCode::canceled);
}

TEST_F(DiarizerModel, NamesADamagedModel) {
  ModelFiles damaged =
      files("diarization-default", {"segmentation.onnx", "trunk-int8.onnx", "trunk-float.onnx"});
  damaged.files.push_back({"projection.bin", spool("too short")});
  const auto loaded = Diarizer::load(damaged, 1);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::model_corrupt);
  EXPECT_NE(loaded.error().message.find("projection.bin"), std::string::npos);
}

}  // namespace
}  // namespace hansard::engine
