#include "store/sqlite/sqlite_store.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/seam.h"
#include "store/migrations.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/full_text.h"

namespace hansard::store {
namespace {

namespace fs = std::filesystem;

// So many works share a commit at most: the first of them waits for the last.
constexpr size_t kGroup = 256;
// The log is moved into the database when it has so many pages (16 MB): so many that pages which change with
// every write are moved once for many of them, so few that reading and starting stay quick.
constexpr int kCheckpointPages = 4000;
// Readers kept open; more are opened and closed as they are needed.
constexpr size_t kIdleReaders = 8;

// The system's time, but never back: where that is set back, this one goes on from where it was, at half the
// pace, until the other has caught up. So what comes later is later, and what waits for a time gets there.
class Clock {
 public:
  // Not before `least_ms`, which an earlier process has told.
  Clock(std::function<int64_t()> system_ms, int64_t least_ms)
      : system_ms_(std::move(system_ms)),
        last_ms_(system_ms_()),
        ahead_ms_(std::max<int64_t>(0, least_ms - last_ms_)) {}

  int64_t now_ms() const {
    const std::lock_guard lock(mutex_);
    const int64_t system_ms = system_ms_();
    const int64_t step_ms = system_ms - std::exchange(last_ms_, system_ms);
    ahead_ms_ -= step_ms < 0 ? step_ms : std::min(ahead_ms_, (step_ms + 1) / 2);
    return system_ms + ahead_ms_;
  }
  int64_t ahead_ms() const {
    const std::lock_guard lock(mutex_);
    return ahead_ms_;
  }

 private:
  std::function<int64_t()> system_ms_;
  mutable std::mutex mutex_;
  mutable int64_t last_ms_;   // of the system's clock
  mutable int64_t ahead_ms_;  // of it
};

std::string adapted(std::string_view sql) {
  std::string text(sql);
  for (const auto& [word, meaning] :
       {std::pair<std::string_view, std::string_view>("{identity}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        {"{passages_index}", kPassagesIndex}}) {
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + meaning.size()))
      text.replace(at, word.size(), meaning);
  }
  return text;
}

Result<void> copy_database(Connection& connection, const fs::path& to) {
  std::string quoted;
  for (const char c : to.string()) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return connection.script("VACUUM INTO '" + quoted + "'");
}

Result<void> migrate(Connection& connection, const fs::path& path) {
  const int64_t version = TRY(connection.number("PRAGMA user_version"));
  const auto steps = migrations();
  if (version > steps.back().number) {
    return fail(ErrorCode::conflict,
                fmt::format("the database is of a newer Hansard (schema {}, this program knows {}); "
                            "install that version, or restore a backup of this one",
                            version, steps.back().number));
  }
  for (const Migration& step : steps) {
    if (step.number <= version) continue;
    if (version > 0) {
      const fs::path copy = fmt::format("{}.before-{:04}", path.string(), step.number);
      std::error_code ignored;
      fs::remove(copy, ignored);
      TRY(copy_database(connection, copy));
      log::info("the database was copied before {}", step.name);
    }
    Result<void> done = connection.script(fmt::format(
        "BEGIN IMMEDIATE;\n{}\nPRAGMA user_version = {};\nCOMMIT;", adapted(step.sql), step.number));
    if (!done) {
      (void)connection.script("ROLLBACK");
      return done;
    }
  }
  return {};
}

class SqliteReader : public Reader {
 public:
  explicit SqliteReader(Connection& connection) : connection_(connection) {}
  Result<std::vector<Row>> query(const Statement& statement, std::span<const Parameter> parameters) override {
    return connection_.query(statement, parameters);
  }
  Result<SearchPage> search(const SearchQuery& query) override { return store::search(connection_, query); }

