#include "store/sqlite/connection.h"

#include <sqlite3.h>

#include <locale.h>

#include <array>
#include <cassert>
#include <charconv>
#include <climits>
#include <cstring>
#include <cwchar>
#include <cwctype>

#include <fmt/format.h>

#include "store/sqlite/full_text.h"

namespace hansard::store {
namespace {

// Only this process has the database open, and only one of its connections writes: what is waited for is a
// checkpoint.
constexpr int kBusyMs = 5000;

ErrorCode code_of(int extended) {
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
      if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return ErrorCode::conflict;
      }
      return extended == SQLITE_CONSTRAINT_FOREIGNKEY ? ErrorCode::not_found : ErrorCode::internal;
    case SQLITE_FULL:
      return ErrorCode::insufficient_storage;
    case SQLITE_IOERR:
      // Where a disk is full SQLite sees a write that fails, not always why.
      return extended == SQLITE_IOERR_WRITE || extended == SQLITE_IOERR_SHMSIZE
                 ? ErrorCode::insufficient_storage
                 : ErrorCode::internal;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return ErrorCode::permission_denied;
    case SQLITE_NOMEM:
      return ErrorCode::out_of_memory;
    default:
      return ErrorCode::internal;
  }
}

std::string_view message_of(int extended) {
  switch (extended & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the database is damaged; stop the server and restore a backup (hansard restore)";
    case SQLITE_FULL:
      return "the disk is full; make room in the data folder";
    case SQLITE_IOERR:
      return "the database cannot be read or written; look at the disk of the data folder";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "the database cannot be opened; the data folder must be writable";
    case SQLITE_CONSTRAINT:
      return "the database does not allow this change";
    default:
      return "the database failed";
  }
}

Value value_at(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return static_cast<int64_t>(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_NULL:
      return std::monostate{};
    default: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
      return bytes == nullptr ? std::string() : std::string(bytes, size);
    }
  }
}

// The first character of `text`, moved to `lower`; a byte that begins none is moved as it is.
void move_lower(std::string_view& text, std::string& lower, locale_t unicode) {
  const auto byte = static_cast<unsigned char>(text.front());
  std::array<char, MB_LEN_MAX> narrow{text.front()};
  size_t size = 1;
  size_t length = 1;
  if (byte < 0x80) {
    narrow[0] = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : text.front();
  } else {
    std::mbstate_t in = {};
    std::mbstate_t out = {};
    wchar_t wide = 0;
    const size_t read = std::mbrtowc(&wide, text.data(), text.size(), &in);
    const auto other = static_cast<wchar_t>(::towlower_l(static_cast<wint_t>(wide), unicode));
    if (read <= text.size()) {
      size = read;
      length = std::wcrtomb(narrow.data(), other, &out);
    }
  }
  lower.append(narrow.data(), length);
  text.remove_prefix(size);
}

