#include "jobs/state.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "base/limits.h"
#include "base/temporary_folder.h"
#include "jobs/fair_policy.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::jobs {
namespace {

using store::Statement;
using store::Transaction;

// Asks SQLite how it finds the rows of each statement that passes.
class Planned : public Transaction {
 public:
  explicit Planned(Transaction& transaction) : transaction_(transaction) {}
  Result<std::vector<store::Row>> query(const Statement& statement,
                                        std::span<const store::Parameter> parameters) override {
    TRY(explain(statement, parameters));
    return transaction_.query(statement, parameters);
  }
  Result<int64_t> execute(const Statement& statement, std::span<const store::Parameter> parameters) override {
    TRY(explain(statement, parameters));
    return transaction_.execute(statement, parameters);
  }
  Result<store::SearchPage> search(const store::SearchQuery& query) override {
    return transaction_.search(query);
  }
  int64_t now_ms() const override { return transaction_.now_ms(); }
  void notify(store::Notice notice) override { transaction_.notify(std::move(notice)); }

  // By name of the statement: "SEARCH transcriptions USING …; …".
  static inline std::map<std::string, std::string, std::less<>> plans;

 private:
  Result<void> explain(const Statement& statement, std::span<const store::Parameter> parameters) {
    // Prepared statements are kept by the address of their text.
    static std::map<std::string_view, std::string> texts;
    std::string& text = texts[statement.sql];
    if (text.empty()) text = "EXPLAIN QUERY PLAN " + std::string(statement.sql);
    std::string plan;
    for (const store::Row& row : TRY(transaction_.query({statement.name, text}, parameters)))
      plan += row.text(3) + "; ";
    plans[std::string(statement.name)] = plan;
    return {};
  }

  Transaction& transaction_;
};

class States : public testing::Test {
 protected:
  States() {
    auto opened = store::open_sqlite(folder_ / "hansard.db", {.now_ms = [this] { return now_ms_; }});
    store_ = std::move(opened.value());
    store_->listen(
        [this](const store::Notice& notice) { notices_.push_back(notice.channel + ":" + notice.payload); });
    static constexpr Statement kUser{"test.user",
                                     "INSERT INTO users (id, username, role, created_at, updated_at) "
                                     "VALUES ('user_1', 'local', 'admin', 1, 1)"};
    static constexpr Statement kFile{
        "test.file",
        "INSERT INTO files (id, user_id, title, kind, status, created_at, updated_at) "
        "VALUES ('file_1', 'user_1', 'a', 'audio', 'uploaded', 1, 1)"};
    in([](Transaction& t) -> Result<void> {
      TRY(t.change(kUser));
      TRY(t.change(kFile));
      return {};
    });
  }

  void in(const store::Store::Work& work) {
    const auto result = store_->write(work);
    ASSERT_TRUE(result) << result.error().message << ": " << result.error().detail;
  }
  template <typename T, typename Function>
  T get(const Function& function) {
    std::optional<T> value;
    in([&](Transaction& t) -> Result<void> {
      value = TRY(function(t));
      return {};
    });
    return *value;
  }

  Job queue(int64_t priority = 5) {
    return get<Job>([&](Transaction& t) {
      return enqueue(t, {.user_id = "user_1", .file_id = "file_1", .title = "t", .priority = priority});
    });
  }
  std::optional<Job> claim_one(std::string_view by = "slot") {
    return get<std::optional<Job>>([&](Transaction& t) { return claim(t, policy_, by, 1000); });
  }
  Job job(const std::string& id) {
    return *get<std::optional<Job>>([&](Transaction& t) { return find(t, id); });
  }
  static Fence fence(const Job& job) { return {job.id, job.claimed_by.value_or("?"), job.attempt}; }
  std::vector<std::string> texts(const Statement& statement, const std::string& id) {
    return get<std::vector<std::string>>([&](Transaction& t) -> Result<std::vector<std::string>> {
      std::vector<std::string> found;
      for (const store::Row& row : TRY(t.rows(statement, id))) found.push_back(row.text(0));
      return found;
    });
  }
  std::vector<std::string> executions(const std::string& id) {
    static constexpr Statement kRead{
        "test.executions",
        "SELECT status FROM transcription_executions WHERE transcription_id = $1 ORDER BY attempt"};
    return texts(kRead, id);
  }
  std::vector<std::string> events(const std::string& id) {
    static constexpr Statement kRead{"test.events",
                                     "SELECT name FROM events WHERE subject_id = $1 ORDER BY id"};
    return texts(kRead, id);
  }

