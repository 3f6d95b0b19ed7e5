// The cases that every driver of the store must pass.

#include <gtest/gtest.h>

#include <future>
#include <set>
#include <thread>

#include "store/conformance.h"

namespace hansard::store {
namespace {

namespace fs = std::filesystem;

constexpr Statement kUpsert{"test.upsert",
                            "INSERT INTO settings (user_id, name, value, updated_at) VALUES ($1, $2, $3, $4) "
                            "ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value"};
constexpr Statement kUpdate{"test.update",
                            "UPDATE settings SET value = $2 WHERE name = $1 RETURNING name, value"};
constexpr Statement kEvent{
    "test.event",
    "INSERT INTO events (user_id, name, subject_id, data, created_at) VALUES ($1, $2, $3, $4, "
    "$5) RETURNING id"};
constexpr Statement kFile{
    "test.file",
    "INSERT INTO files (id, user_id, title, kind, status, duration_seconds, created_at, "
    "updated_at) VALUES ($1, $2, 'a', 'audio', 'uploaded', $3, 1, 1)"};
constexpr Statement kUser{
    "test.user", "INSERT INTO users (id, username, role, created_at, updated_at) VALUES ($1, $1, $2, 1, 1)"};

}  // namespace

TEST_P(StoreConformance, WhatIsWrittenIsThereAfterwardsAndAfterAReopen) {
  ASSERT_TRUE(put("a", "1"));
  EXPECT_EQ(get("a"), "1");
  open();
  EXPECT_EQ(get("a"), "1");
}

// Titles are searched for in any script.
TEST_P(StoreConformance, LowerKnowsEveryAlphabet) {
  static constexpr Statement kLower{"test.lower", "SELECT lower($1)"};
  ASSERT_TRUE(store_->read([](Reader& reader) -> Result<void> {
    EXPECT_EQ(TRY(reader.row(kLower, "ÉCOUTE ÄÖÜ ΑΘΗΝΑ МОСКВА 会議 9%"))->text(0),
              "écoute äöü αθηνα москва 会議 9%");
    EXPECT_EQ(TRY(reader.row(kLower, ""))->text(0), "");
    EXPECT_TRUE(TRY(reader.row(kLower, std::optional<std::string>()))->is_null(0));
    return {};
  }));
}

TEST_P(StoreConformance, EveryKindOfValueComesBackAsItWas) {
  const std::string text("caf\xc3\xa9 '\"\\ \n \xf0\x9f\x8e\x99");
  ASSERT_TRUE(put("text", text));
  EXPECT_EQ(get("text"), text);
  ASSERT_TRUE(put("empty", ""));
  EXPECT_EQ(get("empty"), "");
  ASSERT_TRUE(store_->write([&](Transaction& t) -> Result<void> {
    TRY(t.change(kUser, "user_1", "admin"));
    TRY(t.change(kFile, "file_1", "user_1", 0.1));
    TRY(t.change(kFile, "file_2", "user_1", std::optional<double>()));
    static constexpr Statement kRead{"test.read",
                                     "SELECT duration_seconds, created_at, title FROM files ORDER BY id"};
    const std::vector<Row> rows = TRY(t.rows(kRead));
    EXPECT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].number(0), 0.1);
    EXPECT_EQ(rows[0].integer(1), 1);
    EXPECT_EQ(rows[0].text_if(2), "a");
    EXPECT_TRUE(rows[1].is_null(0));
    EXPECT_EQ(rows[1].number_if(0), std::nullopt);
    return {};
  }));
}

TEST_P(StoreConformance, AnErrorUndoesItsOwnWorkAlone) {
  std::vector<std::future<Result<void>>> answers;
  for (int i = 0; i < 40; ++i) {
    auto answer = std::make_shared<std::promise<Result<void>>>();
    answers.push_back(answer->get_future());
    store_->write_later(
        [i](Transaction& t) -> Result<void> {
          TRY(t.change(kInsert, "", std::to_string(i), "x", 1));
          if (i % 2 == 1) return fail(ErrorCode::invalid_request, "odd");
          return {};
        },
        [answer](Result<void> result) { answer->set_value(std::move(result)); });
  }
  for (int i = 0; i < 40; ++i) EXPECT_EQ(answers[static_cast<size_t>(i)].get().has_value(), i % 2 == 0);
  EXPECT_EQ(count(), 20);
}

