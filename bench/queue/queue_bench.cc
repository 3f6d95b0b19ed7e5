// How fast the queue is: the store on SQLite and the state machine of jobs, without slots. One line of JSON
// on standard output for each run; bench/jobqueue.py calls it, in turns with its peer.
//
//   queue-bench fill FOLDER finished|queued COUNT    so many jobs, written straight into the tables
//   queue-bench phases FOLDER CLAIMERS JOBS          each phase for all jobs, one job to a transaction
//   queue-bench work FOLDER WORKERS JOBS BATCH       insert in batches, then claim and complete, job by job
//   queue-bench claims FOLDER CLAIMERS JOBS          claims alone
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "jobs/state.h"
#include "store/sqlite/sqlite_store.h"

namespace {

using namespace hansard;
using store::Statement;
using store::Transaction;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kUser = "user_1";
constexpr std::string_view kFile = "file_1";
constexpr int64_t kLeaseMs = 600'000;

[[noreturn]] void end_with(const Error& error) {
  fmt::print(stderr, "queue-bench: {} {}\n", error.message, error.detail);
  std::exit(1);
}

[[noreturn]] void end_with(std::string_view what) {
  fmt::print(stderr, "queue-bench: {}\n", what);
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) end_with(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

std::unique_ptr<store::Store> open(const std::filesystem::path& folder) {
  static constexpr Statement kAddUser{
      "bench.user",
      "INSERT INTO users (id, username, role, created_at, updated_at) VALUES ($1, 'local', 'admin', 1, 1) "
      "ON CONFLICT (id) DO NOTHING"};
  static constexpr Statement kAddFile{
      "bench.file",
      "INSERT INTO files (id, user_id, title, kind, status, created_at, updated_at) "
      "VALUES ($1, $2, 'a', 'audio', 'uploaded', 1, 1) ON CONFLICT (id) DO NOTHING"};
  auto opened = must(store::open_sqlite(folder / "hansard.db"));
  must(opened->write([](Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kAddUser, kUser));
    TRY(transaction.change(kAddFile, kFile, kUser));
    return {};
  }));
  return opened;
}

// ---- rows that are there already

// What enqueue(), claim() and complete() leave of a job that is older than the events that are kept.
constexpr Statement kFinishedJobs{
    "bench.finished",
    "WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) "
    "INSERT INTO transcriptions (id, user_id, file_id, client, title, status, language, options, priority, "
    "progress, progress_stage, queued_at, available_at, started_at, completed_at, attempt, failures, "
    "crashes, "
    "recoveries, duration_seconds, speaker_count, warnings, created_at, updated_at) "
    "SELECT printf('tr_00%024d', i), $3, $4, 'api', 'A conversation', 'completed', 'en', '{}', 5, 1, "
    "'completed', i, i, i, i, 1, 0, 0, 0, 60, 2, '[]', i, i FROM n"};
constexpr Statement kFinishedExecutions{
    "bench.executions",
    "WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) "
    "INSERT INTO transcription_executions (id, transcription_id, user_id, status, attempt, provider, "
    "model_name, model_family, request, output_key, started_at, completed_at, stage_seconds) "
    "SELECT printf('exec_00%024d', i), printf('tr_00%024d', i), $3, 'completed', 1, 'local', 'whisper-base', "
    "'whisper', '{}', printf('transcripts/tr_00%024d/1.json', i), i, i, '{}' FROM n"};
constexpr Statement kFinishedTranscripts{
    "bench.transcripts",
    "WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) "
    "INSERT INTO transcripts (transcription_id, version, kind, document, created_at) "
    "SELECT printf('tr_00%024d', i), 1, 'machine', '{\"text\":\"Do you hear me? Yes.\"}', i FROM n"};
constexpr Statement kQueuedJobs{
    "bench.queued",
    "WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) "
    "INSERT INTO transcriptions (id, user_id, file_id, client, title, status, options, priority, progress, "
    "progress_stage, queued_at, available_at, attempt, failures, crashes, recoveries, warnings, created_at, "
    "updated_at) SELECT printf('tr_00%024d', i), $3, $4, 'api', 'A conversation', 'queued', '{}', 5, 0, "
    "'queued', i, i, 0, 0, 0, 0, '[]', i, i FROM n"};

