#include <gtest/gtest.h>

#include "media/media.h"

namespace hansard::media {
namespace {

TEST(MediaName, IsKnownByItsExtension) {
  for (const char* name :
       {"a.mp3", "a.WAV", "folder.txt/b.Opus", "two.dots.m4a", "clip.MOV", "memo.amr", "x.3gp"}) {
    EXPECT_TRUE(is_media_name(name)) << name;
  }
  for (const char* name :
       {"", "mp3", "a.txt", "a.mp3.md", "a.", "folder.mp3/notes", "a.srt", "a.jpg", "a.m3u8"}) {
    EXPECT_FALSE(is_media_name(name)) << name;
  }
}

TEST(MediaName, HiddenFilesAreNotMeant) {
  EXPECT_FALSE(is_media_name("folder/._a.mp3"));
  EXPECT_FALSE(is_media_name(".mp3"));
}

}  // namespace
}  // namespace hansard::media
