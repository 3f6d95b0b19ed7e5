#include "jobs/hub.h"

#include <gtest/gtest.h>

#include <semaphore>

#include "base/json.h"
#include "base/limits.h"
#include "base/temporary_folder.h"
#include "jobs/state.h"
#include "store/relay.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::jobs {
namespace {

class HubTest : public testing::Test {
 protected:
  HubTest() {
    store_->listen([this](const store::Notice& notice) { relay_.notice(notice); });
    hub_ = std::make_unique<Hub>(*store_);
    relay_.tell([this](const store::Notice& notice) { hub_->notice(notice); });
    hub_->on_event([this](const Event& event) { seen_.push_back(event.name); });
    job_.id = "tr_1";
    job_.user_id = "ann";
    job_.attempt = 1;
  }
  ~HubTest() override {
    relay_.tell({});
    hub_.reset();
  }

  int64_t add(std::string_view user, std::string_view name, std::string_view subject) {
    static constexpr store::Statement kLast{"test.last", "SELECT MAX(id) FROM events"};
    int64_t id = 0;
    EXPECT_TRUE(store_->write([&](store::Transaction& transaction) -> Result<void> {
      TRY(add_event(transaction, user, name, subject, "{}"));
      id = TRY(transaction.row(kLast))->integer(0);
      return {};
    }));
    return id;
  }
  // The next so many events of a follower, as they come.
  static std::vector<std::string> take(Follower& follower, size_t count) {
    std::vector<std::string> names;
    // Shared: the hub may be about to wake whoever no longer waits.
    const auto ready = std::make_shared<std::counting_semaphore<>>(0);
    follower.on_ready([ready] { ready->release(); });
    while (names.size() < count && !follower.ended()) {
      if (const EventPointer event = follower.next()) {
        names.push_back(event->name + (event->id ? "*" : ""));
      } else {
        ready->acquire();
      }
    }
    follower.on_ready([] {});
    return names;
  }
  static std::vector<transcript::Word> words(double from, std::initializer_list<const char*> texts) {
    std::vector<transcript::Word> result;
    for (const char* text : texts) {
      result.push_back({from, from + 0.3, text, true, "", 1});
      from += 0.4;
    }
    return result;
  }

