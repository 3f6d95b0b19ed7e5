#include "cli/users_command.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include <fmt/format.h>

#include "auth/audit.h"
#include "auth/sessions.h"
#include "auth/users.h"
#include "base/clock.h"
#include "cli/control.h"
#include "cli/data_folder.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::cli {
namespace {

namespace bj = json::bj;
using store::Transaction;

// What is typed is not shown while it lives.
class Unseen {
 public:
  Unseen() {
    is_terminal_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!is_terminal_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Unseen() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

 private:
  termios before_{};
  bool is_terminal_ = false;
};

Result<std::string> read_line(const char* question) {
  const bool asks = ::isatty(STDIN_FILENO) != 0;
  if (asks) fmt::print(stderr, "{}: ", question);
  std::string line;
  {
    const Unseen unseen;
    std::getline(std::cin, line);
  }
  if (asks) fmt::print(stderr, "\n");
  if (!std::cin)
    return fail(ErrorCode::invalid_request, "give the password as the first line of standard input");
  return line;
}

Result<std::string> ask_password() {
  std::string password = TRY(read_line("Password"));
  if (auto good = auth::check_password(password); !good)
    return fail(ErrorCode::invalid_request, "the password " + good.error().message);
  if (::isatty(STDIN_FILENO) != 0 && TRY(read_line("Once more")) != password)
    return fail(ErrorCode::invalid_request, "these are two passwords; try again");
  return password;
}

Result<bj::object> list(store::Store& store) {
  bj::array users;
  TRY(store.read([&](store::Reader& reader) -> Result<void> {
    for (const auth::User& user : TRY(auth::list_users(reader))) {
      users.push_back(bj::object{{"username", user.username},
                                 {"role", auth::role_name(user.role)},
                                 {"state", user.disabled_at_ms  ? "disabled"
                                           : user.password_hash ? "active"
                                                                : "no password"},
                                 {"created_at", format_time(user.created_at_ms)}});
    }
    return {};
  }));
  return bj::object{{"users", std::move(users)}};
}

// The first account is an admin and has what was there before, however it is made.
Result<void> add(Transaction& transaction, const std::string& username, std::string_view role,
                 const std::string& hash) {
  const bool first = !TRY(auth::has_accounts(transaction));
  const auth::User user = first
                              ? TRY(auth::add_first_user(transaction, username, hash))
                              : TRY(auth::add_user(transaction, username,
                                                   auth::parse_role(role).value_or(auth::Role::user), hash));
  return auth::add_audit(
      transaction,
      {.action = "user.create", .subject = user.id, .detail = username, .address = "this machine"});
}

Result<void> change(Transaction& transaction, const std::string& username, const auth::UserChange& change,
                    std::string_view action) {
  const auto user = TRY(auth::find_username(transaction, username));
  if (!user) return fail(ErrorCode::not_found, fmt::format("there is no user {}", username));
  TRY(auth::change_user(transaction, user->id, change));
  if (change.disabled != false) TRY(auth::end_sessions(transaction, user->id, ""));
  return auth::add_audit(transaction, {.action = "user.change",
                                       .subject = user->id,
                                       .detail = std::string(action),
                                       .address = "this machine"});
}

Result<bj::object> administer(const Config& config, bj::object wanted) {
  const std::filesystem::path data = config.data_folder();
  const Result<UniqueFd> lock = lock_data_folder(data);
  if (!lock && lock.error().code == ErrorCode::conflict) {
    wanted["type"] = "users";
    return ask_server(data, wanted);
  }
  if (!lock) return fail(lock.error());
  TRY(check_owner(data));
  const auto store = TRY(store::open_sqlite(database_path(data), {}));
  const auto accounts = TRY(auth::Accounts::open(*store, token_keys_path(data), true));
  return administer_users(*store, *accounts, wanted);
}

}  // namespace

Result<bj::object> administer_users(store::Store& store, auth::Accounts& accounts, const bj::object& wanted) {
  const std::string action = TRY(json::get_string(wanted, "action"));
  if (action == "list") return list(store);
  const std::string username = TRY(json::get_string(wanted, "username"));
  if (auto good = auth::check_username(username); !good)
    return fail(ErrorCode::invalid_request, "the user name " + good.error().message);
  std::string hash;
  if (action == "add" || action == "reset-password") {
    std::string password = TRY(json::get_string(wanted, "password"));
    TRY(auth::check_password(password));
    hash = TRY(accounts.hash(std::move(password)));
  }
  TRY(store.write([&](Transaction& transaction) -> Result<void> {
    if (action == "add") return add(transaction, username, TRY(json::get_string(wanted, "role")), hash);
    if (action == "reset-password") return change(transaction, username, {.hash = hash}, action);
    if (action == "disable") return change(transaction, username, {.disabled = true}, action);
    if (action == "enable") return change(transaction, username, {.disabled = false}, action);
    return fail(ErrorCode::invalid_request,
                "the server does not know this command; is it of another version?");
  }));
  return bj::object();
}

ExitCode run_users(const UsersArguments& arguments, const Config& config) {
  const auto run = [&]() -> Result<void> {
    bj::object wanted{
        {"action", arguments.action}, {"username", arguments.username}, {"role", arguments.role}};
    if (arguments.action == "add" || arguments.action == "reset-password")
      wanted["password"] = TRY(ask_password());
    const bj::object answer = TRY(administer(config, std::move(wanted)));
    const bj::value* users = answer.if_contains("users");
    if (users == nullptr || !users->is_array()) return {};
    for (const bj::value& user : users->get_array()) {
      if (!user.is_object()) continue;
      const bj::object& row = user.get_object();
      fmt::print("{:<24} {:<6} {:<12} {}\n", TRY(json::get_string(row, "username")),
                 TRY(json::get_string(row, "role")), TRY(json::get_string(row, "state")),
                 TRY(json::get_string(row, "created_at")));
    }
    return {};
  };
  const Result<void> done = run();
  if (done) return ExitCode::ok;
  fmt::print(stderr, "hansard: {}\n", done.error().message);
  return exit_code(done.error().code);
}

}  // namespace hansard::cli