void fill(const std::filesystem::path& folder, std::string_view state, int64_t count) {
  const auto store = open(folder);
  constexpr int64_t kStep = 50'000;
  for (int64_t from = 1; from <= count; from += kStep) {
    const int64_t to = std::min(from + kStep, count + 1);
    must(store->write([&](Transaction& transaction) -> Result<void> {
      if (state == "queued") {
        TRY(transaction.change(kQueuedJobs, from, to, kUser, kFile));
        return {};
      }
      TRY(transaction.change(kFinishedJobs, from, to, kUser, kFile));
      TRY(transaction.change(kFinishedExecutions, from, to, kUser));
      TRY(transaction.change(kFinishedTranscripts, from, to));
      return {};
    }));
  }
}

// ---- the phases

struct Claimed {
  std::vector<jobs::Fence> jobs;
  std::vector<double> waited_ms;
};

// Runs `part(i)` on so many threads at once; the seconds until the last has ended.
template <typename Part>
double on_threads(int64_t count, const Part& part) {
  std::vector<std::jthread> threads;
  const auto began = Clock::now();
  for (int64_t i = 0; i < count; ++i) threads.emplace_back([&part, i] { part(static_cast<size_t>(i)); });
  threads.clear();
  return seconds_since(began);
}

Result<void> enqueue_one(Transaction& transaction) {
  TRY(jobs::enqueue(
      transaction,
      {.user_id = std::string(kUser), .file_id = std::string(kFile), .title = "A conversation"}));
  return {};
}

std::optional<jobs::Job> claim_one(store::Store& store, std::string_view name) {
  static const jobs::FifoPolicy policy;
  std::optional<jobs::Job> job;
  must(store.write([&](Transaction& transaction) -> Result<void> {
    job = TRY(jobs::claim(transaction, policy, name, kLeaseMs));
    return {};
  }));
  return job;
}

void complete_one(store::Store& store, const jobs::Fence& fence) {
  bool held = false;
  must(store.write([&](Transaction& transaction) -> Result<void> {
    held = TRY(jobs::complete(transaction, fence,
                              {.document = R"({"text":"Do you hear me? Yes."})",
                               .output_key = "transcripts/" + fence.id + "/1.json",
                               .language = "en",
                               .duration_s = 60,
                               .speaker_count = 2,
                               .provider = "local",
                               .model = "whisper-base"}));
    return {};
  }));
  if (!held) end_with("a claimed job was not its claimer's");
}

// One share after another until all are taken.
class Shares {
 public:
  explicit Shares(int64_t count) : left_(count) {}
  bool take() { return left_.fetch_sub(1) > 0; }

 private:
  std::atomic<int64_t> left_;
};

double enqueue_all(store::Store& store, int64_t threads, int64_t jobs) {
  Shares shares(jobs);
  return on_threads(threads, [&](size_t) {
    while (shares.take()) must(store.write(enqueue_one));
  });
}

double claim_all(store::Store& store, int64_t jobs, std::vector<Claimed>& claimers) {
  Shares shares(jobs);
  return on_threads(static_cast<int64_t>(claimers.size()), [&](size_t i) {
    const std::string name = fmt::format("bench/{}", i);
    while (shares.take()) {
      const auto began = Clock::now();
      const auto job = claim_one(store, name);
      if (!job) end_with("the queue was empty too early");
      claimers[i].waited_ms.push_back(seconds_since(began) * 1000);
      claimers[i].jobs.push_back({job->id, name, job->attempt});
    }
  });
}

double complete_all(store::Store& store, const std::vector<Claimed>& claimers) {
  return on_threads(static_cast<int64_t>(claimers.size()), [&](size_t i) {
    for (const jobs::Fence& fence : claimers[i].jobs) complete_one(store, fence);
  });
}