TEST_P(StoreConformance, AnExceptionIsAnError) {
  const auto result = store_->write([](Transaction& t) -> Result<void> {
    TRY(t.change(kInsert, "", "a", "x", 1));
    throw std::runtime_error("secret");
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::internal);
  EXPECT_EQ(result.error().message.find("secret"), std::string::npos);
  EXPECT_EQ(count(), 0);
}

TEST_P(StoreConformance, ATransactionSeesWhatItWroteAndReadersDoNotUntilItIsDurable) {
  ASSERT_TRUE(store_->write([&](Transaction& t) -> Result<void> {
    TRY(t.change(kInsert, "", "a", "1", 1));
    EXPECT_EQ(TRY(t.row(kValue, "", "a"))->text(0), "1");
    EXPECT_EQ(get("a"), std::nullopt);
    return {};
  }));
  EXPECT_EQ(get("a"), "1");
}

TEST_P(StoreConformance, AReadSeesOneState) {
  ASSERT_TRUE(put("a", "1"));
  ASSERT_TRUE(store_->read([&](Reader& reader) -> Result<void> {
    EXPECT_EQ(TRY(reader.row(kCount))->integer(0), 1);
    EXPECT_TRUE(put("b", "2"));
    EXPECT_EQ(TRY(reader.row(kCount))->integer(0), 1);
    return {};
  }));
  EXPECT_EQ(count(), 2);
}

TEST_P(StoreConformance, ConstraintsHaveTheirErrors) {
  ASSERT_TRUE(put("a", "1"));
  const auto twice = put("a", "2");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::conflict);
  const auto orphan = store_->write([](Transaction& t) -> Result<void> {
    TRY(t.change(kFile, "file_1", "nobody", 1.0));
    return {};
  });
  ASSERT_FALSE(orphan);
  EXPECT_EQ(orphan.error().code, ErrorCode::not_found);
  const auto out_of_range = store_->write([](Transaction& t) -> Result<void> {
    TRY(t.change(kUser, "user_1", "king"));
    return {};
  });
  ASSERT_FALSE(out_of_range);
  EXPECT_EQ(out_of_range.error().code, ErrorCode::internal);
  EXPECT_EQ(get("a"), "1");
}

TEST_P(StoreConformance, UpdatesSayWhatTheyChanged) {
  ASSERT_TRUE(put("a", "1"));
  ASSERT_TRUE(store_->write([&](Transaction& t) -> Result<void> {
    EXPECT_EQ(TRY(t.change(kUpsert, "", "a", "2", 1)), 1);
    EXPECT_EQ(TRY(t.change(kUpdate, "nothing", "3")), 0);
    const auto row = TRY(t.row(kUpdate, "a", "3"));
    EXPECT_EQ(row->text(1), "3");
    return {};
  }));
  EXPECT_EQ(get("a"), "3");
}

TEST_P(StoreConformance, EventNumbersGrowInTheOrderOfCommitsAndAreNeverGivenTwice) {
  std::vector<int64_t> ids;
  const auto add = [&] {
    ASSERT_TRUE(store_->write([&](Transaction& t) -> Result<void> {
      ids.push_back(TRY(t.row(kEvent, "user_1", "x", "tr_1", "{}", 1))->integer(0));
      return {};
    }));
  };
  for (int i = 0; i < 3; ++i) add();
  ASSERT_TRUE(store_->write([&](Transaction& t) -> Result<void> {
    static constexpr Statement kForget{"test.forget", "DELETE FROM events"};
    EXPECT_EQ(TRY(t.change(kForget)), 3);
    return {};
  }));
  open();
  add();
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(std::set<int64_t>(ids.begin(), ids.end()).size(), 4U);
}

TEST_P(StoreConformance, ListenersAreToldOfWhatIsDurableInOrder) {
  std::vector<std::string> told;
  store_->listen([&](const Notice& notice) {
    EXPECT_EQ(get(notice.payload), "x");
    told.push_back(notice.channel + ":" + notice.payload);
  });
  for (int i = 0; i < 4; ++i) {
    (void)store_->write([&](Transaction& t) -> Result<void> {
      t.notify({"test", std::to_string(i)});
      TRY(t.change(kInsert, "", std::to_string(i), "x", 1));
      if (i == 1) return fail(ErrorCode::invalid_request, "no");
      return {};
    });
  }
  EXPECT_EQ(told, (std::vector<std::string>{"test:0", "test:2", "test:3"}));
}

