// Files: whole reads, writes that are there whole or not at all, and room on a disk.
// Errors: not_found, permission_denied, insufficient_storage, internal. Threads: all functions may be called
// from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace hansard {

// Opens for reading, close-on-exec.
Result<UniqueFd> open_for_read(const std::filesystem::path& path);

// Reads a whole file of at most `limit_bytes`.
Result<std::string> read_file(const std::filesystem::path& path, uint64_t limit_bytes);

// Reads exactly bytes.size() bytes at `offset`; fewer is an error.
Result<void> read_at(int fd, uint64_t offset, std::span<std::byte> bytes);

// Reads the first `size_bytes` bytes, and hands them to `take` in pieces of at most 256 KiB, until that
// fails.
Result<void> read_pieces(int fd, uint64_t size_bytes,
                         const std::function<Result<void>(std::string_view)>& take);

// Writes all of `bytes` to a descriptor, also over short writes and EINTR.
Result<void> write_all(int fd, std::string_view bytes);

enum class Sync {
  yes,  // survives a power cut: fsync of the file and of its folder
  no,   // survives a crash of this process
};

// Writes `bytes` to a temporary file beside `path`, mode 0600 (less the umask's bits where `path` is a user's
// own output: pass `mode`), then renames it over `path`. On failure nothing is left behind and what was at
// `path` is as before.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view bytes, Sync sync,
                                   unsigned mode = 0600);

// Removes what such writes left in a folder when their process was killed; those in progress stay.
void remove_cut_off_writes(const std::filesystem::path& folder);

// After it, what was made or renamed in the folder survives a power cut.
Result<void> sync_folder(const std::filesystem::path& folder);

// Makes a folder and its parents, each new one with mode 0700.
Result<void> make_private_folder(const std::filesystem::path& path);

// An open file without a name in `folder`: it is gone when its last descriptor is closed, however the
// process ends.
Result<UniqueFd> open_unnamed_file(const std::filesystem::path& folder);

// Bytes that this user can still write to the file system of `folder`.
Result<uint64_t> free_bytes(const std::filesystem::path& folder);

}  // namespace hansard
