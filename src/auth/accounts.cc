#include "auth/accounts.h"

#include <algorithm>

#include "auth/api_keys.h"
#include "auth/audit.h"
#include "auth/sessions.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"

namespace hansard::auth {
namespace {

using store::Reader;
using store::Transaction;

Identity identity_of(const User& user, Identity::By by, std::string credential, bool can_write) {
  return {user.id, user.username, user.role, by, std::move(credential), can_write};
}

std::optional<std::string_view> bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return std::nullopt;
  const bool bearer = std::equal(kScheme.begin(), kScheme.end(), authorization.begin(), [](char a, char b) {
    return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
  });
  if (!bearer) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

int64_t milliseconds(std::chrono::milliseconds time) {
  return time.count();
}

}  // namespace

Result<std::unique_ptr<Accounts>> Accounts::open(store::Store& store, const std::filesystem::path& keys_file,
                                                 bool required) {
  TokenKeys keys = TRY(TokenKeys::open(keys_file, store.now_ms()));
  std::unique_ptr<Accounts> accounts(new Accounts(store, std::move(keys)));
  if (required) {
    if (TRY(accounts->may_register())) accounts->setup_code_ = random_hex(8);
    return accounts;
  }
  TRY(store.write([&](Transaction& transaction) -> Result<void> {
    accounts->nobody_ = identity_of(TRY(local_user(transaction)), Identity::By::nobody, "", true);
    accounts->nobody_->role = Role::admin;
    return {};
  }));
  return accounts;
}

// ---- who it is

Result<std::optional<Identity>> Accounts::identify(const Credentials& credentials) {
  if (nobody_) return nobody_;
  if (credentials.api_key) return of_api_key(*credentials.api_key);
  if (credentials.authorization) {
    const auto token = bearer_token(*credentials.authorization);
    if (!token) return std::optional<Identity>();
    return looks_like_api_key(*token) ? of_api_key(*token) : of_session(*token);
  }
  if (credentials.audio_token) return of_audio_token(*credentials.audio_token, credentials.resource);
  return std::optional<Identity>();
}

Result<std::optional<Identity>> Accounts::of_session(std::string_view token) const {
  const auto claims = keys_.verify(Audience::api, token, store_.now_ms());
  if (!claims) return std::optional<Identity>();
  std::optional<Identity> identity;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    const auto user = TRY(find_user(reader, claims->user_id));
    if (!user || user->disabled_at_ms) return {};
    if (!TRY(is_session(reader, user->id, claims->session_id, store_.now_ms()))) return {};
    identity = identity_of(*user, Identity::By::session, claims->session_id, true);
    return {};
  }));
  return identity;
}

Result<std::optional<Identity>> Accounts::of_api_key(std::string_view secret) const {
  std::optional<Identity> identity;
  const int64_t now_ms = store_.now_ms();
  bool write_use = false;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    const auto key = TRY(find_secret(reader, secret));
    if (!key || !key->works_at(now_ms)) return {};
    const auto user = TRY(find_user(reader, key->user_id));
    if (!user || user->disabled_at_ms) return {};
    identity = identity_of(*user, Identity::By::api_key, key->id, key->can_write);
    write_use = key->last_used_at_ms.value_or(0) + milliseconds(limits::kLastUseInterval) <= now_ms;
    return {};
  }));
  if (identity && write_use) {
    store_.write_later(
        [id = identity->credential](Transaction& transaction) { return note_use(transaction, id); },
        [](const Result<void>&) {});
  }
  return identity;
}

Result<std::optional<Identity>> Accounts::of_audio_token(std::string_view token,
                                                         std::string_view resource) const {
  const auto claims = keys_.verify(Audience::audio, token, store_.now_ms());
  if (!claims || claims->resource != resource) return std::optional<Identity>();
  std::optional<Identity> identity;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    const auto user = TRY(find_user(reader, claims->user_id));
    if (user && !user->disabled_at_ms) identity = identity_of(*user, Identity::By::audio_token, "", false);
    return {};
  }));
  return identity;
}

Result<bool> Accounts::holds(const Identity& identity) const {
  if (identity.by == Identity::By::nobody) return true;
  bool good = false;
  const int64_t now_ms = store_.now_ms();
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    const auto user = TRY(find_user(reader, identity.user_id));
    if (!user || user->disabled_at_ms) return {};
    if (identity.by == Identity::By::session) {
      good = TRY(is_session(reader, user->id, identity.credential, now_ms));
    } else if (identity.by == Identity::By::api_key) {
      const auto key = TRY(find_api_key(reader, identity.credential));
      good = key && key->works_at(now_ms);
    }
    return {};
  }));
  return good;
}

// ---- coming in

Result<bool> Accounts::may_register() const {
  bool any = true;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    any = TRY(has_accounts(reader));
    return {};
  }));
  return !any;
}

bool Accounts::is_setup_code(std::string_view code) const {
  return !setup_code_.empty() && same_secret(setup_code_, code);
}

