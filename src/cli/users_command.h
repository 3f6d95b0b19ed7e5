// hansard users: accounts, for whoever owns the machine. With the data folder's lock where no server runs,
// else through the server.
#pragma once

#include <string>

#include "auth/accounts.h"
#include "base/config.h"
#include "base/json.h"
#include "cli/exit_code.h"
#include "store/store.h"

namespace hansard::cli {

struct UsersArguments {
  std::string action;  // "list", "add", "reset-password", "disable", "enable"
  std::string username;
  std::string role = "user";  // of "add"
};
// Asks at the terminal for passwords, or reads them from standard input where that is none.
ExitCode run_users(const UsersArguments& arguments, const Config& config);

// Does it, in the process that has the database. `wanted`: "action", "username", "role", "password"; the
// answer: "users" of "list".
Result<json::bj::object> administer_users(store::Store& store, auth::Accounts& accounts,
                                          const json::bj::object& wanted);

}  // namespace hansard::cli
