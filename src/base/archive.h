// Archives, as streams. Those that are read may be hostile (tars that people import, wheels that packages
// come in): file by file, and nothing is ever written where the archive says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hansard {

// One thread at a time. Errors of all: invalid_request with what is wrong with the archive.
class Archive {
 public:
  enum class Format {
    tar,  // plain, or packed by gzip, zstd, xz or bzip2
    zip,
  };
  // More unpacked content or more entries than these is an error.
  struct Limits {
    uint64_t bytes = 0;
    uint64_t entries = 10'000;
  };
  static Result<Archive> open(const std::filesystem::path& path, Format format, Limits limits);
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

// A plain tar written to an open file, from its position. One thread at a time. Errors of all:
// insufficient_storage, internal.
class TarWriter {
 public:
  static Result<TarWriter> open(int fd);
  TarWriter(TarWriter&&) noexcept;
  TarWriter& operator=(TarWriter&&) noexcept;
  ~TarWriter();

  // Begins a file of exactly `size_bytes`, which append() then gives.
  Result<void> add(const std::string& path, uint64_t size_bytes, int64_t modified_ms);
  Result<void> append(std::string_view bytes);
  // Once, as the last call: without it the tar is none.
  Result<void> finish();

 private:
  struct State;
  explicit TarWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A zip of a few small files, packed, in this order. The same files give the same bytes. Errors:
// out_of_memory.
struct ZipMember {
  std::string_view path;
  std::string_view bytes;
};
Result<std::string> make_zip(std::span<const ZipMember> members);

}  // namespace hansard
