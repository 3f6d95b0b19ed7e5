#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "media/made_media.h"

namespace hansard::media {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Decode : public testing::Test {
 protected:
  // A video whose sound starts `offset_s` after its pictures.
  fs::path make_video(std::string_view name, double offset_s, std::vector<std::string> codec) const {
    std::vector<std::string> arguments = {"-f",         "lavfi",
                                          "-i",         "color=red:size=64x64:rate=10:duration=3",
                                          "-itsoffset", fmt::to_string(offset_s),
                                          "-i",         wav_.string(),
                                          "-c:v",       "mpeg4"};
    arguments.insert(arguments.end(), codec.begin(), codec.end());
    return made_.make(name, std::move(arguments));
  }

  MadeMedia made_;
  fs::path wav_ = made_.write_wav("clicks.wav", clicks(3), 1, 44100);
};

void expect_clicks(const Spool& spool, const std::vector<double>& expected, double tolerance_s) {
  const std::vector<double> times = click_times(samples_of(spool));
  ASSERT_EQ(times.size(), expected.size()) << testing::PrintToString(times);
  for (size_t i = 0; i < times.size(); ++i) EXPECT_NEAR(times[i], expected[i], tolerance_s);
}

TEST_F(Decode, TimesAreThoseOfTheRecording) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds = {
      {"a.mp3", {}},
      {"a.m4a", {}},
      {"a.flac", {}},
      {"opus.ogg", {"-c:a", "libopus"}},
      {"vorbis.ogg", {"-c:a", "libvorbis"}},
      {"a.webm", {"-c:a", "libopus"}},
      {"a.aiff", {}},
      {"low.wav", {"-ar", "8000"}},
      {"stereo.wav", {"-ac", "2"}},
      {"six.m4a", {"-af", "pan=5.1|FC=c0"}}};
  expect_clicks(decode_file(wav_).value(), {0.5, 1.5, 2.5}, 0.0001);
  for (const auto& [name, options] : kinds) {
    SCOPED_TRACE(name);
    std::vector<std::string> arguments = {"-i", wav_};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Spool spool = decode_file(made_.make(name, arguments)).value();
    EXPECT_EQ(spool.offset_s, 0);
    EXPECT_NEAR(spool.pcm().seconds(), 3, 0.03);
    expect_clicks(spool, {0.5, 1.5, 2.5}, 0.001);
  }
}

TEST_F(Decode, SoundThatStartsLaterStaysThere) {
  expect_clicks(decode_file(make_video("a.mkv", 0.25, {"-c:a", "pcm_s16le"})).value(), {0.75, 1.75, 2.75},
                0.001);
  expect_clicks(decode_file(make_video("a.mp4", 0.25, {"-c:a", "aac"})).value(), {0.75, 1.75, 2.75}, 0.001);
  // A transport stream has no word for the encoder's run-up.
  expect_clicks(decode_file(make_video("a.ts", 0.25, {"-c:a", "aac"})).value(), {0.75, 1.75, 2.75}, 0.03);
}

TEST_F(Decode, ARecordingStartsWithItsFirstStream) {
  const fs::path late = made_.make("late.mka", {"-itsoffset", "7", "-i", wav_, "-c:a", "pcm_s16le"});
  expect_clicks(decode_file(late).value(), {0.5, 1.5, 2.5}, 0.001);
}

TEST_F(Decode, GapsAreSilence) {
  const fs::path gap =
      made_.make("gap.mkv", {"-i", wav_, "-af", "aselect='not(between(t,0.8,1.2))'", "-c:a", "pcm_s16le"});
  const Spool spool = decode_file(gap).value();
  expect_clicks(spool, {0.5, 1.5, 2.5}, 0.001);
}

TEST_F(Decode, FormatsMayChangeOnTheWay) {
  const fs::path mono = made_.make("mono.mp3", {"-i", wav_});
  const fs::path stereo = made_.make("stereo.mp3", {"-i", wav_, "-ac", "2", "-ar", "22050"});
  const fs::path both =
      made_.write("both.mp3", read_file(mono, 1 << 20).value() + read_file(stereo, 1 << 20).value());
  const Spool spool = decode_file(both).value();
  EXPECT_NEAR(spool.pcm().seconds(), 6, 0.2);
  expect_clicks(spool, {0.5, 1.5, 2.5, 3.5, 4.5, 5.5}, 0.1);
}

