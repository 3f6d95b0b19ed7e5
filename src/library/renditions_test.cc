// Waveforms and playback renditions over a real store, real blobs and ffmpeg.

#include "library/renditions.h"

#include <gtest/gtest.h>

#include <thread>

#include "library/kept_library_test.h"
#include "media/made_media.h"

namespace hansard::library {
namespace {

class RenditionsTest : public KeptLibrary {
 protected:
  std::string bytes(const std::filesystem::path& path) const { return read_file(path, 1 << 24).value(); }
  std::string wav() const { return bytes(made_.write_wav("a.wav", media::clicks(3), 1, 44100)); }
  std::string aiff() const {
    return bytes(made_.make("a.aiff", {"-i", made_.write_wav("a.wav", media::clicks(3), 1, 44100)}));
  }
  void erase(const File& file) const {
    write([&](store::Transaction& transaction) -> Result<void> {
      TRY(purge_file(transaction, "ann", file.id));
      return {};
    });
    erase_recording(*store_, *blobs_, artifacts_, file);
  }
  bool is_named(const std::string& blob) const {
    bool named = false;
    read([&](store::Reader& reader) -> Result<void> {
      named = TRY(names_blob(reader, blob));
      return {};
    });
    return named;
  }

  media::MadeMedia made_;
  const pipeline::Artifacts artifacts_{folder_ / "cache", 1 << 30};
  Renditions renditions_{*store_, *blobs_, folder_ / "spool"};
};

TEST_F(RenditionsTest, AWaveformIsMadeOnceAndGoesWithTheRecording) {
  const File file = hand_in(wav()).value();
  const media::Waveform drawn = renditions_.waveform(file).value();
  EXPECT_NEAR(drawn.duration_s, 3, 0.01);
  const std::string blob = "renditions/" + file.id + "/waveform-1";
  ASSERT_EQ(blobs(), (std::set<std::string>{*file.blob, blob}));
  EXPECT_TRUE(is_named(blob));
  // Later it is read, whatever has become of the recording's bytes.
  ASSERT_TRUE(blobs_->put(*file.blob, "x"));
  const media::Waveform again = renditions_.waveform(file).value();
  EXPECT_EQ(again.peaks, drawn.peaks);
  EXPECT_EQ(again.duration_s, drawn.duration_s);
  erase(file);
  EXPECT_TRUE(blobs().empty());
  EXPECT_FALSE(is_named(blob));
}

TEST_F(RenditionsTest, WhatBrowsersPlayIsPlayedAsItIs) {
  const File file = hand_in(wav()).value();
  const auto played = renditions_.playback(file).value();
  EXPECT_TRUE(played.original);
  EXPECT_EQ(static_cast<int64_t>(played.size_bytes), file.size_bytes);
  EXPECT_EQ(blobs().size(), 1U);
}

TEST_F(RenditionsTest, ManyWhoAskAtOnceGetOneRendition) {
  const File file = hand_in(aiff()).value();
  std::vector<std::jthread> threads;
  std::atomic<int> served = 0;
  std::set<ino_t> inodes;
  std::mutex mutex;
  for (size_t i = 0; i < limits::kRenditionWaiters; ++i) {
    threads.emplace_back([&] {
      auto played = renditions_.playback(file);
      if (!played || played->original) return;
      struct stat status = {};
      ::fstat(played->fd.get(), &status);
      const std::lock_guard lock(mutex);
      inodes.insert(status.st_ino);
      ++served;
    });
  }
  threads.clear();
  EXPECT_EQ(served, static_cast<int>(limits::kRenditionWaiters));
  EXPECT_EQ(inodes.size(), 1U);
  EXPECT_EQ(blobs().size(), 2U);
  erase(file);
  EXPECT_TRUE(blobs().empty());
}

TEST_F(RenditionsTest, WhatIsErasedInTheMiddleLeavesNothing) {
  const File file = hand_in(aiff()).value();
  // As if the recording had been erased while ffmpeg still had it open.
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(purge_file(transaction, "ann", file.id));
    return {};
  });
  const auto made = renditions_.waveform(file);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::not_found);
  EXPECT_EQ(blobs(), std::set<std::string>{*file.blob});
}

TEST_F(RenditionsTest, AfterTheStopNothingIsMade) {
  const File file = hand_in(aiff()).value();
  renditions_.stop();
  const auto made = renditions_.waveform(file);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::canceled);
  EXPECT_EQ(blobs().size(), 1U);
}

}  // namespace
}  // namespace hansard::library
