// What stages computed, kept as files `<cache>/<stage>/<key>`. A key names everything that may change the
// bytes, so equal keys mean equal bytes, and any number of processes may read, write, evict and clear at
// once: a write is a rename, a reader holds a shared lock on what it uses, time of last use orders eviction.
// There is no index.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace hansard::pipeline {

// 64 hexadecimal characters out of everything a result depends on, in order. Parts are length-prefixed, so
// that no two lists of parts give the same bytes.
class Key {
 public:
  // `recording`: SHA-256 of the recording that the result tells of. It is part of the artifact's name, so
  // that all of a recording's can be found and forgotten.
  explicit Key(std::string_view stage, int version, std::string_view recording);
  Key& add(std::string_view part);
  Key& add(int64_t part);
  const std::string& stage() const { return stage_; }
  std::string hex() const;
  std::string file_name() const;

 private:
  std::string stage_;
  std::string recording_;
  std::string parts_;
};

// Threads: one object may be used by any number of threads.
class Artifacts {
 public:
  // `folder` is made by the first save. What is kept is held under `limit_bytes`, except what is in use.
  Artifacts(std::filesystem::path folder, uint64_t limit_bytes);

  // The bytes of an artifact, or nothing. One that cannot be read counts as not there. The result holds the
  // artifact's lock: it will not be evicted while the holder lives.
  struct Held {
    std::string bytes;
    UniqueFd lock;
  };
  std::optional<Held> load(const Key& key) const;
  bool contains(const Key& key) const;

  // Errors: insufficient_storage, permission_denied, internal. What is there already stays as it is.
  Result<void> save(const Key& key, std::string_view bytes) const;

  struct Usage {
    uint64_t bytes = 0;
    uint64_t count = 0;
  };
  std::map<std::string, Usage> usage() const;  // by stage

  // Removes what is least recently used until the limit holds, but nothing in use. Also removes temporary
  // files that a crash left behind more than a day ago.
  void evict() const;

  // Removes all that tells of this recording, but nothing in use.
  void forget(std::string_view recording) const;

  // Removes everything that is not in use or being written; how much that was.
  Usage clear() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  Usage evict_down_to(uint64_t limit_bytes) const;

  std::filesystem::path folder_;
  uint64_t limit_bytes_;
};

}  // namespace hansard::pipeline