TEST_F(Decode, AChannelIsHeardByItself) {
  // A click in the first channel half a second into the recording, in the third one second later; and none
  // elsewhere.
  std::vector<int16_t> samples(size_t{3} * 3 * 44100);
  samples[size_t{22050} * 3] = 30000;
  samples[size_t{66150} * 3 + 2] = 30000;
  const UniqueFd fd = open_for_read(made_.write_wav("three.wav", samples, 3, 44100)).value();
  const Info info = probe(fd.get(), {}).value();
  const auto of = [&](int channel) {
    return decode(fd.get(), info, {{}, channel}, made_.folder(), {}, {}).value();
  };
  expect_clicks(of(0), {0.5}, 0.0001);
  expect_clicks(of(1), {}, 0);
  expect_clicks(of(2), {1.5}, 0.0001);
}

TEST_F(Decode, ARangeIsASliceOfTheWhole) {
  for (const fs::path& path :
       {made_.make("a.mp3", {"-i", wav_}), make_video("late.mkv", 0.5, {"-c:a", "libopus"})}) {
    SCOPED_TRACE(path);
    const UniqueFd fd = open_for_read(path).value();
    const Info info = probe(fd.get(), {}).value();
    const std::vector<int16_t> whole = samples_of(decode(fd.get(), info, {}, made_.folder(), {}, {}).value());
    for (const Range& range : {Range{0.2, 0.4}, Range{1.23456, 2.34567}, Range{1.5, {}}, Range{0, 100.0}}) {
      const Spool spool = decode(fd.get(), info, {range, {}}, made_.folder(), {}, {}).value();
      const auto first = std::llround(range.start_s * kSampleRate);
      const auto last =
          std::min<int64_t>(std::llround(range.end_s.value_or(100) * kSampleRate), std::ssize(whole));
      EXPECT_NEAR(spool.offset_s, range.start_s, 0.5 / kSampleRate);
      ASSERT_EQ(spool.sample_count, last - first);
      EXPECT_TRUE(std::equal(whole.begin() + first, whole.begin() + last, samples_of(spool).begin()));
    }
  }
}

TEST_F(Decode, RangesOutsideAreRefused) {
  const auto refused = [&](const Range& range, std::string_view part) {
    expect_error(decode_file(wav_, range), ErrorCode::invalid_request, part);
  };
  refused({5, {}}, "which is 3.0 s long");
  refused({3, 4.0}, "which is 3.0 s long");
  refused({2, 2.0}, "after the start");
  refused({-1, {}}, "start");
  refused({std::nan(""), {}}, "start");
}

// Channels without a layout are microphones. Each sounds for a tenth of a second in turn.
TEST_F(Decode, EveryChannelIsHeard) {
  constexpr size_t kTurn = kSampleRate / 10;
  for (const size_t channels : {2U, 3U, 4U, 6U, 8U, 10U}) {
    SCOPED_TRACE(channels);
    std::vector<int16_t> samples(channels * channels * kTurn);
    for (size_t i = 0; i < channels * kTurn; ++i)
      samples[i * channels + i / kTurn] = (i / 20) % 2 ? 20000 : -20000;
    const fs::path path = made_.write_wav("many.wav", samples, static_cast<uint16_t>(channels), kSampleRate);
    const std::vector<int16_t> mixed = samples_of(decode_file(path).value());
    ASSERT_EQ(mixed.size(), channels * kTurn);
    for (size_t turn = 0; turn < channels; ++turn) {
      const auto begin = mixed.begin() + static_cast<std::ptrdiff_t>(turn * kTurn);
      EXPECT_NEAR(*std::max_element(begin, begin + kTurn), 20000.0 / static_cast<double>(channels), 2)
          << turn;
    }
  }
}

