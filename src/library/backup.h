// The whole library as one file, and back: a tar of
//
//   hansard-backup.json   {"format", "schema", "created_at"}
//   hansard.db            one state of the database
//   blobs/NAME            every blob that this state names: recordings, transcripts
//   SHA256SUMS            of all of these, in their order, as sha256sum writes and checks it
//
// What stages computed (the artifacts) and models are not in it: they can be had again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "blob/blob.h"
#include "store/store.h"

namespace hansard::library {

// Raised whenever a backup is written that older programs cannot read.
inline constexpr int kBackupFormat = 1;

struct BackupSummary {
  int64_t blobs = 0;
  int64_t missing = 0;      // blobs that the database names and that were lost before
  uint64_t size_bytes = 0;  // of the database and the blobs
  std::string created_at;   // RFC 3339
};

// Called again and again with the fraction done, 0 to 1; an error ends the work with that error.
using BackupProgress = std::function<Result<void>(double fraction)>;

// Writes a backup to an open file, while the library is in use: what is removed meanwhile is in it, what
// comes meanwhile is not. `workspace` is a folder for a copy of the database, which is gone afterwards.
// Errors: insufficient_storage, internal, and those of `progress`.
Result<BackupSummary> write_backup(store::Store& store, blob::Blobs& blobs,
                                   const std::filesystem::path& workspace, int out_fd,
                                   const BackupProgress& progress);

// Reads a backup to its end: the database goes to `database`, which must not exist, the blobs into `blobs`.
// Nothing of it may be used unless all of it was read without an error. Errors: invalid_request (no backup,
// incomplete, damaged), conflict (of a newer Hansard; found before anything is written), not_found,
// insufficient_storage, internal, and those of `progress`.
Result<BackupSummary> read_backup(const std::filesystem::path& file, const std::filesystem::path& database,
                                  blob::Blobs& blobs, const BackupProgress& progress);

}  // namespace hansard::library
