// Accounts over a real store, with a clock of the test's.

#include "auth/accounts.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include <fmt/format.h>

#include "auth/api_keys.h"
#include "auth/audit.h"
#include "auth/sessions.h"
#include "auth/standing.h"
#include "base/limits.h"
#include "base/temporary_folder.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::auth {
namespace {

constexpr const char* kPassword = "correct horse";
const Client kBrowser{.address = "127.0.0.1", .program = "browser"};
const Client kOther{.address = "10.0.0.9", .program = "thief"};

class AccountsTest : public testing::Test {
 protected:
  AccountsTest() { open(true); }
  void open(bool required) {
    accounts_.reset();
    store_.reset();
    store_ = store::open_sqlite(folder_ / "db", {.now_ms = [this] { return now_ms_.load(); }}).value();
    accounts_ = Accounts::open(*store_, folder_ / "keys.json", required).value();
  }
  void pass(std::chrono::milliseconds time) { now_ms_ += time.count(); }
  Entry first() { return accounts_->register_first("Ada", kPassword, kBrowser).value(); }
  User add(const std::string& name, Role role = Role::user) {
    const std::string hash = accounts_->hash(kPassword).value();
    return in_transaction([&](store::Transaction& t) { return add_user(t, name, role, hash); });
  }
  std::optional<Identity> bearer(const std::string& token) {
    const std::string text = "Bearer " + token;
    return accounts_->identify({.authorization = text}).value();
  }
  template <typename Work>
  auto in_transaction(Work work) -> typename std::invoke_result_t<Work, store::Transaction&>::value_type {
    std::optional<std::invoke_result_t<Work, store::Transaction&>> result;
    EXPECT_TRUE(store_->write([&](store::Transaction& t) -> Result<void> {
      result = work(t);
      return {};
    }));
    return std::move(**result);
  }
  MadeApiKey key_of(const std::string& user_id, bool can_write = true,
                    std::optional<int64_t> expires_at_ms = {}) {
    return in_transaction([&](store::Transaction& t) {
      return add_api_key(t, {user_id, "script", "", can_write, expires_at_ms});
    });
  }

  const TemporaryFolder folder_;
  std::atomic<int64_t> now_ms_ = 1'795'000'000'000;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Accounts> accounts_;
};

TEST_F(AccountsTest, TheFirstAccountIsAnAdminAndTakesOverWhatTheLocalUserHad) {
  open(false);
  const std::string local = accounts_->identify({})->value().user_id;
  EXPECT_EQ(accounts_->identify({})->value().role, Role::admin);
  open(true);
  EXPECT_FALSE(accounts_->identify({}).value());
  EXPECT_TRUE(accounts_->may_register().value());
  EXPECT_TRUE(accounts_->is_setup_code(accounts_->setup_code()));
  EXPECT_FALSE(accounts_->is_setup_code(""));
  const Entry entry = first();
  EXPECT_EQ(entry.user.id, local);
  EXPECT_EQ(entry.user.username, "Ada");
  EXPECT_EQ(entry.user.role, Role::admin);
  const auto second = accounts_->register_first("bob", kPassword, kBrowser);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  // Without accounts being asked for, everyone is still the same.
  open(false);
  EXPECT_EQ(accounts_->identify({})->value().user_id, local);
  open(true);
  EXPECT_TRUE(accounts_->setup_code().empty());
}

TEST_F(AccountsTest, ALoginGivesATokenThatSaysWhoItIs) {
  first();
  const auto admission = accounts_->login("ada", kPassword, kBrowser).value();
  ASSERT_TRUE(admission.entry);
  const auto identity = bearer(admission.entry->access_token);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->username, "Ada");
  EXPECT_EQ(identity->by, Identity::By::session);
  pass(limits::kAccessTokenAge);
  EXPECT_FALSE(bearer(admission.entry->access_token)) << "expired";
}

