// Recordings that come in parts, so that one whose connection breaks goes on where it was, also after a
// restart. Each part is a blob `uploads/<id>/<n>.<chance>` that its row names; the last step joins them to a
// file.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "library/files.h"

namespace hansard::library {

struct UploadPart {
  int64_t number = 0;  // from 1
  int64_t size_bytes = 0;
  std::string sha256;
  std::string blob;
};

struct Upload {
  std::string id;  // "up_…"
  std::string user_id;
  std::string name;  // of the file, as it is called where it comes from
  std::optional<std::string> title;
  int64_t size_bytes = 0;
  std::optional<std::string> sha256;  // what the whole must have
  int64_t part_bytes = 0;             // of every part but the last
  int64_t created_at_ms = 0;
  std::vector<UploadPart> parts;  // those that are there, by number

  int64_t part_count() const;
  int64_t bytes_of_part(int64_t number) const;
  std::vector<int64_t> missing() const;
  // The file it becomes has the same name, so that completing twice finds the first one's.
  std::string file_id() const;
};
// The file that an upload of this id became, or would.
std::string file_id_of_upload(std::string_view upload_id);

// The size of parts for a whole of so many bytes: not so small that there are too many of them.
int64_t part_bytes_for(int64_t size_bytes);

// Part of the caller's transaction. `wanted`: user, name, title, size and checksum.
Result<Upload> add_upload(store::Transaction& transaction, Upload wanted);
Result<std::optional<Upload>> find_upload(store::Reader& reader, std::string_view user_id,
                                          std::string_view id);
// Forgets it and its parts; erase_parts() does the rest, once that is durable.
Result<void> remove_upload(store::Transaction& transaction, std::string_view id);
void erase_parts(blob::Blobs& blobs, const Upload& upload);

// One part as its bytes come. One that is not kept leaves nothing behind. One thread at a time.
class IncomingPart {
 public:
  static Result<std::unique_ptr<IncomingPart>> begin(blob::Blobs& blobs, const Upload& upload,
                                                     int64_t number);
  Result<void> append(std::string_view bytes);
  int64_t size_bytes() const { return part_.size_bytes; }

  // All bytes are there: makes the row, in place of that of an earlier sending. Errors: not_found where the
  // upload is gone.
  Result<UploadPart> finish(store::Store& store);

  ~IncomingPart();
  IncomingPart(const IncomingPart&) = delete;
  IncomingPart& operator=(const IncomingPart&) = delete;

 private:
  IncomingPart(blob::Blobs& blobs, std::string upload_id, UploadPart part,
               std::unique_ptr<blob::Writer> writer);

  blob::Blobs& blobs_;
  const std::string upload_id_;
  UploadPart part_;
  std::unique_ptr<blob::Writer> writer_;
  Sha256 hash_;
  bool committed_ = false;
  bool kept_ = false;
};

// Joins the parts: reads and writes piece by piece while it hashes. Errors: conflict while parts are missing,
// or where one was sent again meanwhile; invalid_request where the whole has another checksum than promised.
Result<std::unique_ptr<Incoming>> assemble(blob::Blobs& blobs, const Upload& upload);

// Which uploads are being joined or deleted, by one request each. Any thread.
class UploadsInWork {
 public:
  // Held until it is destroyed.
  class Hold {
   public:
    Hold(UploadsInWork& all, std::string id) : all_(&all), id_(std::move(id)) {}
    Hold(Hold&& other) noexcept : all_(std::exchange(other.all_, nullptr)), id_(std::move(other.id_)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    UploadsInWork* all_;
    std::string id_;
  };
  // Nothing where another request holds it.
  std::optional<Hold> hold(std::string_view id);

 private:
  std::mutex mutex_;
  std::set<std::string, std::less<>> held_;
};

// Removes uploads that were begun longer ago than limits say. How many.
Result<int64_t> remove_abandoned_uploads(store::Store& store, blob::Blobs& blobs, UploadsInWork& in_work);

}  // namespace hansard::library