  const TemporaryFolder folder_;
  store::Relay relay_;
  std::unique_ptr<store::Store> store_ = std::move(store::open_sqlite(folder_ / "hansard.db").value());
  std::vector<std::string> seen_;  // all rows; to be read once the hub is gone
  std::unique_ptr<Hub> hub_;
  Job job_;
};

using Names = std::vector<std::string>;

TEST_F(HubTest, TellsRowsAndProgressInTheirOrder) {
  const auto follower = hub_->follow("ann", "").follower;
  add("ann", "transcription.queued", "tr_1");
  hub_->begin(job_);
  hub_->progress(job_, "transcribing", 0.5, 3.0);
  EXPECT_EQ(take(*follower, 2), (Names{"transcription.queued*", "transcription.progress"}));
  add("ann", "transcription.completed", "tr_1");
  hub_->finish(job_);
  EXPECT_EQ(take(*follower, 1), (Names{"transcription.completed*"}));
}

// However late the hub comes to it, a row is told where it was written among the rest.
TEST_F(HubTest, ALateReadingKeepsTheOrder) {
  const auto follower = hub_->follow("ann", "").follower;
  std::binary_semaphore may_go_on(0);
  std::binary_semaphore waits(0);
  bool first = true;
  follower->on_ready([&] {
    if (!std::exchange(first, false)) return;
    waits.release();
    may_go_on.acquire();
  });
  add("ann", "file.ready", "file_1");
  waits.acquire();
  add("ann", "transcription.queued", "tr_1");
  hub_->begin(job_);
  hub_->progress(job_, "transcribing", 0.5, 3.0);
  add("ann", "transcription.completed", "tr_1");
  hub_->finish(job_);
  may_go_on.release();
  EXPECT_EQ(take(*follower, 4), (Names{"file.ready*", "transcription.queued*", "transcription.progress",
                                       "transcription.completed*"}));
}

TEST_F(HubTest, TellsWhatIsNotKeptToWhoFollows) {
  const auto all = hub_->follow("ann", "").follower;
  const auto bob = hub_->follow("bob", "").follower;
  hub_->announce({{}, "ann", "model.progress", "whisper-small", "{}"});
  add("ann", "model.ready", "whisper-small");
  add("bob", "file.ready", "file_1");
  EXPECT_EQ(take(*all, 2), (Names{"model.progress", "model.ready*"}));
  EXPECT_EQ(take(*bob, 1), (Names{"file.ready*"}));
}

TEST_F(HubTest, TellsNobodyOfAnother) {
  const auto all = hub_->follow("ann", "").follower;
  const auto one = hub_->follow("ann", "tr_2").follower;
  add("bob", "transcription.queued", "tr_9");
  add("ann", "file.ready", "file_1");
  add("ann", "transcription.queued", "tr_2");
  EXPECT_EQ(take(*all, 2), (Names{"file.ready*", "transcription.queued*"}));
  EXPECT_EQ(take(*one, 1), (Names{"transcription.queued*"}));
  EXPECT_EQ(one->next(), nullptr);
  hub_.reset();
  EXPECT_EQ(seen_, (Names{"transcription.queued", "file.ready", "transcription.queued"}));
}

TEST_F(HubTest, WhatIsEphemeralIsToldToWhoFollowsItAlone) {
  job_.ephemeral_until_ms = 1;
  const auto everything = hub_->follow("ann", "").follower;
  const auto one = hub_->follow("ann", "tr_1").follower;
  EXPECT_TRUE(store_->write([&](store::Transaction& transaction) {
    return add_event(transaction, "ann", "transcription.queued", "tr_1", "{}", true);
  }));
  hub_->begin(job_);
  hub_->progress(job_, "transcribing", 0.2, {});
  EXPECT_EQ(take(*one, 2), (Names{"transcription.queued*", "transcription.progress"}));
  EXPECT_TRUE(hub_->follow("ann", "").live.empty());
  EXPECT_EQ(hub_->follow("ann", "tr_1").live.size(), 1U);
  const int64_t last = add("ann", "file.ready", "file_1");
  EXPECT_EQ(take(*everything, 1), Names{"file.ready*"});
  EXPECT_EQ(hub_->replay("ann", "", 0, last).value()->size(), 1U);
  EXPECT_EQ(hub_->replay("ann", "tr_1", 0, last).value()->size(), 1U);
}

TEST_F(HubTest, ASegmentIsToldOnceItIsFinal) {
  const auto follower = hub_->follow("ann", "tr_1").follower;
  hub_->begin(job_);
  hub_->words(job_, words(0, {"Do", "you", "hear", "me?"}));
  hub_->words(job_, words(4, {"Yes."}));
  hub_->words(job_, words(9, {"And", "now?"}));
  hub_->finish(job_);
  EXPECT_EQ(take(*follower, 3), Names(3, "transcription.segment"));
  EXPECT_FALSE(hub_->live("tr_1"));
}

TEST_F(HubTest, TheLastSegmentComesBeforeTheEnd) {
  const auto follower = hub_->follow("ann", "tr_1").follower;
  hub_->begin(job_);
  hub_->words(job_, words(0, {"Do", "you", "hear", "me?"}));
  hub_->progress(job_, "transcribing", 0.7, std::nullopt);
  hub_->progress(job_, "merging", 0.85, std::nullopt);
  add("ann", "transcription.completed", "tr_1");
  hub_->finish(job_);
  EXPECT_EQ(take(*follower, 4), Names({"transcription.progress", "transcription.segment",
                                       "transcription.progress", "transcription.completed*"}));
}

TEST_F(HubTest, WhoComesLaterGetsWhatIsKnownSoFar) {
  const auto early = hub_->follow("ann", "tr_1").follower;
  hub_->begin(job_);
  hub_->words(job_, words(0, {"Do", "you", "hear", "me?"}));
  hub_->words(job_, words(4, {"Yes."}));
  hub_->progress(job_, "transcribing", 0.4, std::nullopt);
  take(*early, 2);
  const Hub::Start late = hub_->follow("ann", "tr_1");
  ASSERT_EQ(late.live.size(), 1U);
  ASSERT_EQ(late.live[0].segments.size(), 1U);
  EXPECT_EQ(late.live[0].segments[0].text, "Do you hear me?");
  EXPECT_EQ(late.live[0].progress, 0.4);
  EXPECT_TRUE(hub_->follow("bob", "").live.empty());
}

TEST_F(HubTest, ProgressNeverGoesBack) {
  const auto follower = hub_->follow("ann", "tr_1").follower;
  hub_->begin(job_);
  hub_->progress(job_, "transcribing", 0.5, std::nullopt);
  hub_->progress(job_, "transcribing", 0.4, std::nullopt);
  take(*follower, 2);
  EXPECT_EQ(hub_->live("tr_1")->progress, 0.5);
}

TEST_F(HubTest, ReplaysWhatWasMissedButNotWhatIsNoLongerKept) {
  const int64_t first = add("ann", "transcription.created", "tr_1");
  add("bob", "transcription.created", "tr_2");
  const int64_t last = add("ann", "transcription.queued", "tr_1");
  const auto missed = hub_->replay("ann", "", first, last).value();
  ASSERT_TRUE(missed);
  ASSERT_EQ(missed->size(), 1U);
  EXPECT_EQ((*missed)[0].name, "transcription.queued");
  EXPECT_EQ(hub_->replay("ann", "tr_1", 0, last).value()->size(), 2U);
  EXPECT_FALSE(hub_->replay("ann", "", last + 5, last).value());  // of another database
  static constexpr store::Statement kForget{"test.forget", "DELETE FROM events WHERE id <= $1"};
  ASSERT_TRUE(store_->write([&](store::Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kForget, first));
    return {};
  }));
  EXPECT_FALSE(hub_->replay("ann", "", first - 1, last).value());
}

TEST_F(HubTest, WhoFallsTooFarBehindIsDropped) {
  const auto slow = hub_->follow("ann", "").follower;
  const auto quick = hub_->follow("ann", "").follower;
  hub_->begin(job_);
  for (size_t i = 0; i <= limits::kWaitingEvents; ++i) {
    hub_->progress(job_, "transcribing", 0.5, std::nullopt);
    take(*quick, 1);
  }
  EXPECT_TRUE(slow->ended());
  EXPECT_FALSE(quick->ended());
}

TEST_F(HubTest, ItsEndEndsTheFollowers) {
  const auto follower = hub_->follow("ann", "").follower;
  hub_.reset();
  EXPECT_TRUE(follower->ended());
}

}  // namespace
}  // namespace hansard::jobs