TEST_F(AccountsTest, WrongPasswordUnknownDisabledAndWithoutPasswordAreAllTheSame) {
  first();
  const User bob = add("bob");
  const auto refused = [&](const std::string& name, const std::string& password) {
    const auto admission = accounts_->login(name, password, kBrowser);
    return admission && !admission->entry && !admission->wait;
  };
  EXPECT_TRUE(refused("ada", "wrong horse"));
  EXPECT_TRUE(refused("nobody", kPassword));
  EXPECT_TRUE(refused("nobody", ""));
  EXPECT_TRUE(accounts_->login("bob", kPassword, kBrowser)->entry);
  in_transaction([&](store::Transaction& t) { return change_user(t, bob.id, {.disabled = true}); });
  EXPECT_TRUE(refused("bob", kPassword));
}

TEST_F(AccountsTest, GuessingIsSlowedAndTheRightPasswordDoesNotHelpThen) {
  first();
  for (int i = 0; i < limits::kAttemptsOfName; ++i)
    EXPECT_FALSE(accounts_->login("ada", "wrong horse", kOther)->entry);
  const auto next = accounts_->login("ada", kPassword, kOther).value();
  EXPECT_FALSE(next.entry);
  EXPECT_GT(next.wait.value(), std::chrono::minutes(14));
  pass(limits::kAttemptsAge);
  EXPECT_TRUE(accounts_->login("ada", kPassword, kOther)->entry);
}

TEST_F(AccountsTest, MoreThanSoManyPasswordsDoNotWait) {
  std::vector<std::future<bool>> answers;
  constexpr size_t kMore = 8;
  std::atomic<size_t> done = 0;
  for (size_t i = 0; i < limits::kWaitingPasswords + kMore; ++i) {
    answers.push_back(std::async(std::launch::async, [&] {
      const auto hash = accounts_->hash(kPassword);
      ++done;
      return !hash && hash.error().code == ErrorCode::rate_limited;
    }));
  }
  size_t refused = 0;
  for (auto& answer : answers) refused += answer.get() ? 1 : 0;
  // Those that were done while others came made room.
  EXPECT_GT(refused, 0U);
  EXPECT_LE(refused, kMore);
}

TEST_F(AccountsTest, ARefreshTokenIsGoodOnceAndUsingItAgainEndsTheSession) {
  const Entry entry = first();
  const auto second = accounts_->refresh(entry.refresh_token, kBrowser).value();
  ASSERT_TRUE(second);
  EXPECT_NE(second->refresh_token, entry.refresh_token);
  EXPECT_EQ(second->session_id, entry.session_id);
  const auto third = accounts_->refresh(second->refresh_token, kBrowser).value();
  ASSERT_TRUE(third);
  pass(limits::kRefreshGrace + std::chrono::milliseconds(1));
  EXPECT_TRUE(bearer(third->access_token));
  EXPECT_FALSE(accounts_->refresh(entry.refresh_token, kBrowser).value()) << "spent";
  EXPECT_FALSE(accounts_->refresh(third->refresh_token, kBrowser).value()) << "its family is revoked";
  EXPECT_FALSE(bearer(third->access_token)) << "and so is what it gave";
}

TEST_F(AccountsTest, TwoTabsThatRefreshAtOnceGetTheSameSuccessorAndAStrangerEndsAll) {
  const Entry entry = first();
  const std::string next = accounts_->refresh(entry.refresh_token, kBrowser)->value().refresh_token;
  pass(limits::kRefreshGrace);
  EXPECT_EQ(accounts_->refresh(entry.refresh_token, kBrowser)->value().refresh_token, next);
  EXPECT_FALSE(accounts_->refresh(entry.refresh_token, kOther).value());
  EXPECT_FALSE(accounts_->refresh(next, kBrowser).value());
}

TEST_F(AccountsTest, RefreshTokensExpireAndAreForgotten) {
  const Entry entry = first();
  pass(limits::kRefreshTokenAge);
  EXPECT_FALSE(accounts_->refresh(entry.refresh_token, kBrowser).value());
  pass(std::chrono::milliseconds(1));
  EXPECT_EQ(in_transaction([](store::Transaction& t) { return forget_sessions(t); }), 1);
}

