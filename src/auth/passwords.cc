#include "auth/passwords.h"

#include <sodium.h>
#include <sys/resource.h>

#include <cassert>
#include <future>

#include <fmt/format.h>

#include "base/limits.h"

namespace hansard::auth {
namespace {

constexpr size_t kLeastCharacters = 8;
constexpr size_t kMostCharacters = 256;

size_t character_count(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
  return count;
}

Result<std::string> make_hash(const std::string& password) {
  std::string hash(crypto_pwhash_STRBYTES, '\0');
  if (crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                            crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(ErrorCode::out_of_memory, "there is no memory for hashing a password");
  }
  hash.resize(hash.find('\0'));
  return hash;
}

}  // namespace

Result<void> check_password(std::string_view password) {
  const size_t count = character_count(password);
  if (count >= kLeastCharacters && count <= kMostCharacters) return {};
  return fail(ErrorCode::invalid_request,
              fmt::format("must have {} to {} characters", kLeastCharacters, kMostCharacters));
}

Passwords::Passwords() {
  [[maybe_unused]] const int ready = sodium_init();
  assert(ready >= 0);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Passwords::run(const std::stop_token& stop) {
  // Of this thread alone: logins give way to transcripts and to requests.
  ::setpriority(PRIO_PROCESS, 0, 10);
  nobodys_hash_ = make_hash("").value_or("");
  std::unique_lock lock(mutex_);
  while (filled_.wait(lock, stop, [&] { return !waiting_.empty(); })) {
    const std::function<void()> work = std::move(waiting_.front());
    lock.unlock();
    work();
    lock.lock();
    // Counted until it is done.
    waiting_.pop_front();
  }
}

Result<void> Passwords::perform(const std::function<Result<void>()>& work) {
  std::promise<Result<void>> answer;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= limits::kWaitingPasswords) {
      return fail(ErrorCode::rate_limited,
                  "too many people log in at this moment; try again in a few seconds");
    }
    waiting_.emplace_back([&] { answer.set_value(work()); });
  }
  filled_.notify_one();
  return answer.get_future().get();
}

Result<std::string> Passwords::hash(std::string password) {
  Result<std::string> hash;
  TRY(perform([&]() -> Result<void> {
    hash = make_hash(password);
    return {};
  }));
  sodium_memzero(password.data(), password.size());
  return hash;
}

Result<bool> Passwords::verify(std::optional<std::string> hash, std::string password) {
  bool same = false;
  TRY(perform([&]() -> Result<void> {
    const std::string& against = hash ? *hash : nobodys_hash_;
    same = crypto_pwhash_str_verify(against.c_str(), password.data(), password.size()) == 0 && hash;
    return {};
  }));
  sodium_memzero(password.data(), password.size());
  return same;
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace hansard::auth
