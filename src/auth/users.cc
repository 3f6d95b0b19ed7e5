#include "auth/users.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/id.h"

#define USER_COLUMNS "id, username, role, password_hash, disabled_at, created_at, updated_at"

namespace hansard::auth {
namespace {

using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

User user_from(const Row& row) {
  return {.id = row.text(0),
          .username = row.text(1),
          .role = parse_role(row.text(2)).value_or(Role::user),
          .password_hash = row.text_if(3),
          .disabled_at_ms = row.integer_if(4),
          .created_at_ms = row.integer(5),
          .updated_at_ms = row.integer(6)};
}

std::optional<User> user_if(const std::optional<Row>& row) {
  return row ? std::optional(user_from(*row)) : std::nullopt;
}

Result<void> refuse_taken(Reader& reader, std::string_view username, std::string_view but_of) {
  const auto other = TRY(find_username(reader, username));
  if (!other || other->id == but_of) return {};
  return fail(ErrorCode::conflict, "this user name is taken");
}

Result<User> insert(Transaction& transaction, std::string_view username, Role role,
                    const std::optional<std::string_view>& hash) {
  static constexpr Statement kInsert{"users.insert",
                                     "INSERT INTO users (id, username, role, password_hash, created_at, "
                                     "updated_at) VALUES ($1, $2, $3, $4, $5, "
                                     "$5) RETURNING " USER_COLUMNS};
  return user_from(*TRY(transaction.row(kInsert, make_id("user", transaction.now_ms()), username,
                                        role_name(role), hash, transaction.now_ms())));
}

}  // namespace

Result<void> refuse_last_admin(Reader& reader, std::string_view id) {
  static constexpr Statement kOther{"users.other_admin",
                                    "SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL AND "
                                    "password_hash IS NOT NULL AND id <> $1 LIMIT 1"};
  if (TRY(reader.row(kOther, id))) return {};
  return fail(ErrorCode::conflict, "this is the last admin; make another one first");
}

std::string_view role_name(Role role) {
  return role == Role::admin ? "admin" : "user";
}

std::optional<Role> parse_role(std::string_view name) {
  if (name == "admin") return Role::admin;
  if (name == "user") return Role::user;
  return std::nullopt;
}

Result<void> check_username(std::string_view username) {
  constexpr size_t kMost = 64;
  const bool good = !username.empty() && username.size() <= kMost &&
                    std::all_of(username.begin(), username.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                             std::string_view("._-@+").find(c) != std::string_view::npos;
                    });
  if (good) return {};
  return fail(ErrorCode::invalid_request,
              fmt::format("must be 1 to {} letters of English, digits and . _ - @ +", kMost));
}

Result<std::optional<User>> find_user(Reader& reader, std::string_view id) {
  static constexpr Statement kFind{"users.find", "SELECT " USER_COLUMNS " FROM users WHERE id = $1"};
  return user_if(TRY(reader.row(kFind, id)));
}

Result<std::optional<User>> find_username(Reader& reader, std::string_view username) {
  static constexpr Statement kFind{"users.by_name",
                                   "SELECT " USER_COLUMNS " FROM users WHERE lower(username) = lower($1)"};
  return user_if(TRY(reader.row(kFind, username)));
}

Result<std::vector<User>> list_users(Reader& reader) {
  static constexpr Statement kList{"users.list",
                                   "SELECT " USER_COLUMNS " FROM users ORDER BY created_at, id"};
  std::vector<User> users;
  for (const Row& row : TRY(reader.rows(kList))) users.push_back(user_from(row));
  return users;
}

Result<bool> has_accounts(Reader& reader) {
  static constexpr Statement kAny{"users.with_password",
                                  "SELECT id FROM users WHERE password_hash IS NOT NULL LIMIT 1"};
  return TRY(reader.row(kAny)).has_value();
}

Result<User> local_user(Transaction& transaction) {
  static constexpr Statement kFirst{"users.first_admin",
                                    "SELECT " USER_COLUMNS
                                    " FROM users WHERE role = 'admin' AND disabled_at IS NULL "
                                    "ORDER BY created_at, id LIMIT 1"};
  if (const auto row = TRY(transaction.row(kFirst))) return user_from(*row);
  return insert(transaction, "local", Role::admin, std::nullopt);
}

Result<User> add_first_user(Transaction& transaction, std::string_view username, std::string_view hash) {
  static constexpr Statement kTakeOver{"users.take_over",
                                       "UPDATE users SET username = $2, password_hash = $3, updated_at = $4 "
                                       "WHERE id = $1 RETURNING " USER_COLUMNS};
  if (TRY(has_accounts(transaction))) {
    return fail(ErrorCode::conflict, "there is an account already; ask its owner for one of your own");
  }
  const User local = TRY(local_user(transaction));
  return user_from(*TRY(transaction.row(kTakeOver, local.id, username, hash, transaction.now_ms())));
}

Result<User> add_user(Transaction& transaction, std::string_view username, Role role, std::string_view hash) {
  TRY(refuse_taken(transaction, username, ""));
  return insert(transaction, username, role, hash);
}

Result<std::optional<User>> change_user(Transaction& transaction, std::string_view id,
                                        const UserChange& change) {
  static constexpr Statement kChange{
      "users.change",
      "UPDATE users SET username = $2, password_hash = $3, role = $4, disabled_at = $5, updated_at = $6 "
      "WHERE id = $1 RETURNING " USER_COLUMNS};
  const auto before = TRY(find_user(transaction, id));
  if (!before) return std::optional<User>();
  if (change.username) TRY(refuse_taken(transaction, *change.username, id));
  const bool loses_admin = change.role == Role::user || change.disabled == true;
  if (before->role == Role::admin && !before->disabled_at_ms && loses_admin)
    TRY(refuse_last_admin(transaction, id));
  std::optional<int64_t> disabled_at_ms = before->disabled_at_ms;
  if (change.disabled == true && !disabled_at_ms) disabled_at_ms = transaction.now_ms();
  if (change.disabled == false) disabled_at_ms = std::nullopt;
  return user_if(TRY(transaction.row(kChange, id, change.username.value_or(before->username),
                                     change.hash ? change.hash : before->password_hash,
                                     role_name(change.role.value_or(before->role)), disabled_at_ms,
                                     transaction.now_ms())));
}

Result<void> remove_user(Transaction& transaction, std::string_view id) {
  static constexpr Statement kRemove{"users.remove", "DELETE FROM users WHERE id = $1"};
  TRY(refuse_last_admin(transaction, id));
  TRY(transaction.change(kRemove, id));
  return {};
}

}  // namespace hansard::auth
