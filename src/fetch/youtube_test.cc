// A script stands in the PATH for yt-dlp, and says what that says.

#include "fetch/youtube.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "base/temporary_folder.h"

namespace hansard::fetch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class YoutubeTest : public testing::Test {
 protected:
  ~YoutubeTest() override { ::setenv("PATH", path_.c_str(), 1); }

  // What the script does; it may look at "$@".
  void install(const std::string& script) const {
    std::ofstream(folder_ / "yt-dlp") << "#!/bin/sh\n" << script;
    fs::permissions(folder_ / "yt-dlp", fs::perms::owner_all);
    ::setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
  }
  Result<Got> get(uint64_t most_bytes = 1000, const std::stop_token& stop = {}) {
    body_.clear();
    return get_video(
        {.id = "abcdefghi-_", .most_bytes = most_bytes, .time = 1h},
        [this](std::string_view bytes) -> Result<void> {
          body_ += bytes;
          return {};
        },
        [this](uint64_t bytes, std::optional<uint64_t>) { told_ = bytes; }, stop);
  }

  const std::string path_ = std::getenv("PATH");
  const TemporaryFolder folder_;
  std::string body_;
  uint64_t told_ = 0;
};

TEST(YoutubeVideo, IsFoundInItsAddresses) {
  for (const char* url :
       {"https://www.youtube.com/watch?v=dQw4w9WgXcQ", "https://youtube.com/watch?list=PL1&v=dQw4w9WgXcQ&t=3",
        "http://m.youtube.com/watch?v=dQw4w9WgXcQ#t=1", "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ?si=x", "HTTPS://WWW.YouTube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ/", "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ"}) {
    EXPECT_EQ(youtube_video(url), "dQw4w9WgXcQ") << url;
  }
  for (const char* url : {"https://www.youtube.com/playlist?list=PL1", "https://www.youtube.com/@someone",
                          "https://youtube.com/", "https://youtu.be/", "https://youtu.be",
                          "https://youtu.be/short", "https://youtu.be/dQw4w9WgXcQ0",
                          "https://youtu.be/--exec=evil", "https://www.youtube.com/watch?v=dQw4w9WgXc%51",
                          "https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
                          "https://evil.example/youtube.com/watch?v=dQw4w9WgXcQ",
                          "https://youtube.com@evil.example/watch?v=dQw4w9WgXcQ",
                          "ftp://youtu.be/dQw4w9WgXcQ", "dQw4w9WgXcQ", ""}) {
    EXPECT_EQ(youtube_video(url), std::nullopt) << url;
  }
}

TEST_F(YoutubeTest, BringsTheSoundAndTheTitle) {
  install(
      "printf '%s\\n' \"$@\" > \"${0%/*}/arguments\"\nenv > \"${0%/*}/environment\"\n"
      "cat >&2 <<'END'\nhansard-title:\"A \\\"talk\\\"\\n2\"\nEND\nprintf sound\n");
  ::setenv("https_proxy", "http://127.0.0.1:1", 1);
  const auto got = get();
  ::unsetenv("https_proxy");
  ASSERT_TRUE(got) << got.error().message << got.error().detail;
  EXPECT_EQ(body_, "sound");
  EXPECT_EQ(told_, 5U);
  EXPECT_EQ(got->size_bytes, 5U);
  EXPECT_EQ(got->name, "A \"talk\"\n2");
  const std::string arguments = read_file(folder_ / "arguments", 1 << 16).value();
  EXPECT_TRUE(arguments.ends_with("\n--\nhttps://www.youtube.com/watch?v=abcdefghi-_\n")) << arguments;
  EXPECT_TRUE(arguments.starts_with("--ignore-config\n")) << arguments;
  EXPECT_EQ(read_file(folder_ / "environment", 1 << 16).value().find("proxy"), std::string::npos);
}

TEST_F(YoutubeTest, WhatItSaysIsToldByKind) {
  for (const auto& [said, code] : std::vector<std::pair<std::string, ErrorCode>>{
           {"[youtube] x: Private video. Sign in if you've been granted access", ErrorCode::access_denied},
           {"[youtube] x: Video unavailable. This video is private", ErrorCode::access_denied},
           {"[youtube] x: Join this channel to get access to members-only content", ErrorCode::access_denied},
           {"[youtube] x: Sign in to confirm your age. This video may be inappropriate for some users.",
            ErrorCode::age_restricted},
           {"[youtube] x: Sign in to confirm you're not a bot. Use --cookies", ErrorCode::rate_limited},
           {"unable to download video data: HTTP Error 429: Too Many Requests", ErrorCode::rate_limited},
           {"[youtube] x: Video unavailable", ErrorCode::unavailable},
           {"[youtube] x: This video has been removed by the uploader", ErrorCode::unavailable},
           {"[youtube] x: Requested format is not available", ErrorCode::unavailable},
           {"[youtube] x: Unable to download API page: [Errno -2] Name or service not known",
            ErrorCode::network},
           {"unable to download video data: HTTP Error 403: Forbidden", ErrorCode::network},
           {"[youtube] x: The read operation timed out", ErrorCode::network},
           {"something that is new", ErrorCode::unavailable}}) {
    install("echo 'WARNING: private, removed' >&2\ncat >&2 <<'END'\nERROR: " + said + "\nEND\nexit 1\n");
    const auto got = get();
    ASSERT_FALSE(got) << said;
    EXPECT_EQ(got.error().code, code) << said;
    EXPECT_EQ(got.error().message.find("ERROR"), std::string::npos) << got.error().message;
    EXPECT_EQ(got.error().detail, "ERROR: " + said);
  }
  // A stream that has not ended is passed over without a word.
  install("exit 0\n");
  EXPECT_EQ(get().error().code, ErrorCode::unavailable);
}

TEST_F(YoutubeTest, EndsAtItsLimits) {
  install("printf sound; exec sleep 1000\n");
  EXPECT_EQ(get(4).error().code, ErrorCode::too_large);
  std::stop_source stop;
  const auto got = get_video(
      {.id = "abcdefghi-_", .most_bytes = 1000, .time = 1h},
      [&](std::string_view) -> Result<void> {
        stop.request_stop();
        return {};
      },
      {}, stop.get_token());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::canceled);
}

TEST_F(YoutubeTest, WithoutTheProgramNothingCanBeAsked) {
  ::setenv("PATH", folder_.path().c_str(), 1);
  EXPECT_FALSE(youtube_can_be_asked());
  EXPECT_EQ(get().error().code, ErrorCode::not_found);
  install("exit 0\n");
  EXPECT_TRUE(youtube_can_be_asked());
}

}  // namespace
}  // namespace hansard::fetch
