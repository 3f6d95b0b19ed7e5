#include <fmt/format.h>
#include <gtest/gtest.h>

#include "media/made_media.h"

namespace hansard::media {
namespace {

class Playback : public testing::Test {
 protected:
  Result<UniqueFd> playback_of(const fs::path& path) {
    const UniqueFd fd = TRY(open_for_read(path));
    return make_playback(fd.get(), TRY(probe(fd.get(), {})), made_.folder() / "spool", {});
  }
  MadeMedia made_;
  fs::path wav_ = made_.write_wav("clicks.wav", clicks(3), 1, 44100);
};

TEST_F(Playback, TheOriginalServesWhereBrowsersPlayIt) {
  const auto plays = [&](std::string_view name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"-i", wav_.string()});
    return browsers_play(probe_file(made_.make(name, std::move(arguments))).value());
  };
  EXPECT_TRUE(browsers_play(probe_file(wav_).value()));
  EXPECT_TRUE(plays("a.mp3", {}));
  EXPECT_TRUE(plays("a.m4a", {}));
  EXPECT_TRUE(plays("a.aac", {}));
  EXPECT_TRUE(plays("a.flac", {}));
  EXPECT_TRUE(plays("a.ogg", {"-c:a", "libopus"}));
  EXPECT_TRUE(plays("a.webm", {"-c:a", "libopus"}));
  EXPECT_FALSE(plays("a.mka", {"-c:a", "libopus"}));
  EXPECT_FALSE(plays("alaw.wav", {"-c:a", "pcm_alaw"}));
  EXPECT_FALSE(plays("a.aiff", {}));
  EXPECT_FALSE(plays("a.wma", {}));
  EXPECT_FALSE(plays("alac.m4a", {"-c:a", "alac"}));
}

TEST_F(Playback, IsAacWithItsIndexInFrontAtTheSameTimes) {
  const UniqueFd made =
      playback_of(made_.make("six.aiff", {"-i", wav_, "-af", "pan=5.1|FL=c0|FR=c0|FC=c0"})).value();
  const Info info = probe(made.get(), {}).value();
  EXPECT_EQ(info.codec, "aac");
  EXPECT_EQ(info.channels, 2);
  EXPECT_NEAR(info.duration_s, 3, 0.05);
  EXPECT_TRUE(browsers_play(info));
  const std::string bytes = read_file(fmt::format("/proc/self/fd/{}", made.get()), 1 << 20).value();
  EXPECT_LT(bytes.find("moov"), bytes.find("mdat"));
  const Spool spool = decode(made.get(), info, {}, made_.folder(), {}, {}).value();
  const std::vector<double> times = click_times(samples_of(spool));
  ASSERT_EQ(times.size(), 3U);
  for (size_t i = 0; i < times.size(); ++i) EXPECT_NEAR(times[i], static_cast<double>(i) + 0.5, 0.01);
}

TEST_F(Playback, ASoundThatStartsLateInItsVideoStillDoes) {
  const fs::path late =
      made_.make("late.mkv", {"-f", "lavfi", "-i", "color=red:size=64x64:rate=10:duration=4", "-itsoffset",
                              "0.25", "-i", wav_.string(), "-c:v", "mpeg4", "-c:a", "pcm_s16le"});
  const UniqueFd made = playback_of(late).value();
  const Info info = probe(made.get(), {}).value();
  EXPECT_FALSE(info.has_video);
  const Spool spool = decode(made.get(), info, {}, made_.folder(), {}, {}).value();
  const std::vector<double> times = click_times(samples_of(spool));
  ASSERT_EQ(times.size(), 3U);
  for (size_t i = 0; i < times.size(); ++i) EXPECT_NEAR(times[i], static_cast<double>(i) + 0.75, 0.01);
}

TEST_F(Playback, NothingIsLeftOfWhatEnded) {
  std::stop_source stop;
  stop.request_stop();
  const UniqueFd fd = open_for_read(wav_).value();
  const Info info = probe(fd.get(), {}).value();
  EXPECT_EQ(make_playback(fd.get(), info, made_.folder() / "spool", stop.get_token()).error().code,
            ErrorCode::canceled);
  EXPECT_TRUE(fs::is_empty(made_.folder() / "spool"));
}

}  // namespace
}  // namespace hansard::media