TEST_F(AccountsTest, SessionsAreListedAndEndOneByOne) {
  const Entry here = first();
  const Entry there = accounts_->login("ada", kPassword, kOther)->entry.value();
  const auto sessions =
      in_transaction([&](store::Transaction& t) { return list_sessions(t, here.user.id, t.now_ms()); });
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_TRUE(
      in_transaction([&](store::Transaction& t) { return end_session(t, here.user.id, there.session_id); }));
  EXPECT_FALSE(
      in_transaction([&](store::Transaction& t) { return end_session(t, "user_else", here.session_id); }));
  EXPECT_FALSE(bearer(there.access_token));
  EXPECT_TRUE(bearer(here.access_token));
  ASSERT_TRUE(accounts_->logout(here.refresh_token));
  EXPECT_FALSE(bearer(here.access_token));
  EXPECT_TRUE(accounts_->logout("hsr_unknown"));
}

TEST_F(AccountsTest, ANewPasswordEndsAllOtherSessions) {
  const Entry here = first();
  const Entry there = accounts_->login("ada", kPassword, kOther)->entry.value();
  const Identity identity = bearer(here.access_token).value();
  EXPECT_FALSE(accounts_->confirm(identity, "wrong horse", kBrowser)->entry);
  EXPECT_TRUE(accounts_->confirm(identity, kPassword, kBrowser)->entry);
  ASSERT_TRUE(accounts_->change_password(identity, "battery staple"));
  EXPECT_TRUE(bearer(here.access_token));
  EXPECT_FALSE(bearer(there.access_token));
  EXPECT_FALSE(accounts_->login("ada", kPassword, kBrowser)->entry);
  EXPECT_TRUE(accounts_->login("ada", "battery staple", kBrowser)->entry);
}

TEST_F(AccountsTest, AKeySaysWhoItIsEitherWayUntilItIsRevokedOrExpires) {
  const std::string user = first().user.id;
  const MadeApiKey key = key_of(user, false);
  const auto identity = accounts_->identify({.api_key = key.secret}).value();
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->user_id, user);
  EXPECT_FALSE(identity->can_write);
  EXPECT_EQ(bearer(key.secret)->credential, key.key.id);
  EXPECT_FALSE(accounts_->identify({.api_key = key.secret + "x"}).value());
  EXPECT_FALSE(accounts_->identify({.api_key = key.key.id}).value());
  EXPECT_EQ(key.key.preview.find(key.secret), std::string::npos);

  EXPECT_FALSE(
      in_transaction([&](store::Transaction& t) { return remove_api_key(t, "user_else", key.key.id); }));
  EXPECT_TRUE(in_transaction([&](store::Transaction& t) { return remove_api_key(t, user, key.key.id); }));
  EXPECT_FALSE(accounts_->identify({.api_key = key.secret}).value());

  const MadeApiKey brief = key_of(user, true, now_ms_ + 1000);
  EXPECT_TRUE(bearer(brief.secret));
  pass(std::chrono::seconds(1));
  EXPECT_FALSE(bearer(brief.secret));
}

TEST_F(AccountsTest, AKeysLastUseIsWrittenDown) {
  const MadeApiKey key = key_of(first().user.id);
  ASSERT_TRUE(bearer(key.secret));
  const auto used = in_transaction([&](store::Transaction& t) { return find_api_key(t, key.key.id); });
  EXPECT_EQ(used->last_used_at_ms, now_ms_);
}

TEST_F(AccountsTest, AnAudioTokenIsForOneResource) {
  const Entry entry = first();
  const auto token = accounts_->audio_token(bearer(entry.access_token).value(), "/api/v1/files/file_1/audio");
  const auto ask = [&](std::string_view resource) {
    return accounts_->identify({.audio_token = token.token, .resource = resource}).value();
  };
  EXPECT_EQ(ask("/api/v1/files/file_1/audio")->by, Identity::By::audio_token);
  EXPECT_FALSE(ask("/api/v1/files/file_1/audio")->can_write);
  EXPECT_FALSE(ask("/api/v1/files/file_2/audio"));
  EXPECT_FALSE(ask(""));
  EXPECT_FALSE(bearer(token.token));
  pass(limits::kAudioTokenAge);
  EXPECT_FALSE(ask("/api/v1/files/file_1/audio"));
}

