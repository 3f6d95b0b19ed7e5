// Archives that may be hostile: tars that people import, wheels that packages come in. Read as a stream, file
// by file; nothing is ever written where the archive says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hansard::models {

// One thread at a time. Errors of all: invalid_request with what is wrong with the archive.
class Archive {
 public:
  enum class Format {
    tar,  // plain, or packed by gzip, zstd, xz or bzip2
    zip,
  };
  // More than `limit_bytes` of unpacked content, or more entries than any model has, is an error.
  static Result<Archive> open(const std::filesystem::path& path, Format format, uint64_t limit_bytes);
  Archive(Archive&&) noexcept;
  Archive& operator=(Archive&&) noexcept;
  ~Archive();

  struct Entry {
    std::string path;  // "folder/file": relative, without "." and ".."
    uint64_t size_bytes = 0;
  };
  // The next file, or nothing at the end. Folders are passed over. Errors: also for a path that leads out of
  // the archive, a link, a device, or anything else that is not a plain file.
  Result<std::optional<Entry>> next();

  // Gives the current file's bytes in pieces; an error of `take` ends it.
  Result<void> read(const std::function<Result<void>(std::string_view)>& take);

 private:
  struct State;
  explicit Archive(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hansard::models
