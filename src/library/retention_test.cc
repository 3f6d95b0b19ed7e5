#include "library/retention.h"

#include <gtest/gtest.h>

#include "jobs/state.h"
#include "library/kept_library_test.h"
#include "library/transcriptions.h"

namespace hansard::library {
namespace {

using namespace std::chrono_literals;
using store::Statement;

class Kept : public KeptLibrary {
 protected:
  File hand_in_second() const { return hand_in(wav()).value(); }
  // A second of silence.
  static std::string wav() {
    std::string bytes(
        "RIFF\x24\x7d\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\0\x7d\0\0", 44);
    return bytes + std::string(32'000, '\0');
  }
  jobs::Job queue(const File& file) const {
    jobs::Job job;
    write([&](store::Transaction& transaction) -> Result<void> {
      job = TRY(jobs::enqueue(transaction, {.user_id = "ann", .file_id = file.id, .title = "second"}));
      return {};
    });
    return job;
  }
  void cancel(const std::string& id) const {
    write([&](store::Transaction& transaction) -> Result<void> {
      TRY(jobs::cancel(transaction, id));
      return {};
    });
  }
  // Makes everything so much older.
  void pass(std::chrono::milliseconds time) const {
    static constexpr Statement kFiles{
        "test.files", "UPDATE files SET created_at = created_at - $1, deleted_at = deleted_at - $1"};
    static constexpr Statement kJobs{
        "test.jobs", "UPDATE transcriptions SET updated_at = updated_at - $1, deleted_at = deleted_at - $1"};
    write([&](store::Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kFiles, time.count()));
      TRY(transaction.change(kJobs, time.count()));
      return {};
    });
  }
  Forgotten apply(const Retention& retention) const {
    return apply_retention(*store_, *blobs_, artifacts_, retention).value();
  }
  bool there(const std::string& id) const {
    bool found = false;
    read([&](store::Reader& reader) -> Result<void> {
      found = TRY(find_transcription(reader, "ann", id)).has_value();
      return {};
    });
    return found;
  }
  bool has_row(const std::string& id) const {
    bool found = false;
    read([&](store::Reader& reader) -> Result<void> {
      found = TRY(jobs::find(reader, id)).has_value();
      return {};
    });
    return found;
  }

  const pipeline::Artifacts artifacts_{folder_ / "cache", 0};
};

TEST_F(Kept, NothingGoesUnlessThatIsWanted) {
  const File file = hand_in_second();
  const jobs::Job job = queue(file);
  cancel(job.id);
  pass(24h * 3650);
  const Forgotten gone = apply({});
  EXPECT_EQ(gone.recordings, 0);
  EXPECT_EQ(gone.transcriptions, 0);
  EXPECT_TRUE(blobs().contains(*file.blob));
  EXPECT_TRUE(there(job.id));
}

TEST_F(Kept, RecordingsGoAndTheirTranscriptionsStay) {
  const File old = hand_in_second();
  const jobs::Job job = queue(old);
  cancel(job.id);
  pass(24h * 30);
  const File young = hand_in_second();
  EXPECT_EQ(apply({.audio = std::chrono::days(30)}).recordings, 1);
  EXPECT_EQ(blobs(), std::set<std::string>{*young.blob});
  EXPECT_TRUE(there(job.id));
  EXPECT_EQ(apply({.audio = std::chrono::days(30)}).recordings, 0);
}

TEST_F(Kept, WhatAJobNeedsStaysUntilItHasEnded) {
  const File file = hand_in_second();
  const jobs::Job job = queue(file);
  pass(24h * 31);
  EXPECT_EQ(apply({.audio = std::chrono::days(30), .transcripts = std::chrono::days(30)}).recordings, 0);
  EXPECT_TRUE(there(job.id));
  EXPECT_TRUE(blobs().contains(*file.blob));
  cancel(job.id);
  EXPECT_EQ(apply({.audio = std::chrono::days(30)}).recordings, 1);
  EXPECT_TRUE(blobs().empty());
}

TEST_F(Kept, TheTrashIsEmptiedInItsTime) {
  const File thrown = hand_in_second();
  const File kept = hand_in_second();
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(trash_file(transaction, "ann", thrown.id));
    return {};
  });
  apply({});
  EXPECT_EQ(blobs(), (std::set<std::string>{*thrown.blob, *kept.blob}));
  pass(limits::kTrashAge + 1s);
  EXPECT_EQ(apply({}).recordings, 0);
  EXPECT_EQ(blobs(), std::set<std::string>{*kept.blob});
}

TEST_F(Kept, TranscriptionsGoFromListsAndThenForGood) {
  const jobs::Job job = queue(hand_in_second());
  cancel(job.id);
  pass(24h * 10);
  EXPECT_EQ(apply({.transcripts = std::chrono::days(11)}).transcriptions, 0);
  EXPECT_EQ(apply({.transcripts = std::chrono::days(10)}).transcriptions, 1);
  EXPECT_FALSE(there(job.id));
  EXPECT_TRUE(has_row(job.id));
  pass(limits::kTrashAge + 1s);
  apply({});
  EXPECT_FALSE(has_row(job.id));
}

}  // namespace
}  // namespace hansard::library
