// The rows of people. Each function is part of the caller's transaction; hashes are made before it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.h"
#include "store/store.h"

namespace hansard::auth {

// Times are milliseconds since 1970.
struct User {
  std::string id;  // "user_…"
  std::string username;
  Role role = Role::user;
  std::optional<std::string> password_hash;  // nobody can log in without one
  std::optional<int64_t> disabled_at_ms;
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
};

// 1 to 64 letters, digits and . _ - @ +; upper and lower case are the same name. Errors: invalid_request.
Result<void> check_username(std::string_view username);

Result<std::optional<User>> find_user(store::Reader& reader, std::string_view id);
Result<std::optional<User>> find_username(store::Reader& reader, std::string_view username);
Result<std::vector<User>> list_users(store::Reader& reader);
// Whether anyone has a password: until then the first may register.
Result<bool> has_accounts(store::Reader& reader);

// The one who is everyone while nobody is asked for a name: the first admin; a row "local" where there is
// none.
Result<User> local_user(store::Transaction& transaction);

// The first account, an admin: takes over the row of local_user(). Errors: conflict where there is one.
Result<User> add_first_user(store::Transaction& transaction, std::string_view username,
                            std::string_view hash);
// Errors: conflict where the name is taken.
Result<User> add_user(store::Transaction& transaction, std::string_view username, Role role,
                      std::string_view hash);

struct UserChange {
  std::optional<std::string> username;
  std::optional<std::string> hash;
  std::optional<Role> role;
  std::optional<bool> disabled;
};
// Nothing where there is no such user. Errors: conflict where the name is taken, or where the last admin who
// can log in would be none.
Result<std::optional<User>> change_user(store::Transaction& transaction, std::string_view id,
                                        const UserChange& change);
// Errors: conflict where without this user no admin could log in.
Result<void> refuse_last_admin(store::Reader& reader, std::string_view id);
// The row alone: what the user had must be gone. Errors: conflict for the last admin.
Result<void> remove_user(store::Transaction& transaction, std::string_view id);

}  // namespace hansard::auth
