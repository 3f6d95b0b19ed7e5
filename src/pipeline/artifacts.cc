#include "pipeline/artifacts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/limits.h"

namespace hansard::pipeline {
namespace {

namespace fs = std::filesystem;

struct Entry {
  fs::path path;
  std::string stage;
  uint64_t size_bytes = 0;
  timespec used = {};
};

bool is_artifact_name(std::string_view name) {
  return name.size() >= 64 && name.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

// Every artifact under the cache's folder. What vanishes meanwhile is passed over.
std::vector<Entry> entries(const fs::path& folder) {
  std::vector<Entry> found;
  std::error_code error;
  for (fs::directory_iterator stages(folder, error), end; !error && stages != end; stages.increment(error)) {
    std::error_code inner;
    for (fs::directory_iterator files(stages->path(), inner), none; !inner && files != none;
         files.increment(inner)) {
      if (!is_artifact_name(files->path().filename().string())) continue;
      struct stat status = {};
      if (::lstat(files->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      found.push_back(
          {files->path(), stages->path().filename(), static_cast<uint64_t>(status.st_size), status.st_mtim});
    }
  }
  return found;
}

void remove_abandoned_writes(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator stages(folder, error), end; !error && stages != end; stages.increment(error)) {
    remove_cut_off_writes(stages->path());
  }
}

// Enough of a recording's checksum to be nobody else's.
std::string recording_prefix(std::string_view recording) {
  return std::string(recording.substr(0, 32)) + "-";
}

bool remove_unless_in_use(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return false;
  return ::unlink(path.c_str()) == 0;
}

}  // namespace

Key::Key(std::string_view stage, int version, std::string_view recording)
    : stage_(stage), recording_(recording) {
  add(stage);
  add(version);
}

Key& Key::add(std::string_view part) {
  parts_ += std::to_string(part.size());
  parts_ += ':';
  parts_ += part;
  return *this;
}

Key& Key::add(int64_t part) {
  return add(std::to_string(part));
}

std::string Key::hex() const {
  return sha256_hex(parts_);
}

std::string Key::file_name() const {
  return recording_prefix(recording_) + hex();
}

Artifacts::Artifacts(fs::path folder, uint64_t limit_bytes)
    : folder_(std::move(folder)), limit_bytes_(limit_bytes) {}

std::optional<Artifacts::Held> Artifacts::load(const Key& key) const {
  Held held;
  held.lock.reset(
      ::open((folder_ / key.stage() / key.file_name()).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!held.lock || ::flock(held.lock.get(), LOCK_SH | LOCK_NB) != 0) return std::nullopt;
  struct stat status = {};
  if (::fstat(held.lock.get(), &status) != 0 || status.st_size > limits::kFramePayloadBytes)
    return std::nullopt;
  held.bytes.resize(static_cast<size_t>(status.st_size));
  if (!read_at(held.lock.get(), 0, std::as_writable_bytes(std::span(held.bytes)))) return std::nullopt;
  ::futimens(held.lock.get(), nullptr);  // used now; where that is not allowed it is merely evicted earlier
  return held;
}

bool Artifacts::contains(const Key& key) const {
  std::error_code ignored;
  return fs::is_regular_file(folder_ / key.stage() / key.file_name(), ignored);
}

Result<void> Artifacts::save(const Key& key, std::string_view bytes) const {
  const fs::path stage = folder_ / key.stage();
  TRY(make_private_folder(stage));
  return write_file_atomically(stage / key.file_name(), bytes, Sync::yes);
}

std::map<std::string, Artifacts::Usage> Artifacts::usage() const {
  std::map<std::string, Usage> by_stage;
  for (const Entry& entry : entries(folder_)) {
    by_stage[entry.stage].bytes += entry.size_bytes;
    by_stage[entry.stage].count += 1;
  }
  return by_stage;
}

void Artifacts::evict() const {
  remove_abandoned_writes(folder_);
  evict_down_to(limit_bytes_);
}

void Artifacts::forget(std::string_view recording) const {
  const std::string prefix = recording_prefix(recording);
  for (const Entry& entry : entries(folder_)) {
    if (entry.path.filename().string().starts_with(prefix)) remove_unless_in_use(entry.path);
  }
}

Artifacts::Usage Artifacts::clear() const {
  remove_abandoned_writes(folder_);
  return evict_down_to(0);
}

Artifacts::Usage Artifacts::evict_down_to(uint64_t limit_bytes) const {
  std::vector<Entry> all = entries(folder_);
  std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  uint64_t total = 0;
  for (const Entry& entry : all) total += entry.size_bytes;
  Usage removed;
  for (const Entry& entry : all) {
    if (total <= limit_bytes) break;
    if (!remove_unless_in_use(entry.path)) continue;
    total -= entry.size_bytes;
    removed.bytes += entry.size_bytes;
    removed.count += 1;
  }
  return removed;
}

}  // namespace hansard::pipeline