TEST_F(Decode, LoudChannelsDoNotClip) {
  const fs::path six = made_.make("six.wav", {"-f", "lavfi", "-i", "aevalsrc=0.9*sin(2*PI*440*t):d=1", "-af",
                                              "pan=5.1|FL=c0|FR=c0|FC=c0|BL=c0|BR=c0"});
  const std::vector<int16_t> mixed = samples_of(decode_file(six).value());
  EXPECT_NEAR(*std::max_element(mixed.begin(), mixed.end()), 0.9 * 32768, 300);
}

TEST_F(Decode, VeryShortSoundIsFine) {
  const Spool spool = decode_file(made_.write_wav("short.wav", std::vector<int16_t>(800), 1, 16000)).value();
  EXPECT_EQ(spool.sample_count, 800);
}

TEST_F(Decode, NoSoundAtAllIsSaid) {
  expect_error(decode_file(made_.write_wav("none.wav", {}, 1, 16000)), ErrorCode::media_unreadable,
               "cannot be decoded");
}

TEST_F(Decode, UnknownLengthIsFine) {
  // Streams, which ffmpeg could not go back in to note the length.
  for (const auto& [name, format] : {std::pair("stream.webm", "webm"), std::pair("stream.wav", "wav")}) {
    const fs::path path = made_.path(name);
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const auto take = [&](std::string_view bytes) { return write_all(file.get(), bytes); };
    ASSERT_TRUE(
        stream_child({.argv = {"ffmpeg", "-v", "error", "-i", wav_, "-f", format, "pipe:1"}}, 60s, take));
    const Spool spool = decode_file(path).value();
    EXPECT_NEAR(spool.pcm().seconds(), 3, 0.03) << name;
  }
}

TEST_F(Decode, BrokenOffRecordingsAreFound) {
  const fs::path noise = made_.make("noise.wav", {"-f", "lavfi", "-i", "anoisesrc=d=20:a=0.3:s=1"});
  const auto broken = [&](const fs::path& whole, double share) {
    SCOPED_TRACE(whole);
    expect_error(decode_file(made_.cut("cut", whole, share)), ErrorCode::media_unreadable, "breaks off");
  };
  broken(made_.make("a.m4a", {"-i", noise, "-movflags", "+faststart"}), 0.6);
  broken(made_.make("a.flac", {"-i", noise}), 0.6);
  broken(made_.make("a.mka", {"-i", noise, "-c:a", "libopus"}), 0.6);
  // These say little of their length, or less than is there: what is there counts.
  for (const fs::path& whole : {noise, made_.make("a.mp3", {"-i", noise}), made_.make("a.aac", {"-i", noise}),
                                made_.make("a.ogg", {"-i", noise, "-c:a", "libopus"})}) {
    SCOPED_TRACE(whole);
    EXPECT_NEAR(decode_file(made_.cut("cut", whole, 0.6))->pcm().seconds(), 12, 1.5);
  }
}

TEST_F(Decode, AudioThatEndsBeforeTheVideoIsWhole) {
  const fs::path path =
      made_.make("short.mkv", {"-f", "lavfi", "-i", "color=red:size=64x64:rate=5:duration=20", "-i", wav_,
                               "-c:v", "mpeg4", "-c:a", "libopus"});
  EXPECT_NEAR(decode_file(path)->pcm().seconds(), 3, 0.03);
}

TEST_F(Decode, ReportsProgress) {
  std::vector<double> seconds;
  ASSERT_TRUE(decode_file(wav_, {1, {}}, {}, [&](double s) { seconds.push_back(s); }));
  ASSERT_FALSE(seconds.empty());
  EXPECT_TRUE(std::is_sorted(seconds.begin(), seconds.end()));
  EXPECT_NEAR(seconds.back(), 2, 0.001);
}

TEST_F(Decode, StopsWhenAsked) {
  const fs::path hour = made_.make("hour.flac", {"-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=3600"});
  std::stop_source source;
  Clock::time_point asked;
  const Result<Spool> spool = decode_file(hour, {}, source.get_token(), [&](double) {
    if (!source.stop_requested()) asked = Clock::now();
    source.request_stop();
  });
  expect_error(spool, ErrorCode::canceled, "canceled");
  EXPECT_LT(Clock::now() - asked, 500ms);
}