  const TemporaryFolder folder_;
  int64_t now_ms_ = 1'000'000;
  FifoPolicy policy_;
  std::unique_ptr<store::Store> store_;
  std::vector<std::string> notices_;
};

using Names = std::vector<std::string>;

TEST_F(States, AJobGoesFromTheQueueToItsEnd) {
  const Job queued = queue();
  EXPECT_EQ(queued.status, Status::queued);
  const Job held = *claim_one();
  EXPECT_EQ(held.id, queued.id);
  EXPECT_EQ(held.attempt, 1);
  EXPECT_FALSE(claim_one());
  now_ms_ += 5000;
  EXPECT_TRUE(
      get<bool>([&](Transaction& t) { return report_progress(t, fence(held), "transcribing", 0.5); }));
  EXPECT_TRUE(
      get<bool>([&](Transaction& t) { return report_progress(t, fence(held), "transcribing", 0.4); }));
  EXPECT_EQ(job(held.id).progress, 0.5);  // never back
  EXPECT_EQ(job(held.id).updated_at_ms, 1'000'000);
  EXPECT_TRUE(get<bool>([&](Transaction& t) {
    return complete(t, fence(held), {.document = "{}", .output_key = "transcripts/a", .duration_s = 3});
  }));
  const Job done = job(held.id);
  EXPECT_EQ(done.status, Status::completed);
  EXPECT_EQ(done.completed_at_ms, 1'005'000);
  EXPECT_EQ(executions(held.id), Names{"completed"});
  EXPECT_EQ(events(held.id), (Names{"transcription.created", "transcription.queued", "transcription.updated",
                                    "transcription.completed"}));
}

TEST_F(States, TheOrderIsPriorityThenTimeOfQueueing) {
  const Job a = queue();
  now_ms_ += 1;
  const Job b = queue();
  const Job urgent = queue(0);
  const Job later = queue(9);
  for (const Job* expected : {&urgent, &a, &b, &later}) EXPECT_EQ(claim_one()->id, expected->id);
}

TEST_F(States, AClockThatIsSetBackChangesNoOrderAndStopsNothing) {
  const Job a = queue();
  now_ms_ -= 3'600'000;
  const Job b = queue();
  EXPECT_LT(a.id, b.id);
  EXPECT_LE(a.created_at_ms, b.created_at_ms);
  const Job held = claim_one().value();
  EXPECT_EQ(held.id, a.id);
  // A lease that was given before the clock went back can still be renewed, and runs out in its time.
  now_ms_ -= 3'600'000;
  EXPECT_TRUE(get<bool>([&](Transaction& t) { return renew(t, fence(held), 1000); }));
  now_ms_ += 900;
  EXPECT_EQ(get<int64_t>([](Transaction& t) { return expire_leases(t); }), 0);
  now_ms_ += 1200;
  EXPECT_EQ(get<int64_t>([](Transaction& t) { return expire_leases(t); }), 1);
  EXPECT_EQ(claim_one()->id, a.id);
  EXPECT_EQ(claim_one()->id, b.id);
}

TEST_F(States, AClockThatIsSetForwardEndsNoLeaseThatIsRenewed) {
  const Job held = (queue(), claim_one().value());
  now_ms_ += 30LL * 24 * 3'600'000;
  in([&](Transaction& t) -> Result<void> {
    EXPECT_TRUE(TRY(renew(t, fence(held), 1000)));
    EXPECT_EQ(TRY(expire_leases(t)), 0);
    return {};
  });
  EXPECT_TRUE(
      get<bool>([&](Transaction& t) { return report_progress(t, fence(held), "transcribing", 0.5); }));
}

TEST_F(States, ARecoveredJobKeepsItsPlace) {
  const Job a = queue();
  now_ms_ += 1;
  const Job b = queue();
  EXPECT_EQ(claim_one()->id, a.id);
  now_ms_ += 1000;
  EXPECT_EQ(get<int64_t>([](Transaction& t) { return recover(t); }), 1);
  EXPECT_EQ(job(a.id).stage, "recovered");
  EXPECT_EQ(executions(a.id), Names{"interrupted"});
  EXPECT_EQ(claim_one()->id, a.id);
  EXPECT_EQ(claim_one()->id, b.id);
}

// Every operation of a holder, in every state and with every kind of stale fence: exactly those that are
// drawn change anything.
TEST_F(States, EveryOperationInEveryStateDoesWhatTheDiagramSays) {
  const std::map<std::string, std::function<Result<bool>(Transaction&, const Fence&)>> operations{
      {"renew", [](Transaction& t, const Fence& f) { return renew(t, f, 1000); }},
      {"progress", [](Transaction& t, const Fence& f) { return report_progress(t, f, "x", 0.5); }},
      {"complete", [](Transaction& t, const Fence& f) { return complete(t, f, {.document = "{}"}); }},
      {"fail", [](Transaction& t,
                  const Fence& f) { return fail_attempt(t, f, {ErrorCode::media_unreadable, "m", ""}); }},
      {"crash", [](Transaction& t,
                   const Fence& f) { return fail_attempt(t, f, {ErrorCode::engine_crashed, "m", ""}); }},
      {"release", [](Transaction& t, const Fence& f) { return release(t, f, "test"); }},
      {"cancel", [](Transaction& t, const Fence& f) { return cancel(t, f.id); }}};
  const std::map<std::string, Status> ends{{"renew", Status::processing},   {"progress", Status::processing},
                                           {"complete", Status::completed}, {"fail", Status::failed},
                                           {"crash", Status::queued},       {"release", Status::queued},
                                           {"cancel", Status::canceled}};
  const auto make = [&](Status status) -> Fence {
    queue();
    if (status == Status::queued) {
      const Job held = *claim_one();  // and back, so that there is a stale fence
      get<bool>([&](Transaction& t) { return release(t, fence(held), "test"); });
      return fence(held);
    }
    const Fence held = fence(*claim_one());
    if (status == Status::completed)
      get<bool>([&](Transaction& t) { return complete(t, held, {.document = "{}"}); });
    if (status == Status::failed)
      get<bool>(
          [&](Transaction& t) { return fail_attempt(t, held, {ErrorCode::media_unreadable, "m", ""}); });
    if (status == Status::canceled) get<bool>([&](Transaction& t) { return cancel(t, held.id); });
    return held;
  };
  for (const auto& [name, operation] : operations) {
    for (const Status status :
         {Status::queued, Status::processing, Status::completed, Status::failed, Status::canceled}) {
      const Fence held = make(status);
      EXPECT_EQ(job(held.id).status, status);
      std::vector<std::pair<Fence, bool>> tries;
      const bool by_anyone = name == "cancel";
      const bool open = status == Status::queued || status == Status::processing;
      if (!by_anyone) {
        tries.push_back({{held.id, "another", held.attempt}, false});
        tries.push_back({{held.id, held.claimed_by, held.attempt + 1}, false});
        tries.push_back({{"tr_none", held.claimed_by, held.attempt}, false});
      }
      tries.push_back({held, by_anyone ? open : status == Status::processing});
      for (const auto& [with, expected] : tries) {
        const Job before = job(held.id);
        EXPECT_EQ(get<bool>([&](Transaction& t) { return operation(t, with); }), expected)
            << name << " of " << status_name(status);
        const Job after = job(held.id);
        EXPECT_EQ(after.status, expected ? ends.at(name) : before.status)
            << name << " of " << status_name(status);
        EXPECT_GE(after.attempt, before.attempt);
        if (!expected) EXPECT_EQ(after.attempt, before.attempt);
      }
      get<bool>([&](Transaction& t) { return cancel(t, held.id); });
    }
  }
}

TEST_F(States, ThreeCrashesAreEnough) {
  const std::string id = queue().id;
  for (int i = 1; i <= limits::kTranscribeCrashes; ++i) {
    const auto held = claim_one();
    ASSERT_TRUE(held) << i;
    get<bool>([&](Transaction& t) {
      return fail_attempt(t, fence(*held), {ErrorCode::engine_crashed, "died", "secret"});
    });
  }
  const Job done = job(id);
  EXPECT_EQ(done.status, Status::failed);
  EXPECT_EQ(done.error_code, "ENGINE_CRASHED");
  EXPECT_EQ(executions(id), (Names{"interrupted", "interrupted", "failed"}));
}

TEST_F(States, WhatMayPassIsTriedAgainAfterAWhile) {
  const std::string id = queue().id;
  int64_t waited = 0;
  for (int i = 1; i < limits::kJobFailures; ++i) {
    const auto held = claim_one();
    ASSERT_TRUE(held);
    get<bool>([&](Transaction& t) { return fail_attempt(t, fence(*held), {ErrorCode::network, "m", ""}); });
    EXPECT_FALSE(claim_one());
    const int64_t wait = *job(id).available_at_ms - now_ms_;
    EXPECT_GT(wait, waited);
    waited = wait;
    now_ms_ += wait;
  }
  const auto held = claim_one();
  get<bool>([&](Transaction& t) { return fail_attempt(t, fence(*held), {ErrorCode::network, "m", ""}); });
  EXPECT_EQ(job(id).error_code, "NETWORK");
}

TEST_F(States, RecoveryEndsAtItsLimit) {
  const std::string id = queue().id;
  for (int i = 0; i <= limits::kJobRecoveries; ++i) {
    ASSERT_TRUE(claim_one()) << i;
    EXPECT_EQ(get<int64_t>([](Transaction& t) { return recover(t); }), 1);
  }
  EXPECT_EQ(job(id).error_code, "RECOVERED_TOO_OFTEN");
}

TEST_F(States, AnExpiredLeaseIsTakenBackAndItsHolderShutOut) {
  queue();
  const Job held = *claim_one();
  now_ms_ += 900;
  EXPECT_TRUE(get<bool>([&](Transaction& t) { return renew(t, fence(held), 1000); }));
  now_ms_ += 900;
  EXPECT_EQ(get<int64_t>([](Transaction& t) { return expire_leases(t); }), 0);
  now_ms_ += 200;
  EXPECT_EQ(get<int64_t>([](Transaction& t) { return expire_leases(t); }), 1);
  EXPECT_FALSE(get<bool>([&](Transaction& t) { return complete(t, fence(held), {.document = "{}"}); }));
  const Job again = *claim_one("other");
  EXPECT_EQ(again.id, held.id);
  EXPECT_GT(again.attempt, held.attempt);
}

TEST_F(States, AJobWaitsForItsFile) {
  const auto waiting = [&] {
    return get<Job>([&](Transaction& t) {
      return enqueue(t, {.user_id = "user_1", .file_id = "file_1", .title = "t", .file_ready = false});
    });
  };
  const Job a = waiting();
  EXPECT_EQ(a.stage, "downloading");
  EXPECT_FALSE(claim_one());
  EXPECT_EQ(get<int64_t>([](Transaction& t) { return release_waiting(t, "file_1"); }), 1);
  EXPECT_EQ(claim_one()->id, a.id);
  const Job b = waiting();
  EXPECT_EQ(get<int64_t>([](Transaction& t) { return fail_waiting(t, "file_1", "It is gone."); }), 1);
  EXPECT_EQ(job(b.id).error_code, "FILE_FAILED");
  EXPECT_EQ(job(b.id).error_message, "It is gone.");
}

TEST_F(States, ListenersLearnWhatTheyNeed) {
  const std::string id = queue().id;
  EXPECT_EQ(notices_, (Names{"events:" + id, "events:" + id, "jobs:" + id}));
  notices_.clear();
  claim_one();
  get<bool>([&](Transaction& t) { return cancel(t, id); });
  EXPECT_EQ(notices_, (Names{"events:" + id, "events:" + id, "canceled:" + id}));
}

// None may slow down with the number of jobs: no table is read whole, nothing is sorted.
TEST_F(States, EveryStatementFindsItsRowsByAnIndex) {
  in([&](Transaction& transaction) -> Result<void> {
    Planned t(transaction);
    const auto begin = [&]() -> Result<Fence> {
      TRY(enqueue(t, {.user_id = "user_1", .file_id = "file_1", .title = "t"}));
      const Job job = TRY(claim(t, policy_, "slot", 1000)).value();
      return Fence{job.id, "slot", job.attempt};
    };
    TRY(enqueue(t, {.user_id = "user_1", .file_id = "file_1", .title = "t"}));
    EXPECT_TRUE(TRY(FairPolicy().next(t, t.now_ms())));
    const Fence done = TRY(begin());
    TRY(renew(t, done, 1000));
    TRY(report_progress(t, done, "transcribing", 0.5));
    EXPECT_TRUE(TRY(complete(t, done, {.document = "{}", .output_key = "k"})));
    EXPECT_TRUE(TRY(fail_attempt(t, TRY(begin()), {ErrorCode::network, "m", ""})));
    EXPECT_TRUE(TRY(fail_attempt(t, TRY(begin()), {ErrorCode::unsupported_media, "m", ""})));
    EXPECT_TRUE(TRY(release(t, TRY(begin()), "test")));
    EXPECT_TRUE(TRY(cancel(t, TRY(begin()).id)));
    TRY(release_waiting(t, "file_1"));
    TRY(fail_waiting(t, "file_1", "It is gone."));
    TRY(expire_leases(t));
    TRY(recover(t));
    return {};
  });
  EXPECT_GE(Planned::plans.size(), 15U);
  for (const auto& [name, plan] : Planned::plans) {
    EXPECT_EQ(plan.find("SCAN"), std::string::npos) << name << ": " << plan;
    EXPECT_EQ(plan.find("B-TREE"), std::string::npos) << name << ": " << plan;
  }
  EXPECT_NE(Planned::plans["jobs.next"].find("transcriptions_claim"), std::string::npos);
}

TEST_F(States, ManyClaimersNeverGetTheSameJob) {
  constexpr int kJobs = 400;
  in([&](Transaction& t) -> Result<void> {
    for (int i = 0; i < kJobs; ++i) TRY(enqueue(t, {.user_id = "user_1", .file_id = "file_1", .title = "t"}));
    return {};
  });
  std::vector<std::vector<std::string>> taken(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < taken.size(); ++i) {
    threads.emplace_back([&, i] {
      while (auto held = claim_one("slot/" + std::to_string(i))) taken[i].push_back(held->id);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  size_t count = 0;
  for (const auto& mine : taken) {
    all.insert(mine.begin(), mine.end());
    count += mine.size();
  }
  EXPECT_EQ(count, static_cast<size_t>(kJobs));
  EXPECT_EQ(all.size(), static_cast<size_t>(kJobs));
}

}  // namespace
}  // namespace hansard::jobs