// lower() of all of Unicode, as PostgreSQL has it; SQLite's own knows ASCII alone.
void lower_text(sqlite3_context* context, int /*count*/, sqlite3_value** values) {
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;  // the result is NULL, too
  static const locale_t kUnicode = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
  std::string_view text(bytes == nullptr ? "" : bytes, static_cast<size_t>(sqlite3_value_bytes(values[0])));
  std::string lower;
  const locale_t before = ::uselocale(kUnicode);
  while (!text.empty()) move_lower(text, lower, kUnicode);
  ::uselocale(before);
  sqlite3_result_text64(context, lower.data(), lower.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

// Gives a statement back for its next use, however its run ends.
class Use {
 public:
  explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& path, Mode mode) {
  std::unique_ptr<Connection> connection(new Connection());
  // A reader is opened for writing too: it shares the write-ahead log's index. query_only keeps it from more.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                    SQLITE_OPEN_EXRESCODE | (mode == Mode::read_write ? SQLITE_OPEN_CREATE : 0);
  if (sqlite3_open_v2(path.c_str(), &connection->db_, flags, nullptr) != SQLITE_OK) {
    return connection->failure("open");
  }
  sqlite3_busy_timeout(connection->db_, kBusyMs);
  sqlite3_db_config(connection->db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection->db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  TRY(
      connection->script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                         "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;"
                         "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;"));
  if (mode == Mode::read_only) TRY(connection->script("PRAGMA query_only = ON;"));
  sqlite3_create_function_v2(connection->db_, "lower", 1,
                             SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr, lower_text,
                             nullptr, nullptr, nullptr);
  TRY(add_full_text(connection->db_));
  sqlite3_wal_hook(
      connection->db_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Connection*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      connection.get());
  return connection;
}

Connection::~Connection() {
  for (auto& [text, prepared] : prepared_) sqlite3_finalize(prepared.statement);
  sqlite3_close(db_);
}

tl::unexpected<Error> Connection::failure(std::string_view what) {
  const int extended = db_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(db_);
  const char* text = db_ == nullptr ? "" : sqlite3_errmsg(db_);
  return fail(code_of(extended), std::string(message_of(extended)),
              fmt::format("{}: {} (SQLite {})", what, text, extended));
}

Result<Connection::Prepared*> Connection::prepare(const Statement& statement) {
  Prepared& prepared = prepared_[statement.sql.data()];
  if (prepared.statement != nullptr) return &prepared;
  if (sqlite3_prepare_v3(db_, statement.sql.data(), static_cast<int>(statement.sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &prepared.statement, nullptr) != SQLITE_OK) {
    prepared_.erase(statement.sql.data());
    return failure(statement.name);
  }
  // A named parameter's place is that of its first use; $1 is a name to SQLite.
  const int count = sqlite3_bind_parameter_count(prepared.statement);
  for (int place = 1; place <= count; ++place) {
    const char* name = sqlite3_bind_parameter_name(prepared.statement, place);
    size_t number = 0;
    if (name != nullptr) std::from_chars(name + 1, name + std::strlen(name), number);
    assert(number >= 1 && "parameters are $1, $2, …");
    if (prepared.places.size() < number) prepared.places.resize(number, 0);
    prepared.places[number - 1] = place;
  }
  return &prepared;
}

Result<void> Connection::bind(const Prepared& prepared, std::span<const Parameter> parameters) {
  assert(parameters.size() == prepared.places.size() && "as many parameters as the statement has");
  for (size_t i = 0; i < parameters.size(); ++i) {
    const int place = prepared.places[i];
    if (place == 0) continue;
    int status = SQLITE_OK;
    if (const auto* integer = std::get_if<int64_t>(&parameters[i])) {
      status = sqlite3_bind_int64(prepared.statement, place, *integer);
    } else if (const auto* number = std::get_if<double>(&parameters[i])) {
      status = sqlite3_bind_double(prepared.statement, place, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&parameters[i])) {
      // The caller's bytes live until the statement has run.
      const char* bytes = text->data() == nullptr ? "" : text->data();
      status =
          sqlite3_bind_text64(prepared.statement, place, bytes, text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else {
      status = sqlite3_bind_null(prepared.statement, place);
    }
    if (status != SQLITE_OK) return failure("bind");
  }
  return {};
}

Result<std::vector<Row>> Connection::query(const Statement& statement,
                                           std::span<const Parameter> parameters) {
  Prepared* prepared = TRY(prepare(statement));
  const Use use(prepared->statement);
  TRY(bind(*prepared, parameters));
  std::vector<Row> rows;
  const int columns = sqlite3_column_count(prepared->statement);
  for (;;) {
    const int status = sqlite3_step(prepared->statement);
    if (status == SQLITE_DONE) return rows;
    if (status != SQLITE_ROW) return failure(statement.name);
    std::vector<Value> values;
    values.reserve(static_cast<size_t>(columns));
    for (int column = 0; column < columns; ++column) values.push_back(value_at(prepared->statement, column));
    rows.emplace_back(std::move(values));
  }
}

Result<int64_t> Connection::execute(const Statement& statement, std::span<const Parameter> parameters) {
  Prepared* prepared = TRY(prepare(statement));
  const Use use(prepared->statement);
  TRY(bind(*prepared, parameters));
  const int status = sqlite3_step(prepared->statement);
  if (status != SQLITE_DONE && status != SQLITE_ROW) return failure(statement.name);
  return sqlite3_changes64(db_);
}

Result<void> Connection::script(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return failure(sql.substr(0, 60));
  return {};
}

Result<int64_t> Connection::number(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return failure(sql);
  const int status = sqlite3_step(statement);
  const int64_t value = status == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  if (status != SQLITE_ROW) return failure(sql);
  return value;
}

int64_t Connection::changes() const {
  return sqlite3_total_changes64(db_);
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(db_) == 0;
}

Result<void> Connection::checkpoint(bool whole) {
  int in_log = 0;
  int moved = 0;
  const int mode = whole ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int status = sqlite3_wal_checkpoint_v2(db_, nullptr, mode, &in_log, &moved);
  if (status != SQLITE_OK && (status & 0xff) != SQLITE_BUSY) return failure("checkpoint");
  wal_pages_ = in_log - moved;
  return {};
}

}  // namespace hansard::store
