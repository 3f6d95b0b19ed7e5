#include <fcntl.h>
#include <sys/inotify.h>

#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "media/made_media.h"

namespace hansard::media {
namespace {

class Probe : public testing::Test {
 protected:
  MadeMedia made_;
  fs::path wav_ = made_.write_wav("clicks.wav", clicks(3), 1, 44100);
};

TEST_F(Probe, SaysWhatIsThere) {
  const Info wav = probe_file(wav_).value();
  EXPECT_EQ(wav.format, "wav");
  EXPECT_EQ(wav.codec, "pcm_s16le");
  EXPECT_EQ(wav.channels, 1);
  EXPECT_EQ(wav.sample_rate_hz, 44100);
  EXPECT_NEAR(wav.duration_s, 3, 0.001);
  EXPECT_FALSE(wav.has_video);

  const Info m4a = probe_file(made_.make("six.m4a", {"-i", wav_, "-af", "pan=5.1|FC=c0"})).value();
  EXPECT_EQ(m4a.channels, 6);
  EXPECT_EQ(m4a.channel_layout, "5.1");
  EXPECT_NEAR(m4a.sound_end_s, 3, 0.05);
}

TEST_F(Probe, CoverArtIsNoVideo) {
  const fs::path cover =
      made_.make("cover.jpg", {"-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1"});
  const fs::path mp3 = made_.make("covered.mp3", {"-i", wav_, "-i", cover, "-map", "0", "-map", "1", "-c:v",
                                                  "copy", "-disposition:v", "attached_pic"});
  EXPECT_FALSE(probe_file(mp3)->has_video);
  const fs::path video =
      made_.make("video.mkv", {"-f", "lavfi", "-i", "color=red:size=64x64:rate=5:duration=3", "-i", wav_,
                               "-c:v", "mjpeg", "-c:a", "libopus"});
  EXPECT_TRUE(probe_file(video)->has_video);
}

TEST_F(Probe, KnowsWhenTheSoundStarts) {
  EXPECT_EQ(probe_file(made_.make("a.mp3", {"-i", wav_}))->sound_start_s, 0);
  const std::vector<std::string> late = {
      "-f",          "lavfi", "-i",   "color=red:size=64x64:rate=10:duration=3", "-itsoffset", "0.5", "-i",
      wav_.string(), "-c:v",  "mpeg4"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), late.begin(), late.end());
    return more;
  };
  EXPECT_NEAR(probe_file(made_.make("late.mkv", with({"-c:a", "pcm_s16le"})))->sound_start_s, 0.5, 0.001);
  EXPECT_NEAR(probe_file(made_.make("late.ts", with({"-c:a", "mp2"})))->sound_start_s, 0.5, 0.03);
}

TEST_F(Probe, RefusesWhatIsNoMedia) {
  const auto refused = [&](const fs::path& path, std::string_view part) {
    SCOPED_TRACE(path);
    expect_error(probe_file(path), ErrorCode::unsupported_media, part);
  };
  refused(made_.write("empty.mp3", ""), "empty");
  refused(made_.folder(), "not a file");
  refused("/dev/null", "not a file");
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "Fourscore and seven years ago our fathers brought forth.\n";
  refused(made_.write("text.mp3", text), "not an audio or video file");
  refused(made_.write("zeros.mp3", std::string(1 << 20, '\0')), "not an audio or video file");
  refused(made_.make("picture.png", {"-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1"}),
          "not an audio or video file");
  refused(made_.make("silent.mp4", {"-f", "lavfi", "-i", "color=red:size=64x64:rate=5:duration=1"}),
          "no audio track");
}

TEST_F(Probe, SaysThatAnIndexIsMissing) {
  const fs::path whole = made_.make("whole.m4a", {"-i", wav_});
  expect_error(probe_file(made_.cut("cut.m4a", whole, 0.5)), ErrorCode::media_unreadable, "incomplete");
}

// Playlists name files; none may be read through them, whatever a playlist calls itself.
TEST_F(Probe, PlaylistsOpenNoOtherFile) {
  const fs::path secret = made_.make("secret.ts", {"-i", wav_, "-c:a", "mp2"});
  const std::string name = secret.string();
  const UniqueFd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  const auto was_opened = [&] {
    std::array<char, 4096> events;
    return ::read(watch.get(), events.data(), events.size()) > 0;
  };
  ASSERT_GE(::inotify_add_watch(watch.get(), secret.c_str(), IN_OPEN | IN_ACCESS), 0);
  ASSERT_TRUE(open_for_read(secret));
  ASSERT_TRUE(was_opened());  // the watch works

  const std::string hls = fmt::format(
      "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3.0,\nfile:{}\n#EXTINF:3.0,\n{}\n#EXT-X-ENDLIST\n", name,
      name);
  const std::string dash = fmt::format(
      "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" "
      "mediaPresentationDuration=\"PT3S\"><Period><AdaptationSet mimeType=\"audio/mp4\"><Representation "
      "id=\"1\" "
      "bandwidth=\"1\"><BaseURL>file:{}</BaseURL></Representation></AdaptationSet></Period></MPD>",
      name);
  const std::vector<std::pair<std::string, std::string>> lists = {
      {"hls.mp3", hls},
      {"concat.mp3", fmt::format("ffconcat version 1.0\nfile '{}'\nfile 'secret.ts'\n", name)},
      {"dash.mp3", dash},
      {"sdp.mp3", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n"},
      {"vobsub.mp3",
       "# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 000000000\n"}};
  for (const auto& [file, text] : lists) {
    SCOPED_TRACE(file);
    expect_error(probe_file(made_.write(file, text)), ErrorCode::unsupported_media,
                 "not an audio or video file");
    EXPECT_FALSE(was_opened());
  }
}

TEST_F(Probe, StopsWhenAsked) {
  std::stop_source source;
  source.request_stop();
  const UniqueFd fd = open_for_read(wav_).value();
  EXPECT_EQ(probe(fd.get(), source.get_token()).error().code, ErrorCode::canceled);
}

TEST_F(Probe, LeavesThePositionAlone) {
  const UniqueFd fd = open_for_read(wav_).value();
  ::lseek(fd.get(), 1234, SEEK_SET);
  EXPECT_TRUE(probe(fd.get(), {}));
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 1234);
}

}  // namespace
}  // namespace hansard::media
