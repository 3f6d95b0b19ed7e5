#include "store/sqlite/sqlite_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <future>
#include <latch>
#include <thread>

#include "store/conformance.h"
#include "store/migrations.h"
#include "store/search_conformance.h"
#include "store/sqlite/connection.h"

namespace hansard::store {
namespace {

namespace fs = std::filesystem;

const Driver kSqlite{"sqlite", [](const fs::path& folder, int64_t now_ms) {
                       return open_sqlite(folder / "hansard.db", {.now_ms = [now_ms] { return now_ms; }});
                     }};
std::string name_of(const testing::TestParamInfo<Driver>& driver) {
  return driver.param.name;
}
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, testing::Values(kSqlite), name_of);
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreSearch, testing::Values(kSqlite), name_of);

class Sqlite : public testing::Test {
 protected:
  Result<void> script(const std::string& sql) {
    auto connection = TRY(Connection::open(path_, Connection::Mode::read_write));
    return connection->script(sql);
  }

  const TemporaryFolder folder_;
  const fs::path path_ = folder_ / "hansard.db";
};

TEST_F(Sqlite, MigrationsAreNumberedWithoutGaps) {
  int number = 0;
  for (const Migration& step : migrations()) {
    EXPECT_EQ(step.number, ++number);
    EXPECT_EQ(std::stoi(std::string(step.name.substr(0, 4))), number);
  }
}

TEST_F(Sqlite, AnOlderDatabaseIsCopiedBeforeEachStep) {
  std::string first(migrations().front().sql);
  constexpr std::string_view kIdentity = "{identity}";
  for (size_t at = first.find(kIdentity); at != std::string::npos; at = first.find(kIdentity))
    first.replace(at, kIdentity.size(), "INTEGER PRIMARY KEY AUTOINCREMENT");
  ASSERT_TRUE(script(first + "; PRAGMA user_version = 1"));
  ASSERT_TRUE(open_sqlite(path_));
  EXPECT_FALSE(fs::exists(path_.string() + ".before-0001"));
  const fs::path copy = path_.string() + ".before-0002";
  ASSERT_TRUE(fs::exists(copy));
  auto old = Connection::open(copy, Connection::Mode::read_write);
  ASSERT_TRUE(old);
  EXPECT_EQ((*old)->number("PRAGMA user_version").value(), 1);
  EXPECT_EQ((*old)->number("PRAGMA integrity_check").has_value(), true);
}

TEST_F(Sqlite, AStepThatFailsLeavesTheDatabaseAsItWas) {
  ASSERT_TRUE(open_sqlite(path_));
  ASSERT_TRUE(script("PRAGMA user_version = 1"));  // the second step's tables are there already
  ASSERT_FALSE(open_sqlite(path_));
  auto connection = Connection::open(path_, Connection::Mode::read_write);
  EXPECT_EQ((*connection)->number("PRAGMA user_version").value(), 1);
}

TEST_F(Sqlite, ANewerDatabaseIsRefusedInWords) {
  ASSERT_TRUE(open_sqlite(path_));
  ASSERT_TRUE(script("PRAGMA user_version = 999"));
  const auto opened = open_sqlite(path_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::conflict);
  EXPECT_NE(opened.error().message.find("newer Hansard"), std::string::npos);
}

TEST_F(Sqlite, TimeNeverGoesBackAndCatchesUp) {
  constexpr int64_t kHour = 3'600'000;
  int64_t system_ms = 100 * kHour;
  const SqliteOptions options{.now_ms = [&] { return system_ms; }};
  static constexpr Statement kEvent{"test.event",
                                    "INSERT INTO events (user_id, name, subject_id, data, created_at) "
                                    "VALUES ('u', 'n', 's', '{}', $1)"};
  {
    auto store = std::move(open_sqlite(path_, options).value());
    int64_t before = store->now_ms();
    EXPECT_EQ(before, 100 * kHour);
    system_ms -= kHour;
    for (int minute = 0; minute <= 120; ++minute, system_ms += 60'000) {
      EXPECT_GE(store->now_ms(), before);
      if (minute > 1) {
        EXPECT_GT(store->now_ms(), before);
      }
      before = store->now_ms();
    }
    EXPECT_EQ(store->now_ms(), system_ms);  // two hours later it is where the system is
    ASSERT_TRUE(store->write([](Transaction& t) -> Result<void> {
      TRY(t.change(kEvent, t.now_ms()));
      return {};
    }));
  }
  const int64_t told = system_ms;
  system_ms -= 24 * kHour;
  EXPECT_EQ(std::move(open_sqlite(path_, options).value())->now_ms(), told);
}

