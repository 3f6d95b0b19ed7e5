#include "jobs/admission.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "jobs/state.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::jobs {
namespace {

using namespace std::chrono_literals;
using store::Statement;

constexpr int64_t kHourMs = 3'600'000;

class Admission : public testing::Test {
 protected:
  Admission() {
    static constexpr Statement kUser{
        "test.user",
        "INSERT INTO users (id, username, role, created_at, updated_at) VALUES ($1, $1, 'user', 1, 1)"};
    static constexpr Statement kFile{
        "test.file",
        "INSERT INTO files (id, user_id, title, kind, status, blob, size_bytes, sha256, duration_seconds, "
        "created_at, "
        "updated_at) VALUES ($1, $1, 'hour', 'audio', 'ready', $1, 1, $2, 3600, 1, 1)"};
    write([](store::Transaction& transaction) -> Result<void> {
      for (const char* user : {"ann", "bob"}) {
        TRY(transaction.change(kUser, user));
        TRY(transaction.change(kFile, user, std::string(64, '0')));
      }
      return {};
    });
  }

  void write(const store::Store::Work& work) const {
    const auto written = store_->write(work);
    ASSERT_TRUE(written) << written.error().message << " " << written.error().detail;
  }
  // Queues an hour's recording of the user.
  std::string queue(const std::string& user) const {
    std::string id;
    write([&](store::Transaction& transaction) -> Result<void> {
      id = TRY(enqueue(transaction, {.user_id = user, .file_id = user, .title = "hour"})).id;
      return {};
    });
    return id;
  }
  void cancel_job(const std::string& id) const {
    write([&](store::Transaction& transaction) -> Result<void> {
      EXPECT_TRUE(TRY(cancel(transaction, id)));
      return {};
    });
  }
  std::optional<NoRoom> no_room(const QueueLimits& limits, std::string_view user) const {
    std::optional<NoRoom> found;
    EXPECT_TRUE(store_->read([&](store::Reader& reader) -> Result<void> {
      found = TRY(find_no_room(reader, limits, user, 3600, now_ms_));
      return {};
    }));
    return found;
  }

  const TemporaryFolder folder_;
  int64_t now_ms_ = 1'000 * kHourMs;
  std::unique_ptr<store::Store> store_ =
      std::move(store::open_sqlite(folder_ / "test.db", {.now_ms = [this] { return now_ms_; }}).value());
};

TEST_F(Admission, OneUserHasHisShareOfTheQueue) {
  const QueueLimits limits{.queued = 10, .queued_of_user = 2};
  const std::string first = queue("ann");
  EXPECT_FALSE(no_room(limits, "ann"));
  queue("ann");
  const auto full = no_room(limits, "ann");
  ASSERT_TRUE(full);
  EXPECT_NE(full->message.find("2 jobs of yours"), std::string::npos);
  EXPECT_EQ(full->retry_after, 60s);
  EXPECT_FALSE(no_room(limits, "bob"));
  cancel_job(first);
  EXPECT_FALSE(no_room(limits, "ann"));
}

TEST_F(Admission, TheQueueOfAllEnds) {
  const QueueLimits limits{.queued = 2, .queued_of_user = 2};
  queue("ann");
  EXPECT_FALSE(no_room(limits, "bob"));
  queue("ann");
  const auto full = no_room(limits, "bob");
  ASSERT_TRUE(full);
  EXPECT_NE(full->message.find("the queue is full"), std::string::npos);
}

TEST_F(Admission, ADayHasOnlySoManyHoursOfRecordings) {
  const QueueLimits limits{.hours_a_day = 3};
  queue("ann");
  now_ms_ += 2 * kHourMs;
  queue("ann");
  EXPECT_FALSE(no_room(limits, "ann"));
  now_ms_ += kHourMs;
  const std::string third = queue("ann");
  const auto full = no_room(limits, "ann");
  ASSERT_TRUE(full);
  EXPECT_NE(full->message.find("3 hours"), std::string::npos);
  // The first of the day came three hours ago.
  EXPECT_EQ(full->retry_after, 21h);
  EXPECT_FALSE(no_room(limits, "bob"));
  cancel_job(third);
  EXPECT_FALSE(no_room(limits, "ann"));
  queue("ann");
  now_ms_ += 21 * kHourMs + 1;
  EXPECT_FALSE(no_room(limits, "ann"));
}

}  // namespace
}  // namespace hansard::jobs