Entry Accounts::entry_of(User user, std::string session_id, std::string refresh_token) const {
  Entry entry;
  const int64_t now_s = store_.now_ms() / 1000;
  const int64_t expires_s = now_s + std::chrono::seconds(limits::kAccessTokenAge).count();
  entry.access_token = keys_.sign(
      Audience::api,
      {.user_id = user.id, .session_id = session_id, .issued_at_s = now_s, .expires_at_s = expires_s});
  entry.access_expires_at_ms = expires_s * 1000;
  entry.user = std::move(user);
  entry.session_id = std::move(session_id);
  entry.refresh_token = std::move(refresh_token);
  return entry;
}

Result<Entry> Accounts::register_first(std::string_view username, std::string password,
                                       const Client& client) {
  // Hashing is dear: not for those who are too late.
  if (!TRY(may_register())) {
    return fail(ErrorCode::conflict, "there is an account already; ask its owner for one of your own");
  }
  const std::string hash = TRY(passwords_.hash(std::move(password)));
  std::optional<Entry> entry;
  TRY(store_.write([&](Transaction& transaction) -> Result<void> {
    User user = TRY(add_first_user(transaction, username, hash));
    Refreshed session = TRY(begin_session(transaction, user.id, client));
    TRY(add_audit(transaction, {.user_id = user.id,
                                .credential = session.session_id,
                                .action = "user.register",
                                .subject = user.id,
                                .address = client.address}));
    entry = entry_of(std::move(user), std::move(session.session_id), std::move(session.token));
    return {};
  }));
  return std::move(*entry);
}

Result<Admission> Accounts::login(std::string_view username, std::string password, const Client& client) {
  Admission admission;
  admission.wait = attempts_.begin(username, client.address, store_.now_ms());
  if (admission.wait) return admission;
  std::optional<User> user;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    user = TRY(find_username(reader, username));
    return {};
  }));
  const auto right = passwords_.verify(user ? user->password_hash : std::nullopt, std::move(password));
  if (!right) {
    attempts_.take_back(username, client.address);
    return fail(right.error());
  }
  if (!*right || user->disabled_at_ms) {
    log::info("auth: a login was refused; peer {}", client.address);
    return admission;
  }
  TRY(store_.write([&](Transaction& transaction) -> Result<void> {
    // The password may have been changed, or the user disabled, while it was checked.
    const auto now = TRY(find_user(transaction, user->id));
    if (!now || now->disabled_at_ms || now->password_hash != user->password_hash) return {};
    Refreshed session = TRY(begin_session(transaction, now->id, client));
    TRY(add_audit(transaction, {.user_id = now->id,
                                .credential = session.session_id,
                                .action = "auth.login",
                                .subject = session.session_id,
                                .address = client.address}));
    admission.entry = entry_of(*now, std::move(session.session_id), std::move(session.token));
    return {};
  }));
  if (admission.entry) attempts_.succeed(username, client.address);
  return admission;
}

Result<std::optional<Entry>> Accounts::refresh(std::string_view refresh_token, const Client& client) {
  std::optional<Entry> entry;
  TRY(store_.write([&](Transaction& transaction) -> Result<void> {
    entry.reset();
    auto next = TRY(refresh_session(transaction, keys_, refresh_token, client));
    if (!next) return {};
    auto user = TRY(find_user(transaction, next->user_id));
    if (!user || user->disabled_at_ms) return {};
    entry = entry_of(std::move(*user), std::move(next->session_id), std::move(next->token));
    return {};
  }));
  return entry;
}

Result<void> Accounts::logout(std::string_view refresh_token) {
  return store_.write([&](Transaction& transaction) -> Result<void> {
    if (const auto session = TRY(session_of(transaction, refresh_token))) {
      TRY(end_session(transaction, session->user_id, session->session_id));
    }
    return {};
  });
}

Result<Admission> Accounts::confirm(const Identity& identity, std::string password, const Client& client) {
  Admission admission;
  admission.wait = attempts_.begin(identity.username, client.address, store_.now_ms());
  if (admission.wait) return admission;
  std::optional<User> user;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    user = TRY(find_user(reader, identity.user_id));
    return {};
  }));
  const auto right = passwords_.verify(user ? user->password_hash : std::nullopt, std::move(password));
  if (!right) {
    attempts_.take_back(identity.username, client.address);
    return fail(right.error());
  }
  if (!*right) return admission;
  attempts_.succeed(identity.username, client.address);
  admission.entry = Entry{.user = std::move(*user)};
  return admission;
}

Result<void> Accounts::change_password(const Identity& identity, std::string password) {
  const std::string hash = TRY(passwords_.hash(std::move(password)));
  return store_.write([&](Transaction& transaction) -> Result<void> {
    TRY(change_user(transaction, identity.user_id, {.hash = hash}));
    TRY(end_sessions(transaction, identity.user_id, identity.credential));
    return {};
  });
}

Accounts::AudioToken Accounts::audio_token(const Identity& identity, std::string_view resource) const {
  const int64_t now_s = store_.now_ms() / 1000;
  const int64_t expires_s = now_s + std::chrono::seconds(limits::kAudioTokenAge).count();
  return {keys_.sign(Audience::audio, {.user_id = identity.user_id,
                                       .resource = std::string(resource),
                                       .issued_at_s = now_s,
                                       .expires_at_s = expires_s}),
          expires_s * 1000};
}

}  // namespace hansard::auth
