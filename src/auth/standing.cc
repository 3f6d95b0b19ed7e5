#include "auth/standing.h"

#include <condition_variable>
#include <map>
#include <tuple>

#include "base/log.h"

namespace hansard::auth {

Standings::Standings(const Accounts& accounts, std::chrono::milliseconds interval)
    : accounts_(accounts), interval_(interval) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

std::shared_ptr<const Standing> Standings::watch(Identity identity) {
  auto standing = std::make_shared<Standing>(std::move(identity));
  const std::lock_guard lock(mutex_);
  watched_.push_back(standing);
  return standing;
}

void Standings::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock wait(mutex);
  while (!never.wait_for(wait, stop, interval_, [] { return false; }) && !stop.stop_requested()) look();
}

void Standings::look() {
  std::vector<std::shared_ptr<Standing>> present;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(watched_, [&](const std::weak_ptr<Standing>& weak) {
      auto standing = weak.lock();
      if (!standing || !standing->holds()) return true;
      present.push_back(std::move(standing));
      return false;
    });
  }
  // Many streams may come by one session or key.
  std::map<std::pair<std::string, std::string>, bool> known;
  for (const auto& standing : present) {
    const Identity& identity = standing->identity_;
    const auto [place, is_new] = known.try_emplace({identity.user_id, identity.credential}, true);
    if (is_new) {
      const auto holds = accounts_.holds(identity);
      if (!holds) log::warning("auth: a stream's right could not be looked up: {}", holds.error().message);
      place->second = holds.value_or(true);
    }
    standing->holds_ = place->second;
  }
}

}  // namespace hansard::auth