// Each job once, to one claimer, at its first attempt; and the tables say the same.
void check(store::Store& store, const std::vector<Claimed>& claimers, int64_t jobs) {
  static constexpr Statement kTwice{"bench.twice", "SELECT count(*) FROM transcriptions WHERE attempt > 1"};
  std::set<std::string> seen;
  for (const Claimed& claimer : claimers) {
    for (const jobs::Fence& fence : claimer.jobs) {
      if (!seen.insert(fence.id).second || fence.attempt != 1) end_with("a job was claimed twice");
    }
  }
  if (static_cast<int64_t>(seen.size()) != jobs) end_with("a job was not claimed");
  must(store.read([](store::Reader& reader) -> Result<void> {
    if (TRY(reader.row(kTwice))->integer(0) != 0) end_with("a job had two attempts");
    return {};
  }));
}

struct Latency {
  double p50_ms = 0;
  double p99_ms = 0;
};

Latency latency(const std::vector<Claimed>& claimers) {
  std::vector<double> all;
  for (const Claimed& claimer : claimers)
    all.insert(all.end(), claimer.waited_ms.begin(), claimer.waited_ms.end());
  std::sort(all.begin(), all.end());
  return {all.at(all.size() / 2), all.at(all.size() * 99 / 100)};
}

// ---- commands

void phases(const std::filesystem::path& folder, int64_t threads, int64_t jobs) {
  const auto store = open(folder);
  std::vector<Claimed> claimers(static_cast<size_t>(threads));
  const double enqueue_s = enqueue_all(*store, threads, jobs);
  const double claim_s = claim_all(*store, jobs, claimers);
  const double complete_s = complete_all(*store, claimers);
  check(*store, claimers, jobs);
  const Latency claim = latency(claimers);
  const auto count = static_cast<double>(jobs);
  fmt::print(R"({{"enqueue":{:.0f},"claim":{:.0f},"complete":{:.0f},"p50_ms":{:.3f},"p99_ms":{:.3f}}})"
             "\n",
             count / enqueue_s, count / claim_s, count / complete_s, claim.p50_ms, claim.p99_ms);
}

void claims(const std::filesystem::path& folder, int64_t threads, int64_t jobs) {
  const auto store = open(folder);
  std::vector<Claimed> claimers(static_cast<size_t>(threads));
  const double claim_s = claim_all(*store, jobs, claimers);
  check(*store, claimers, jobs);
  const Latency claim = latency(claimers);
  fmt::print(R"({{"claim":{:.0f},"p50_ms":{:.3f},"p99_ms":{:.3f}}})"
             "\n",
             static_cast<double>(jobs) / claim_s, claim.p50_ms, claim.p99_ms);
}

void work(const std::filesystem::path& folder, int64_t threads, int64_t jobs, int64_t batch) {
  const auto store = open(folder);
  auto began = Clock::now();
  for (int64_t done = 0; done < jobs; done += batch) {
    must(store->write([&](Transaction& transaction) -> Result<void> {
      for (int64_t i = 0; i < std::min(batch, jobs - done); ++i) TRY(enqueue_one(transaction));
      return {};
    }));
  }
  const double insert_s = seconds_since(began);
  std::vector<Claimed> claimers(static_cast<size_t>(threads));
  const double work_s = on_threads(threads, [&](size_t i) {
    const std::string name = fmt::format("bench/{}", i);
    while (const auto job = claim_one(*store, name)) {
      claimers[i].jobs.push_back({job->id, name, job->attempt});
      complete_one(*store, claimers[i].jobs.back());
    }
  });
  check(*store, claimers, jobs);
  const auto count = static_cast<double>(jobs);
  fmt::print(R"({{"insert":{:.0f},"work":{:.0f}}})"
             "\n",
             count / insert_s, count / work_s);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto number = [&](size_t i) { return std::stoll(arguments.at(i)); };
  try {
    const std::string& command = arguments.at(0);
    const std::filesystem::path folder = arguments.at(1);
    if (command == "fill") {
      fill(folder, arguments.at(2), number(3));
    } else if (command == "phases") {
      phases(folder, number(2), number(3));
    } else if (command == "work") {
      work(folder, number(2), number(3), number(4));
    } else if (command == "claims") {
      claims(folder, number(2), number(3));
    } else {
      end_with("fill, phases, work or claims");
    }
  } catch (const std::exception& error) {
    end_with(error.what());
  }
}
