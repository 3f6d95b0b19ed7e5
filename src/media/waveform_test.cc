#include <gtest/gtest.h>

#include "base/limits.h"
#include "media/made_media.h"

namespace hansard::media {
namespace {

class Waveforms : public testing::Test {
 protected:
  // Decoding changes no sample of these.
  fs::path write(std::string_view name, const std::vector<int16_t>& samples) {
    return made_.write_wav(name, samples, 1, kSampleRate);
  }
  static Result<Waveform> waveform_of(const fs::path& path) {
    const UniqueFd fd = TRY(open_for_read(path));
    return waveform(fd.get(), TRY(probe(fd.get(), {})), {});
  }
  MadeMedia made_;
};

TEST_F(Waveforms, ShowHowLoudEachStretchIs) {
  // Louder from second to second, down as well as up; more samples than peaks are kept.
  std::vector<int16_t> samples;
  for (int second = 0; second < 10; ++second) {
    for (int i = 0; i < kSampleRate; ++i) {
      samples.push_back(static_cast<int16_t>(i == 7000 ? (second % 2 == 0 ? 3000 : -3000) * second : 0));
    }
  }
  ASSERT_GT(samples.size(), limits::kWaveformPeaks);
  const Waveform whole = waveform_of(write("ten.wav", samples)).value();
  EXPECT_NEAR(whole.duration_s, 10, 1e-9);
  EXPECT_LE(whole.peaks.size(), limits::kWaveformPeaks);
  EXPECT_GT(whole.peaks.size(), limits::kWaveformPeaks / 2);
  EXPECT_EQ(whole.in_points(10).peaks,
            (std::vector<uint16_t>{0, 6000, 12000, 18000, 24000, 30000, 36000, 42000, 48000, 54000}));
  EXPECT_EQ(whole.in_points(1).peaks, std::vector<uint16_t>{54000});
  EXPECT_EQ(whole.in_points(20).peaks[3], 0);
  EXPECT_EQ(whole.in_points(20).peaks[2], 6000);
}

TEST_F(Waveforms, FullScaleIsTheHighestNumber) {
  EXPECT_EQ(waveform_of(write("full.wav", std::vector<int16_t>(1600, -32768)))->in_points(2).peaks,
            (std::vector<uint16_t>{65535, 65535}));
}

TEST_F(Waveforms, LessSoundThanPointsRepeats) {
  const Waveform tiny = waveform_of(write("tiny.wav", {100, -200, 300})).value();
  EXPECT_EQ(tiny.peaks, (std::vector<uint16_t>{200, 400, 600}));
  EXPECT_EQ(tiny.in_points(6).peaks, (std::vector<uint16_t>{200, 200, 400, 400, 600, 600}));
}

TEST_F(Waveforms, ASoundThatStartsLateBeginsWithSilence) {
  const fs::path wav = write("loud.wav", std::vector<int16_t>(2 * kSampleRate, 10000));
  const fs::path late =
      made_.make("late.mkv", {"-f", "lavfi", "-i", "color=red:size=64x64:rate=10:duration=3", "-itsoffset",
                              "1", "-i", wav.string(), "-c:v", "mpeg4", "-c:a", "pcm_s16le"});
  const Waveform drawn = waveform_of(late).value().in_points(6);
  EXPECT_NEAR(drawn.duration_s, 3, 0.01);
  EXPECT_EQ(drawn.peaks[0], 0);
  EXPECT_EQ(drawn.peaks[1], 0);
  EXPECT_EQ(drawn.peaks[3], 20000);
}

TEST_F(Waveforms, OneThatBreaksOffIsDrawnAsFarAsItGoes) {
  std::vector<int16_t> noise;
  for (uint32_t i = 0, seed = 1; i < 160'000; ++i) {
    seed = seed * 1664525 + 1013904223;
    noise.push_back(static_cast<int16_t>(seed >> 16));
  }
  const fs::path whole = made_.make("whole.flac", {"-i", write("noise.wav", noise)});
  const Waveform drawn = waveform_of(made_.cut("cut.flac", whole, 0.5)).value();
  EXPECT_GT(drawn.duration_s, 3);
  EXPECT_LT(drawn.duration_s, 7);
}

TEST_F(Waveforms, EndWhenTheyAreToldTo) {
  std::stop_source stop;
  stop.request_stop();
  const fs::path path = write("a.wav", std::vector<int16_t>(16'000, 5000));
  const UniqueFd fd = open_for_read(path).value();
  const Info info = probe(fd.get(), {}).value();
  EXPECT_EQ(waveform(fd.get(), info, stop.get_token()).error().code, ErrorCode::canceled);
}

}  // namespace
}  // namespace hansard::media
