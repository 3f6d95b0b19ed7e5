// Recordings: what people hand in, its bytes in a blob, its facts in a row.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/limits.h"
#include "blob/blob.h"
#include "library/listing.h"
#include "media/media.h"
#include "pipeline/artifacts.h"
#include "store/store.h"

namespace hansard::library {

// Times are milliseconds since 1970.
struct File {
  std::string id;  // "file_…"
  std::string user_id;
  std::string title;
  std::string kind;    // "audio", "video"; where it was brought from elsewhere "url", "youtube"
  std::string status;  // "uploaded", "processing", "ready", "failed"
  std::optional<std::string> mime_type;
  std::optional<std::string> blob;  // nothing once it is purged
  std::optional<int64_t> size_bytes;
  std::optional<std::string> sha256;
  std::optional<double> duration_s;
  std::optional<int64_t> channels;
  std::optional<std::string> error_code;
  std::optional<std::string> error_message;
  // Of a request that waits for its transcript: in no list, told of in no event, and erased some time after.
  std::optional<int64_t> ephemeral_until_ms;
  std::optional<int64_t> deleted_at_ms;
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
};

// A recording as its bytes come. One that is not finished, or finished and not kept, leaves nothing behind.
// One thread at a time.
class Incoming {
 public:
  // Under a new id, or `id`. Errors of both: those of Blobs.
  static Result<std::unique_ptr<Incoming>> begin(blob::Blobs& blobs, int64_t now_ms);
  static Result<std::unique_ptr<Incoming>> begin(blob::Blobs& blobs, std::string id);
  Result<void> append(std::string_view bytes);

  // All bytes are there: looks what they are. Where that takes longer than `patience`, the file is
  // "processing", and library/probing.h says later. `file_name` gives the title where `title` is empty.
  // Errors: unsupported_media, media_unreadable.
  Result<File> finish(std::string_view user_id, std::string_view title, std::string_view file_name,
                      std::chrono::milliseconds patience = limits::kUploadProbeTime);

  uint64_t size_bytes() const { return size_bytes_; }
  // Of all bytes: none may come after it.
  const std::string& sha256();
  void keep() { kept_ = true; }  // its row is durable

  ~Incoming();
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

 private:
  Incoming(blob::Blobs& blobs, std::string id, std::unique_ptr<blob::Writer> writer);

  blob::Blobs& blobs_;
  const std::string id_;
  const std::string blob_;
  std::unique_ptr<blob::Writer> writer_;
  Sha256 hash_;
  std::string sha256_;  // once it was asked for
  uint64_t size_bytes_ = 0;
  bool committed_ = false;
  bool kept_ = false;
};

// Each is part of the caller's transaction, and adds its event. Of a file that is "processing" the listeners
// are told on channel "files".
Result<void> insert_file(store::Transaction& transaction, const File& file);
// Of one that is "processing": what was found in it, or why nothing was, or why its bytes do not come. The
// jobs that wait for it can run, or fail.
Result<void> settle_file(store::Transaction& transaction, const File& file,
                         const Result<media::Info>& probed);
// Of one that is "processing", and had no bytes: they have come, and are those of `file`. Where its title is
// still `default_title`, it gets that of `file`. False where it was deleted meanwhile.
Result<bool> receive_file(store::Transaction& transaction, const File& file, std::string_view default_title);
Result<std::optional<File>> rename_file(store::Transaction& transaction, std::string_view user_id,
                                        std::string_view id, std::string_view title);
// To the trash, or back; what was still to be brought from elsewhere is not. Errors: conflict while a job
// needs it.
Result<std::optional<File>> trash_file(store::Transaction& transaction, std::string_view user_id,
                                       std::string_view id);
Result<std::optional<File>> restore_file(store::Transaction& transaction, std::string_view user_id,
                                         std::string_view id);
// For good: the row forgets the blob. Once the transaction is durable, erase_recording() does the rest, with
// the file as it was before.
Result<std::optional<File>> purge_file(store::Transaction& transaction, std::string_view user_id,
                                       std::string_view id);

// After purge_file(): removes the recording's bytes, and what stages computed of it unless another file has
// the same bytes. What cannot be removed is swept later.
void erase_recording(store::Store& store, blob::Blobs& blobs, const pipeline::Artifacts& artifacts,
                     const File& file);

// Reading.
// The oldest file that is "processing" and whose bytes are here.
Result<std::optional<File>> next_to_probe(store::Reader& reader);
// `trashed`: also one in the trash, or an ephemeral one.
Result<std::optional<File>> find_file(store::Reader& reader, std::string_view user_id, std::string_view id,
                                      bool trashed = false);
struct FileFilter {
  std::string title_part;  // empty: any
  std::optional<std::string> kind;
  std::optional<std::string> status;
};
Result<std::vector<File>> list_files(store::Reader& reader, std::string_view user_id,
                                     const FileFilter& filter, const Page& page);

// What a user's recordings take, those in the trash and those that come in parts among them.
Result<uint64_t> stored_bytes(store::Reader& reader, std::string_view user_id);

// Whether a row names this blob: for the sweep.
Result<bool> names_blob(store::Reader& reader, std::string_view blob);
// The blobs that rows name, a page at a time: the first ones after `after`, in their order; none at the end.
Result<std::vector<std::string>> named_blobs(store::Reader& reader, std::string_view after);

}  // namespace hansard::library