TEST_F(AccountsTest, OtherSchemesAreNobody) {
  const Entry entry = first();
  for (const std::string& text : {std::string("Basic YTpi"), std::string("Bearer"), std::string("Bearer "),
                                  std::string(), "bearer" + entry.access_token, entry.access_token}) {
    EXPECT_FALSE(accounts_->identify({.authorization = text}).value()) << text;
  }
  const std::string lower = "bearer   " + entry.access_token;
  EXPECT_TRUE(accounts_->identify({.authorization = lower}).value());
}

TEST_F(AccountsTest, NamesDifferInMoreThanTheirLetters) {
  first();
  const std::string hash = accounts_->hash(kPassword).value();
  const auto second = store_->write([&](store::Transaction& t) -> Result<void> {
    TRY(add_user(t, "ADA", Role::user, hash));
    return {};
  });
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  for (const char* name : {"", "two words", "tab\t", "caf\xc3\xa9", "<b>", "a/b"})
    EXPECT_FALSE(check_username(name)) << name;
  EXPECT_TRUE(check_username("ada.lovelace-1815_x+y@example.org"));
  EXPECT_FALSE(check_username(std::string(65, 'a')));
}

TEST_F(AccountsTest, PasswordsAreCountedInCharacters) {
  EXPECT_FALSE(check_password("1234567"));
  EXPECT_TRUE(check_password("12345678"));
  EXPECT_FALSE(check_password("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9")) << "four of two bytes";
  EXPECT_TRUE(check_password(std::string(256, 'x')));
  EXPECT_FALSE(check_password(std::string(257, 'x')));
}

TEST_F(AccountsTest, TheLastAdminStays) {
  const User ada = first().user;
  const auto refused = [&](const UserChange& change) {
    const auto done = store_->write([&](store::Transaction& t) -> Result<void> {
      TRY(change_user(t, ada.id, change));
      return {};
    });
    return !done && done.error().code == ErrorCode::conflict;
  };
  EXPECT_TRUE(refused({.role = Role::user}));
  EXPECT_TRUE(refused({.disabled = true}));
  EXPECT_FALSE(store_->write([&](store::Transaction& t) { return remove_user(t, ada.id); }));
  add("bob", Role::admin);
  EXPECT_FALSE(refused({.role = Role::user}));
}

TEST_F(AccountsTest, AStreamLosesItsStandingWithItsUserOrItsKey) {
  const Entry ada = first();
  const User bob = add("bob");
  const MadeApiKey key = key_of(bob.id);
  Standings standings(*accounts_, std::chrono::milliseconds(1));
  const auto by_key = standings.watch(bearer(key.secret).value());
  const auto by_session =
      standings.watch(bearer(accounts_->login("bob", kPassword, kBrowser)->entry->access_token).value());
  const auto of_ada = standings.watch(bearer(ada.access_token).value());
  in_transaction([&](store::Transaction& t) { return remove_api_key(t, bob.id, key.key.id); });
  while (by_key->holds()) std::this_thread::yield();
  EXPECT_TRUE(by_session->holds());
  in_transaction([&](store::Transaction& t) { return change_user(t, bob.id, {.disabled = true}); });
  while (by_session->holds()) std::this_thread::yield();
  EXPECT_TRUE(of_ada->holds());
}

TEST_F(AccountsTest, WhatWasDoneIsWrittenDownTheLatestFirst) {
  const Entry entry = first();
  ASSERT_TRUE(accounts_->login("ada", kPassword, kOther)->entry);
  const auto entries = in_transaction([](store::Transaction& t) { return list_audit(t, 0, 10); });
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].action, "auth.login");
  EXPECT_EQ(entries[0].address, kOther.address);
  EXPECT_EQ(entries[1].action, "user.register");
  EXPECT_EQ(entries[1].user_id, entry.user.id);
  EXPECT_EQ(in_transaction([&](store::Transaction& t) { return list_audit(t, entries[0].id, 10); }).size(),
            1U);
  pass(limits::kAuditAge + std::chrono::milliseconds(1));
  EXPECT_EQ(in_transaction([](store::Transaction& t) { return forget_audit(t); }), 2);
}

}  // namespace
}  // namespace hansard::auth
