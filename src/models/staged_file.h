// A file of a model while it is being put together: bytes are hashed as they are written, so that the
// checksum is known the moment the last one is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/hash.h"
#include "base/result.h"

namespace hansard::models {

// One thread at a time. Errors of all: permission_denied, insufficient_storage, internal.
class StagedFile {
 public:
  // Begins anew, whatever lies at `path`.
  static Result<StagedFile> create(const std::filesystem::path& path);
  // Keeps what lies at `path` and hashes it. Errors: also canceled.
  static Result<StagedFile> resume(const std::filesystem::path& path, const std::stop_token& stop);

  Result<void> append(std::string_view bytes);
  Result<void> restart();
  uint64_t size_bytes() const { return size_bytes_; }

  // Waits until the bytes are on the disk; gives their SHA-256. Once.
  Result<std::string> finish();

 private:
  UniqueFd fd_;
  Sha256 hash_;
  uint64_t size_bytes_ = 0;
};

}  // namespace hansard::models
