// The store on SQLite: one file, one process. A writer thread owns the only writing connection and commits in
// groups: work that waits when a transaction starts joins it, each with a savepoint of its own, and each
// caller is answered after the fsync (WAL, synchronous=FULL). The writer alone checkpoints. Readers have
// connections of their own.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "store/store.h"

namespace hansard::store {

struct SqliteOptions {
  // The clock; the system's where there is none. Where it goes back the store's does not, neither within a
  // process nor from one to the next.
  std::function<int64_t()> now_ms;
};

// Opens the database at `path`, makes it where there is none, and brings its schema up to this program's,
// with a copy `<path>.before-<number>` ahead of each step of one that holds something. The caller sees to it
// that no other process has it open. Errors: conflict where the database is newer than the program,
// permission_denied, insufficient_storage, internal where it is damaged.
Result<std::unique_ptr<Store>> open_sqlite(const std::filesystem::path& path, SqliteOptions options = {});

}  // namespace hansard::store