 private:
  Connection& connection_;
};

class SqliteTransaction : public Transaction {
 public:
  SqliteTransaction(Connection& connection, int64_t now_ms) : connection_(connection), now_ms_(now_ms) {}
  Result<std::vector<Row>> query(const Statement& statement, std::span<const Parameter> parameters) override {
    return connection_.query(statement, parameters);
  }
  Result<SearchPage> search(const SearchQuery& query) override { return store::search(connection_, query); }
  Result<int64_t> execute(const Statement& statement, std::span<const Parameter> parameters) override {
    return connection_.execute(statement, parameters);
  }
  int64_t now_ms() const override { return now_ms_; }
  void notify(Notice notice) override { notices_.push_back(std::move(notice)); }
  std::vector<Notice> take_notices() { return std::move(notices_); }

 private:
  Connection& connection_;
  int64_t now_ms_;
  std::vector<Notice> notices_;
};

class SqliteStore : public Store {
 public:
  SqliteStore(fs::path path, std::function<int64_t()> system_ms, int64_t least_ms,
              std::unique_ptr<Connection> writer)
      : path_(std::move(path)), clock_(std::move(system_ms), least_ms), writer_(std::move(writer)) {
    if (constexpr int64_t kWorthSaying = 1000; clock_.ahead_ms() > kWorthSaying) {
      log::warning("the clock is {} s behind what the database has seen; times go on from there",
                   clock_.ahead_ms() / 1000);
    }
    thread_ = std::thread([this] { write_groups(); });
  }

  ~SqliteStore() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    waiting_work_.notify_one();
    thread_.join();
    idle_readers_.clear();
    if (auto done = writer_->checkpoint(true); !done) log::warning("{}", done.error().detail);
  }

  Result<void> write(const Work& work) override {
    Result<void> result;
    std::atomic<bool> answered = false;
    write_later([&](Transaction& transaction) { return work(transaction); },
                [&](Result<void> done) {
                  result = std::move(done);
                  answered = true;
                });
    // One wake for all who share a commit: a wake for each would put the writer off its processor each time.
    for (uint32_t seen = groups_answered_; !answered; seen = groups_answered_) groups_answered_.wait(seen);
    return result;
  }

