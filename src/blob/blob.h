// Large bytes with a name: recordings, transcripts, parts of uploads. A blob exists whole or not at all.
// Names are relative, of parts of [a-z0-9._-] separated by '/': the program makes them, clients never do.
// Errors: not_found, insufficient_storage, permission_denied, internal. Threads: a Blobs may be used by any
// number of threads, a Writer by one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace hansard::blob {

// A blob that is being written. One that was not committed leaves nothing behind.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual Result<void> append(std::string_view bytes) = 0;
  // Afterwards the blob is there, also after a power cut. Once, as the last call.
  virtual Result<void> commit() = 0;
};

struct Found {
  std::string name;
  uint64_t size_bytes = 0;
  int64_t modified_ms = 0;
};

class Blobs {
 public:
  virtual ~Blobs() = default;

  // A blob of that name that is there already is replaced by the commit.
  Result<std::unique_ptr<Writer>> create(std::string_view name);
  Result<void> put(std::string_view name, std::string_view bytes);

  // The bytes as a regular file open for reading: a driver that keeps them elsewhere brings them here first.
  virtual Result<UniqueFd> open(std::string_view name) = 0;

  // Removing what is not there is no error. While anyone holds the blobs it is put off.
  Result<void> remove(std::string_view name);

  // While one lives, every blob that is there can be opened. What was to be removed meanwhile is removed with
  // the last of them; after a crash it is for the sweep.
  class Hold {
   public:
    explicit Hold(Blobs& blobs);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Blobs& blobs_;
  };

  // Removes what nobody names. A blob comes before its row, so one that is created while this lives may be
  // waiting for that, and is spared, whatever the clock says. One at a time.
  class Sweep {
   public:
    explicit Sweep(Blobs& blobs);
    ~Sweep();
    Sweep(const Sweep&) = delete;
    Sweep& operator=(const Sweep&) = delete;

    // The blobs under `prefix` that are older than `before_ms`; those whose writing had begun before this
    // lived must not be. How many were removed.
    Result<int64_t> remove_unnamed(std::string_view prefix, int64_t before_ms,
                                   const std::function<Result<bool>(const std::string&)>& is_named);

   private:
    Blobs& blobs_;
  };

  // Every blob whose name begins with `prefix`, in no order.
  virtual Result<void> list(std::string_view prefix, const std::function<void(const Found&)>& found) = 0;

 private:
  virtual Result<std::unique_ptr<Writer>> begin(std::string_view name) = 0;
  // As remove(), at once.
  virtual Result<void> erase(std::string_view name) = 0;
  // With mutex_ locked.
  Result<void> erase_or_put_off(std::string_view name);

  std::mutex mutex_;
  int holds_ = 0;
  std::set<std::string, std::less<>> put_off_;                 // to be removed when nobody holds any more
  std::optional<std::set<std::string, std::less<>>> created_;  // since one sweeps
};

bool is_blob_name(std::string_view name);

}  // namespace hansard::blob
