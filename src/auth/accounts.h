// How people and programs come in: turns credentials into who it is, and gives people their tokens. The rows
// are those of users.h, sessions.h and api_keys.h. Any thread; what needs a password waits for its turn.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/attempts.h"
#include "auth/identity.h"
#include "auth/passwords.h"
#include "auth/tokens.h"
#include "auth/users.h"
#include "store/store.h"

namespace hansard::auth {

// What a request brings along to say who it is from; the first that is there counts.
struct Credentials {
  std::optional<std::string_view> api_key;        // X-API-Key
  std::optional<std::string_view> authorization;  // "Bearer …": an access token or a key
  std::optional<std::string_view> audio_token;    // of the query, for reading `resource` alone
  std::string_view resource;
};

// What a person has after coming in.
struct Entry {
  User user;
  std::string session_id;
  std::string access_token;
  std::string refresh_token;
  int64_t access_expires_at_ms = 0;
};
// Who tries to come in may have to wait.
struct Admission {
  std::optional<Entry> entry;                // nothing: something was wrong, and it is not said what
  std::optional<std::chrono::seconds> wait;  // nothing was looked at: too many were wrong before
};

class Accounts {
 public:
  // `required`: everyone must say who they are; else everyone is the first admin. Keys that sign are made
  // where there are none. Errors: those of the store and of the keys' file.
  static Result<std::unique_ptr<Accounts>> open(store::Store& store, const std::filesystem::path& keys_file,
                                                bool required);

  // Nothing where the credentials are missing or no good.
  Result<std::optional<Identity>> identify(const Credentials& credentials);
  // Whether an identity of before is still good: its user not disabled, its session or key not revoked.
  Result<bool> holds(const Identity& identity) const;

  // While there is no account: the first to register is an admin, and has what the local user had.
  Result<bool> may_register() const;
  // Printed when the server starts; whoever comes from another machine needs it. Empty where there is an
  // account already.
  const std::string& setup_code() const { return setup_code_; }
  bool is_setup_code(std::string_view code) const;

  // Errors: invalid_request ("username", "password" in the detail), conflict, rate_limited.
  Result<Entry> register_first(std::string_view username, std::string password, const Client& client);
  // Errors of these: rate_limited while too many passwords are checked.
  Result<Admission> login(std::string_view username, std::string password, const Client& client);
  Result<std::optional<Entry>> refresh(std::string_view refresh_token, const Client& client);
  Result<void> logout(std::string_view refresh_token);
  // Whether it is this user's password, counted like a login.
  Result<Admission> confirm(const Identity& identity, std::string password, const Client& client);
  // All sessions but this identity's end.
  Result<void> change_password(const Identity& identity, std::string password);
  Result<std::string> hash(std::string password) { return passwords_.hash(std::move(password)); }

  struct AudioToken {
    std::string token;
    int64_t expires_at_ms = 0;
  };
  AudioToken audio_token(const Identity& identity, std::string_view resource) const;

 private:
  Accounts(store::Store& store, TokenKeys keys) : store_(store), keys_(std::move(keys)) {}
  Entry entry_of(User user, std::string session_id, std::string refresh_token) const;
  Result<std::optional<Identity>> of_session(std::string_view token) const;
  Result<std::optional<Identity>> of_api_key(std::string_view secret) const;
  Result<std::optional<Identity>> of_audio_token(std::string_view token, std::string_view resource) const;

  store::Store& store_;
  const TokenKeys keys_;
  Passwords passwords_;
  Attempts attempts_;
  std::optional<Identity> nobody_;  // everyone, where nobody is asked
  std::string setup_code_;
};

}  // namespace hansard::auth