  void write_later(Work work, std::function<void(Result<void>)> done) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back({std::move(work), std::move(done), {}, {}});
    }
    waiting_work_.notify_one();
  }

  Result<void> read(const std::function<Result<void>(Reader&)>& work) override {
    std::unique_ptr<Connection> connection = TRY(take_reader());
    TRY(connection->script("BEGIN"));
    SqliteReader reader(*connection);
    Result<void> result = guarded([&] { return work(reader); });
    if (connection->script("ROLLBACK")) give_reader_back(std::move(connection));
    return result;
  }

  int64_t now_ms() const override { return clock_.now_ms(); }

  void listen(Listener listener) override {
    const std::lock_guard lock(mutex_);
    listeners_.push_back(std::move(listener));
  }

  Result<void> backup(const fs::path& path, const std::function<Result<void>(Reader&)>& look) override {
    std::error_code error;
    if (fs::exists(path, error)) return fail(ErrorCode::conflict, "there is a file of that name already");
    TRY(copy_database(*TRY(Connection::open(path_, Connection::Mode::read_write)), path));
    if (!look) return {};
    const auto copy = TRY(Connection::open(path, Connection::Mode::read_only));
    SqliteReader reader(*copy);
    return guarded([&] { return look(reader); });
  }

 private:
  struct Waiting {
    Work work;
    std::function<void(Result<void>)> done;
    Result<void> result;
    std::vector<Notice> notices;
  };

  static Result<void> guarded(const std::function<Result<void>()>& work) {
    try {
      return work();
    } catch (const std::exception& error) {
      return fail(ErrorCode::internal, "the request could not be carried out", error.what());
    }
  }

  Result<std::unique_ptr<Connection>> take_reader() {
    {
      const std::lock_guard lock(readers_mutex_);
      if (!idle_readers_.empty()) {
        std::unique_ptr<Connection> connection = std::move(idle_readers_.back());
        idle_readers_.pop_back();
        return connection;
      }
    }
    return Connection::open(path_, Connection::Mode::read_only);
  }

  void give_reader_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(readers_mutex_);
    if (idle_readers_.size() < kIdleReaders) idle_readers_.push_back(std::move(connection));
  }

  // ---- the writer thread

  void write_groups() {
    for (;;) {
      std::vector<Waiting> group;
      {
        std::unique_lock lock(mutex_);
        waiting_work_.wait(lock, [this] { return closing_ || !queue_.empty(); });
        if (queue_.empty()) return;
        while (!queue_.empty() && group.size() < kGroup) {
          group.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
      commit(group);
      for (Waiting& waiting : group) tell(waiting);
      for (Waiting& waiting : group) waiting.done(std::move(waiting.result));
      ++groups_answered_;
      groups_answered_.notify_all();
      if (writer_->wal_pages() < kCheckpointPages) continue;
      if (auto done = writer_->checkpoint(false); !done) log::warning("{}", done.error().detail);
    }
  }

  // At first without a savepoint for each work: SQLite copies every page that a work changes first, which
  // costs more than most works do. Where one fails that has changed something, all is undone and run again
  // with them.
  void commit(std::vector<Waiting>& group) {
    Result<void> done = writer_->script("BEGIN IMMEDIATE");
    if (done && !run_together(group)) {
      (void)writer_->script("ROLLBACK");  // the failure may have done that
      done = writer_->script("BEGIN IMMEDIATE");
      if (done) done = run_apart(group);
    }
    if (done) {
      seam("store.before_commit");
      done = writer_->script("COMMIT");
      seam("store.after_commit");
      if (done) return;
    }
    (void)writer_->script("ROLLBACK");
    log::error("the database: {}", done.error().detail);
    for (Waiting& waiting : group) {
      waiting.result = done;
      waiting.notices.clear();
    }
  }

  // False where a work that failed left something behind, or the transaction is no more.
  bool run_together(std::vector<Waiting>& group) {
    for (Waiting& waiting : group) {
      const int64_t before = writer_->changes();
      run(waiting);
      if (!writer_->in_transaction() || (!waiting.result && writer_->changes() != before)) return false;
    }
    return true;
  }

  // An error is one after which nothing of the transaction can be kept, such as a full disk.
  Result<void> run_apart(std::vector<Waiting>& group) {
    for (Waiting& waiting : group) {
      TRY(writer_->script("SAVEPOINT work"));
      run(waiting);
      if (!waiting.result) {
        if (!writer_->in_transaction()) return waiting.result;
        TRY(writer_->script("ROLLBACK TO work"));
      }
      TRY(writer_->script("RELEASE work"));
    }
    return {};
  }

  void run(Waiting& waiting) {
    SqliteTransaction transaction(*writer_, now_ms());
    waiting.result = guarded([&] { return waiting.work(transaction); });
    waiting.notices = waiting.result ? transaction.take_notices() : std::vector<Notice>();
  }

  void tell(const Waiting& waiting) {
    for (const Notice& notice : waiting.notices) {
      for (const Listener& listener : listeners_) listener(notice);
    }
  }

  fs::path path_;
  Clock clock_;
  std::unique_ptr<Connection> writer_;  // of the writer thread alone

  std::mutex mutex_;
  std::condition_variable waiting_work_;
  std::deque<Waiting> queue_;
  std::vector<Listener> listeners_;
  bool closing_ = false;
  std::atomic<uint32_t> groups_answered_ = 0;

  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> idle_readers_;

  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const fs::path& path, SqliteOptions options) {
  if (!options.now_ms) options.now_ms = system_now_ms;
  std::unique_ptr<Connection> writer = TRY(Connection::open(path, Connection::Mode::read_write));
  TRY(migrate(*writer, path));
  std::error_code ignored;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, ignored);
  const int64_t least_ms = TRY(writer->number("SELECT COALESCE(MAX(created_at), 0) FROM events"));
  return std::make_unique<SqliteStore>(path, std::move(options.now_ms), least_ms, std::move(writer));
}

}  // namespace hansard::store
