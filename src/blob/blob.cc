#include "blob/blob.h"

#include <cassert>
#include <utility>
#include <vector>

#include "base/log.h"

namespace hansard::blob {

bool is_blob_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.front() == '/' || name.back() == '/') return false;
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789._-/";
  if (name.find_first_not_of(kAllowed) != std::string_view::npos) return false;
  // No part is hidden, empty or a way up.
  for (size_t at = 0; at < name.size();) {
    if (name[at] == '.' || name[at] == '/') return false;
    const size_t slash = name.find('/', at);
    if (slash == std::string_view::npos) break;
    at = slash + 1;
  }
  return true;
}

Result<std::unique_ptr<Writer>> Blobs::create(std::string_view name) {
  {
    // The new blob is not what was to be removed.
    const std::lock_guard lock(mutex_);
    if (const auto old = put_off_.find(name); old != put_off_.end()) put_off_.erase(old);
    if (created_) created_->emplace(name);
  }
  return begin(name);
}

Result<void> Blobs::put(std::string_view name, std::string_view bytes) {
  std::unique_ptr<Writer> writer = TRY(create(name));
  TRY(writer->append(bytes));
  return writer->commit();
}

Result<void> Blobs::remove(std::string_view name) {
  // The lock is kept: nobody may begin to hold what is just being removed.
  const std::lock_guard lock(mutex_);
  return erase_or_put_off(name);
}

Result<void> Blobs::erase_or_put_off(std::string_view name) {
  if (holds_ == 0) return erase(name);
  put_off_.emplace(name);
  return {};
}

Blobs::Hold::Hold(Blobs& blobs) : blobs_(blobs) {
  const std::lock_guard lock(blobs_.mutex_);
  ++blobs_.holds_;
}

Blobs::Hold::~Hold() {
  const std::lock_guard lock(blobs_.mutex_);
  if (--blobs_.holds_ > 0) return;
  for (const std::string& name : std::exchange(blobs_.put_off_, {})) {
    if (const auto erased = blobs_.erase(name); !erased)
      log::warning("{} was not removed: {}", name, erased.error().message);
  }
}

Blobs::Sweep::Sweep(Blobs& blobs) : blobs_(blobs) {
  const std::lock_guard lock(blobs_.mutex_);
  assert(!blobs_.created_);
  blobs_.created_.emplace();
}

Blobs::Sweep::~Sweep() {
  const std::lock_guard lock(blobs_.mutex_);
  blobs_.created_.reset();
}

Result<int64_t> Blobs::Sweep::remove_unnamed(
    std::string_view prefix, int64_t before_ms,
    const std::function<Result<bool>(const std::string&)>& is_named) {
  std::vector<std::string> old;
  TRY(blobs_.list(prefix, [&](const Found& found) {
    if (found.modified_ms < before_ms) old.push_back(found.name);
  }));
  int64_t removed = 0;
  for (const std::string& name : old) {
    if (TRY(is_named(name))) continue;
    // The lock is kept: from here on whoever creates one of this name creates it anew.
    const std::lock_guard lock(blobs_.mutex_);
    if (blobs_.created_->contains(name)) continue;
    TRY(blobs_.erase_or_put_off(name));
    ++removed;
  }
  return removed;
}

}  // namespace hansard::blob
