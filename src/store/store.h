// The database boundary: named statements, reads, and writes that are durable when they are answered. A
// driver
// (`sqlite/`) implements it; nothing above knows which one. Statements are written in the SQL that SQLite and
// PostgreSQL share: parameters are $1, $2, …; times are milliseconds since 1970 as BIGINT, truth is 0 or 1.
// Errors: conflict (a constraint that says "only one"), not_found (no such row to refer to),
// insufficient_storage, internal. Threads: a Store may be used by any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "store/search.h"

namespace hansard::store {

// SQL with a name, which stands in logs and metrics. A constant beside the function that runs it: drivers
// keep prepared statements by the address of `sql`.
struct Statement {
  std::string_view name;
  std::string_view sql;
};

using Value = std::variant<std::monostate, int64_t, double, std::string>;
using Parameter = std::variant<std::monostate, int64_t, double, std::string_view>;

// A parameter out of what C++ has: nothing, a number, truth, text, or an optional of these.
inline Parameter parameter(std::monostate) {
  return std::monostate{};
}
inline Parameter parameter(double value) {
  return value;
}
inline Parameter parameter(std::string_view value) {
  return value;
}
inline Parameter parameter(const char* value) {
  return std::string_view(value);
}
inline Parameter parameter(const std::string& value) {
  return std::string_view(value);
}
template <std::integral T>
Parameter parameter(T value) {
  return static_cast<int64_t>(value);
}
template <typename T>
Parameter parameter(const std::optional<T>& value) {
  return value ? parameter(*value) : Parameter(std::monostate{});
}

// One row of a result. Columns are taken by their place; asking for another type than the column has, or for
// a NULL, is a bug of the caller's.
class Row {
 public:
  explicit Row(std::vector<Value> values) : values_(std::move(values)) {}
  size_t size() const { return values_.size(); }
  bool is_null(size_t column) const { return std::holds_alternative<std::monostate>(values_.at(column)); }
  int64_t integer(size_t column) const { return std::get<int64_t>(values_.at(column)); }
  bool boolean(size_t column) const { return integer(column) != 0; }
  double number(size_t column) const;  // of an integer column too
  const std::string& text(size_t column) const { return std::get<std::string>(values_.at(column)); }
  std::string text_or_empty(size_t column) const { return is_null(column) ? std::string() : text(column); }
  std::optional<int64_t> integer_if(size_t column) const;
  std::optional<double> number_if(size_t column) const;
  std::optional<std::string> text_if(size_t column) const;

 private:
  std::vector<Value> values_;
};

// Reads one state of the database from its first statement to its last.
class Reader {
 public:
  virtual ~Reader() = default;

  virtual Result<std::vector<Row>> query(const Statement& statement,
                                         std::span<const Parameter> parameters) = 0;

  virtual Result<SearchPage> search(const SearchQuery& query) = 0;

  template <typename... Arguments>
  Result<std::vector<Row>> rows(const Statement& statement, const Arguments&... arguments) {
    const std::array<Parameter, sizeof...(Arguments)> parameters{parameter(arguments)...};
    return query(statement, parameters);
  }
  // The first row, or nothing.
  template <typename... Arguments>
  Result<std::optional<Row>> row(const Statement& statement, const Arguments&... arguments) {
    std::vector<Row> all = TRY(rows(statement, arguments...));
    if (all.empty()) return std::optional<Row>();
    return std::optional<Row>(std::move(all.front()));
  }
};

// What other parts of the program are told after a commit: "jobs" with an id, say. A hint, never the truth.
struct Notice {
  std::string channel;
  std::string payload;
};

// A unit of writing. It sees what it wrote itself.
class Transaction : public Reader {
 public:
  // Runs INSERT, UPDATE or DELETE: the number of rows changed.
  virtual Result<int64_t> execute(const Statement& statement, std::span<const Parameter> parameters) = 0;

  template <typename... Arguments>
  Result<int64_t> change(const Statement& statement, const Arguments&... arguments) {
    const std::array<Parameter, sizeof...(Arguments)> parameters{parameter(arguments)...};
    return execute(statement, parameters);
  }

  // The store's time, the same for the whole transaction.
  virtual int64_t now_ms() const = 0;

  // Tells the listeners once the transaction is durable; nothing where it is not. In commit order.
  virtual void notify(Notice notice) = 0;
};

class Store {
 public:
  // Work is run in a transaction, and may be run again where the database asks for it: it must not change
  // anything but the database and what it alone owns. It runs on the store's thread and must not wait. An
  // error undoes what it did, and nothing else.
  using Work = std::function<Result<void>(Transaction&)>;
  using Listener = std::function<void(const Notice&)>;

  virtual ~Store() = default;

  // Returns when the work is durable, or has failed. Not to be called from within work or a listener.
  virtual Result<void> write(const Work& work) = 0;
  // The same, answered on the store's thread: `done` must not wait.
  virtual void write_later(Work work, std::function<void(Result<void>)> done) = 0;

  virtual Result<void> read(const std::function<Result<void>(Reader&)>& work) = 0;

  // The database's clock, which never goes back.
  virtual int64_t now_ms() const = 0;

  // `listener` is called on the store's thread, after the commit and before whoever waits for it is answered.
  // All listeners are set before the first write.
  virtual void listen(Listener listener) = 0;

  // A copy of one state of the database, while it is in use. `path` must not exist. `look` then reads that
  // state, as long as it likes; the copy is whole and closed afterwards.
  virtual Result<void> backup(const std::filesystem::path& path,
                              const std::function<Result<void>(Reader&)>& look = {}) = 0;
};

}  // namespace hansard::store