// What stands in for ffmpeg in PATH, for the time of a test.
class OtherPath {
 public:
  explicit OtherPath(const fs::path& folder) : before_(::getenv("PATH")) {
    ::setenv("PATH", folder.c_str(), 1);
  }
  ~OtherPath() { ::setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

TEST_F(Decode, SaysHowToGetFfmpeg) {
  const Info info = probe_file(wav_).value();
  const UniqueFd fd = open_for_read(wav_).value();
  const OtherPath path(made_.folder());
  expect_error(probe(fd.get(), {}), ErrorCode::not_found, "apt-get install ffmpeg");
  expect_error(decode(fd.get(), info, {}, made_.folder(), {}, {}), ErrorCode::not_found,
               "apt-get install ffmpeg");
}

TEST_F(Decode, KilledFfmpegIsNotTheEndOfTheRecording) {
  const Info info = probe_file(wav_).value();
  const UniqueFd fd = open_for_read(wav_).value();
  const auto with_script = [&](std::string_view script, std::stop_token stop = {}) {
    fs::permissions(made_.write("ffmpeg", fmt::format("#!/bin/sh\n{}\n", script)), fs::perms::owner_all);
    const OtherPath path(made_.folder().string() + ":" + ::getenv("PATH"));
    return decode(fd.get(), info, {}, made_.folder(), {}, stop);
  };
  expect_error(with_script("head -c 96000 /dev/zero; kill -9 $$"), ErrorCode::internal, "killed");
  expect_error(with_script("head -c 96000 /dev/zero; kill -SEGV $$"), ErrorCode::media_unreadable, "crashed");
  expect_error(with_script("head -c 64000 /dev/zero; echo bad /secret/path >&2; exit 1"),
               ErrorCode::media_unreadable, "cannot be decoded beyond 2.0 s");
}

TEST_F(Decode, RoomIsCheckedFirst) {
  const fs::path folder = made_.path("small");
  fs::create_directory(folder);
  if (::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=80m") != 0)
    GTEST_SKIP() << "needs the right to mount";
  const fs::path hour = made_.make("hour.flac", {"-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=3600"});
  const UniqueFd fd = open_for_read(hour).value();
  Info info = probe_file(hour).value();
  // 115.2 MB, and 67.2 MB that are left alone.
  expect_error(decode(fd.get(), info, {}, folder, {}, {}), ErrorCode::insufficient_storage, "needs 183 MB");
  EXPECT_TRUE(decode(fd.get(), info, {{0, 60.0}, {}}, folder, {}, {}));
  info.duration_s = 0;
  expect_error(decode(fd.get(), info, {}, folder, {}, {}), ErrorCode::insufficient_storage,
               "HANSARD_DATA_DIR");
  ::umount2(folder.c_str(), MNT_DETACH);
}

TEST_F(Decode, AFullDiskIsSaid) {
  struct rlimit before = {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const struct rlimit small = {50'000, before.rlim_max};
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const Info info = probe_file(wav_).value();
  const UniqueFd fd = open_for_read(wav_).value();
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Result<Spool> spool = decode(fd.get(), info, {}, made_.folder(), {}, {});
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, old_handler);
  expect_error(spool, ErrorCode::insufficient_storage, "make room");
}

TEST_F(Decode, RecordingsOfManyDaysAreRefused) {
  const UniqueFd fd = open_for_read(wav_).value();
  Info info = probe_file(wav_).value();
  info.duration_s = limits::kRecordingSeconds + 1;
  expect_error(decode(fd.get(), info, {}, made_.folder(), {}, {}), ErrorCode::unsupported_media, "48 hours");
}

TEST(DecodeCorpus, RealRecordings) {
  const char* corpus = ::getenv("HANSARD_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "HANSARD_CORPUS is not set";
  for (const auto& [name, seconds] : {std::pair("columbia.wma", 198.7), std::pair("jfk_mp3.mp3", 11.0),
                                      std::pair("jfk_wav.wav", 11.0), std::pair("jfk_flac.flac", 11.0)}) {
    const Result<Spool> spool = decode_file(fs::path(corpus) / name);
    ASSERT_TRUE(spool) << name << ": " << spool.error().message;
    EXPECT_NEAR(spool->pcm().seconds(), seconds, 0.2) << name;
  }
}

}  // namespace
}  // namespace hansard::media