TEST_F(Sqlite, ADamagedDatabaseIsRefusedInWordsWithoutItsPath) {
  std::ofstream(path_) << std::string(8192, 'x');
  const auto opened = open_sqlite(path_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("damaged"), std::string::npos);
  EXPECT_EQ(opened.error().message.find(folder_.path().string()), std::string::npos);
}

TEST_F(Sqlite, AFolderThatIsNotThereIsRefused) {
  const auto opened = open_sqlite(folder_ / "none" / "hansard.db");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::permission_denied);
}

TEST_F(Sqlite, TheFileIsTheUsersAlone) {
  ASSERT_TRUE(open_sqlite(path_));
  EXPECT_EQ(fs::status(path_).permissions() & fs::perms::all, fs::perms::owner_read | fs::perms::owner_write);
}

// A committed write is answered after its sync, so what a process told the world outlives its SIGKILL.
TEST_F(Sqlite, WhatWasAnsweredIsThereAfterAKill) {
  ASSERT_TRUE(open_sqlite(path_));
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = open_sqlite(path_);
    static constexpr Statement kInsert{"test.insert", "INSERT INTO settings VALUES ('', $1, 'x', 1)"};
    for (int i = 0;; ++i) {
      auto done = (*store)->write([i](Transaction& t) -> Result<void> {
        TRY(t.change(kInsert, std::to_string(i)));
        return {};
      });
      if (!done || ::write(ends[1], "+", 1) != 1) ::_exit(1);
    }
  }
  ::close(ends[1]);
  int64_t answered = 0;
  char byte = 0;
  while (answered < 50 && ::read(ends[0], &byte, 1) == 1) ++answered;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (::read(ends[0], &byte, 1) == 1) ++answered;
  ::close(ends[0]);
  auto connection = Connection::open(path_, Connection::Mode::read_write);
  EXPECT_GE((*connection)->number("SELECT count(*) FROM settings").value(), answered);
  EXPECT_GE(answered, 50);
}

// The log cannot grow: what a transaction holds beyond the cache is written before its commit, and fails
// there.
TEST_F(Sqlite, AFullDiskUndoesAllThatShareTheCommit) {
  auto store = std::move(open_sqlite(path_).value());
  static constexpr Statement kInsert{"test.insert", "INSERT INTO settings VALUES ('', $1, $2, 1)"};
  static constexpr Statement kCount{"test.count", "SELECT count(*) FROM settings"};
  std::latch started(1);
  std::latch queued(1);
  std::vector<std::future<Result<void>>> answers;
  const auto later = [&](Store::Work work) {
    auto answer = std::make_shared<std::promise<Result<void>>>();
    answers.push_back(answer->get_future());
    store->write_later(std::move(work), [answer](Result<void> done) { answer->set_value(std::move(done)); });
  };
  const auto insert = [](std::string name, int count) {
    return [name, count](Transaction& t) -> Result<void> {
      const std::string large(10'000, 'x');
      for (int i = 0; i < count; ++i) TRY(t.change(kInsert, name + std::to_string(i), large));
      return {};
    };
  };
  // Holds the writer until the others wait together.
  later([&](Transaction&) -> Result<void> {
    started.count_down();
    queued.wait();
    return {};
  });
  started.wait();
  later(insert("before", 1));
  later(insert("large", 2000));
  later(insert("after", 1));
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{1 << 20, limit.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  queued.count_down();
  EXPECT_TRUE(answers[0].get());
  for (size_t i = 1; i < answers.size(); ++i) {
    const Result<void> answer = answers[i].get();
    ASSERT_FALSE(answer) << i;
    EXPECT_EQ(answer.error().code, ErrorCode::insufficient_storage) << i;
  }
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::signal(SIGXFSZ, handler);
  EXPECT_TRUE(store->write(insert("again", 1)));
  EXPECT_TRUE(store->read([](Reader& reader) -> Result<void> {
    EXPECT_EQ(TRY(reader.row(kCount))->integer(0), 1);
    return {};
  }));
}

TEST_F(Sqlite, TheLogStaysSmallWhileReadersComeAndGo) {
  auto store = std::move(open_sqlite(path_).value());
  static constexpr Statement kUpsert{
      "test.upsert",
      "INSERT INTO settings VALUES ('', $1, $2, 1) ON CONFLICT (user_id, name) DO "
      "UPDATE SET value = excluded.value"};
  const std::string large(20'000, 'x');
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(store->write([&](Transaction& t) -> Result<void> {
      TRY(t.change(kUpsert, std::to_string(i % 10), large));
      return {};
    }));
  }
  EXPECT_LT(fs::file_size(path_.string() + "-wal"), 24U << 20);
}

}  // namespace
}  // namespace hansard::store
