// One connection to an SQLite database, with its prepared statements. SQLite's own header stays in the .cc
// files. One thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <unordered_map>

#include "store/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hansard::store {

class Connection {
 public:
  enum class Mode { read_only, read_write };
  // Errors: permission_denied, insufficient_storage, internal; the message says what is wrong with the file.
  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<std::vector<Row>> query(const Statement& statement, std::span<const Parameter> parameters);
  Result<int64_t> execute(const Statement& statement, std::span<const Parameter> parameters);

  // Any number of statements without parameters: for pragmas, migrations and transactions.
  Result<void> script(const std::string& sql);
  // The one number that a pragma or a query gives.
  Result<int64_t> number(const std::string& sql);

  // Rows changed since the connection was opened, by statements that did not fail.
  int64_t changes() const;
  // Some errors end a transaction by themselves.
  bool in_transaction() const;

  // Pages in the write-ahead log after the last commit.
  int wal_pages() const { return wal_pages_; }
  // Moves what it can of the write-ahead log into the database without waiting for readers; `whole` waits for
  // them and empties the log.
  Result<void> checkpoint(bool whole);

 private:
  struct Prepared {
    sqlite3_stmt* statement = nullptr;
    std::vector<int> places;  // of $1, $2, … among the statement's parameters; 0 where it is not used
  };

  Connection() = default;
  Result<Prepared*> prepare(const Statement& statement);
  Result<void> bind(const Prepared& prepared, std::span<const Parameter> parameters);
  tl::unexpected<Error> failure(std::string_view what);

  sqlite3* db_ = nullptr;
  std::unordered_map<const char*, Prepared> prepared_;  // by the address of the statement's text
  int wal_pages_ = 0;
};

}  // namespace hansard::store
