#include "library/erasure.h"

#include "base/file.h"
#include "jobs/scheduler_policy.h"
#include "library/kept_library_test.h"
#include "library/transcriptions.h"
#include "media/made_media.h"

namespace hansard::library {
namespace {

class Erasure : public KeptLibrary {
 protected:
  // A recording with a completed transcription.
  std::string transcribed(std::string_view bytes, std::optional<int64_t> ephemeral_until_ms) {
    auto incoming = Incoming::begin(*blobs_, store_->now_ms()).value();
    EXPECT_TRUE(incoming->append(bytes));
    File file = incoming->finish("ann", "", "a.wav").value();
    file.ephemeral_until_ms = ephemeral_until_ms;
    jobs::Job job;
    write([&](store::Transaction& transaction) -> Result<void> {
      TRY(insert_file(transaction, file));
      job = TRY(jobs::enqueue(
          transaction,
          {.user_id = "ann", .file_id = file.id, .title = "a", .ephemeral_until_ms = ephemeral_until_ms}));
      const auto claimed = TRY(jobs::claim(transaction, jobs::FifoPolicy(), "slot", 1000));
      const std::string output = "transcripts/" + job.id + "/1.json";
      EXPECT_TRUE(blobs_->put(output, "{}"));
      EXPECT_TRUE(TRY(jobs::complete(transaction, {job.id, "slot", claimed->attempt},
                                     {.document = "{}", .output_key = output})));
      return {};
    });
    incoming->keep();
    return job.id;
  }
  std::string sound(int seconds) const {
    return read_file(made_.write_wav("a.wav", media::clicks(seconds), 1, 16000), 1 << 20).value();
  }
  int64_t count(const store::Statement& statement) {
    int64_t number = -1;
    read([&](store::Reader& reader) -> Result<void> {
      number = TRY(reader.row(statement))->integer(0);
      return {};
    });
    return number;
  }

  media::MadeMedia made_;
};

TEST_F(Erasure, WhatWasKeptForAWhileAloneIsGoneAfterItAndNothingElse) {
  static constexpr store::Statement kFiles{"test.files", "SELECT COUNT(*) FROM files"};
  static constexpr store::Statement kJobs{"test.jobs", "SELECT COUNT(*) FROM transcriptions"};
  static constexpr store::Statement kEvents{"test.events", "SELECT COUNT(*) FROM events WHERE ephemeral = 1"};
  static constexpr store::Statement kAge{
      "test.age", "UPDATE transcriptions SET updated_at = 1 WHERE ephemeral_until IS NOT NULL AND id = $1"};
  const pipeline::Artifacts artifacts(folder_ / "cache", 0);
  const std::string kept = transcribed(sound(1), std::nullopt);
  const std::set<std::string> before = blobs();
  const std::string old = transcribed(sound(2), 1);
  const std::string fresh = transcribed(sound(3), 1);
  EXPECT_EQ(blobs().size(), 6U);
  read([&](store::Reader& reader) -> Result<void> {
    EXPECT_TRUE(TRY(find_transcription(reader, "ann", kept)));
    EXPECT_FALSE(TRY(find_transcription(reader, "ann", old)));
    EXPECT_EQ(TRY(queue_statistics(reader, "ann")).completed, 1);
    const Page page = Page::first(parse_sort("created_at").value(), 10);
    EXPECT_EQ(TRY(list_files(reader, "ann", {}, page)).size(), 1U);
    EXPECT_EQ(TRY(list_transcriptions(reader, "ann", {}, page)).size(), 1U);
    return {};
  });
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kAge, old));
    return {};
  });
  EXPECT_EQ(erase_ephemeral(*store_, *blobs_, artifacts).value(), 1) << "the other has just ended";
  EXPECT_EQ(count(kFiles), 2);
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kAge, fresh));
    return {};
  });
  EXPECT_EQ(erase_ephemeral(*store_, *blobs_, artifacts).value(), 1);
  EXPECT_EQ(count(kFiles), 1);
  EXPECT_EQ(count(kJobs), 1);
  EXPECT_EQ(count(kEvents), 0);
  EXPECT_EQ(blobs(), before);
}

}  // namespace
}  // namespace hansard::library