TEST_P(StoreConformance, ManyWritersLoseNothing) {
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 8; ++writer) {
    threads.emplace_back([&, writer] {
      for (int i = 0; i < 50; ++i) EXPECT_TRUE(put(std::to_string(writer) + "/" + std::to_string(i), "x"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count(), 400);
}

TEST_P(StoreConformance, WorkThatWaitsWhenTheStoreClosesIsDone) {
  for (int i = 0; i < 100; ++i) {
    store_->write_later(
        [i](Transaction& t) -> Result<void> {
          TRY(t.change(kInsert, "", std::to_string(i), "x", 1));
          return {};
        },
        [](const Result<void>& result) { EXPECT_TRUE(result); });
  }
  open();
  EXPECT_EQ(count(), 100);
}

TEST_P(StoreConformance, TheClockIsTheStores) {
  EXPECT_EQ(store_->now_ms(), 1'795'000'000'000);
  ASSERT_TRUE(store_->write([](Transaction& t) -> Result<void> {
    EXPECT_EQ(t.now_ms(), 1'795'000'000'000);
    return {};
  }));
}

TEST_P(StoreConformance, ABackupHoldsWhatWasThereAndNeverOverwrites) {
  ASSERT_TRUE(put("a", "1"));
  const fs::path copy = folder_ / "copy.db";
  ASSERT_TRUE(store_->backup(copy, [&](Reader& reader) -> Result<void> {
    // What is written meanwhile is not in it.
    TRY(put("b", "2"));
    EXPECT_EQ(TRY(reader.row(kCount))->integer(0), 1);
    return {};
  }));
  EXPECT_EQ(count(), 2);
  const auto again = store_->backup(copy);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  EXPECT_GT(fs::file_size(copy), 0U);
}

TEST_P(StoreConformance, StatesThatContradictThemselvesAreRefused) {
  const auto insert = [&](std::string_view status, std::optional<std::string> claimed_by,
                          std::optional<int64_t> completed_at) {
    static constexpr Statement kJob{"test.job",
                                    "INSERT INTO transcriptions (id, user_id, file_id, client, title, "
                                    "status, options, priority, progress, "
                                    "progress_stage, queued_at, attempt, failures, crashes, recoveries, "
                                    "warnings, claimed_by, claim_expires_at, "
                                    "started_at, completed_at, created_at, updated_at) VALUES ('tr_1', "
                                    "'user_1', 'file_1', 'api', 't', $1, '{}', "
                                    "5, 1, 's', 1, 1, 0, 0, 0, '[]', $2, $3, 1, $4, 1, 1)"};
    return store_->write([&](Transaction& t) -> Result<void> {
      TRY(t.change(kUser, "user_1", "admin"));
      TRY(t.change(kFile, "file_1", "user_1", 1.0));
      TRY(t.change(kJob, status, claimed_by, claimed_by ? std::optional<int64_t>(5) : std::nullopt,
                   completed_at));
      return fail(ErrorCode::canceled, "undone");
    });
  };
  EXPECT_EQ(insert("queued", {}, {}).error().code, ErrorCode::canceled);
  EXPECT_EQ(insert("processing", "slot", {}).error().code, ErrorCode::canceled);
  EXPECT_EQ(insert("completed", {}, 1).error().code, ErrorCode::canceled);
  EXPECT_EQ(insert("queued", "slot", {}).error().code, ErrorCode::internal);
  EXPECT_EQ(insert("processing", {}, {}).error().code, ErrorCode::internal);
  EXPECT_EQ(insert("completed", {}, {}).error().code, ErrorCode::internal);
  EXPECT_EQ(insert("completed", "slot", 1).error().code, ErrorCode::internal);
  EXPECT_EQ(insert("failed", {}, {}).error().code, ErrorCode::internal);
  EXPECT_EQ(insert("sleeping", {}, {}).error().code, ErrorCode::internal);
}

}  // namespace hansard::store
