#include "library/uploads.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"

#define UPLOAD_COLUMNS "id, user_id, name, title, size_bytes, sha256, part_bytes, created_at"

namespace hansard::library {
namespace {

using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

constexpr std::string_view kPrefix = "up_";

Upload upload_from(const Row& row) {
  Upload upload;
  size_t at = 0;
  upload.id = row.text(at++);
  upload.user_id = row.text(at++);
  upload.name = row.text(at++);
  upload.title = row.text_if(at++);
  upload.size_bytes = row.integer(at++);
  upload.sha256 = row.text_if(at++);
  upload.part_bytes = row.integer(at++);
  upload.created_at_ms = row.integer(at++);
  return upload;
}

Result<void> read_parts(Reader& reader, Upload& upload) {
  static constexpr Statement kParts{"uploads.parts",
                                    "SELECT number, size_bytes, sha256, blob FROM upload_parts WHERE "
                                    "upload_id = $1 ORDER BY number"};
  for (const Row& row : TRY(reader.rows(kParts, upload.id))) {
    upload.parts.push_back({row.integer(0), row.integer(1), row.text(2), row.text(3)});
  }
  return {};
}

void remove_blob(blob::Blobs& blobs, const std::string& name) {
  if (const auto removed = blobs.remove(name); !removed) {
    log::warning("{} was not removed: {} {}", name, removed.error().message, removed.error().detail);
  }
}

Result<void> copy_part(blob::Blobs& blobs, const UploadPart& part, Incoming& incoming) {
  auto fd = blobs.open(part.blob);
  if (!fd && fd.error().code == ErrorCode::not_found) {
    return fail(ErrorCode::conflict,
                fmt::format("part {} was sent again meanwhile; complete it once all are there", part.number));
  }
  if (!fd) return fail(std::move(fd).error());
  return read_pieces(fd->get(), static_cast<uint64_t>(part.size_bytes),
                     [&](std::string_view piece) { return incoming.append(piece); });
}

}  // namespace

// ---- what an upload is

int64_t Upload::part_count() const {
  return (size_bytes + part_bytes - 1) / part_bytes;
}

int64_t Upload::bytes_of_part(int64_t number) const {
  return number < part_count() ? part_bytes : size_bytes - (part_count() - 1) * part_bytes;
}

std::vector<int64_t> Upload::missing() const {
  std::vector<int64_t> numbers;
  auto part = parts.begin();
  for (int64_t number = 1; number <= part_count(); ++number) {
    if (part != parts.end() && part->number == number) {
      ++part;
    } else {
      numbers.push_back(number);
    }
  }
  return numbers;
}

std::string Upload::file_id() const {
  return file_id_of_upload(id);
}

std::string file_id_of_upload(std::string_view upload_id) {
  return fmt::format("file_{}", upload_id.substr(std::min(kPrefix.size(), upload_id.size())));
}

int64_t part_bytes_for(int64_t size_bytes) {
  constexpr int64_t kStep = 1 << 20;
  const int64_t least = (size_bytes + limits::kUploadParts - 1) / limits::kUploadParts;
  return std::max(limits::kUploadPartBytes, (least + kStep - 1) / kStep * kStep);
}

// ---- rows

Result<Upload> add_upload(Transaction& transaction, Upload wanted) {
  static constexpr Statement kInsert{
      "uploads.insert", "INSERT INTO uploads (" UPLOAD_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"};
  wanted.id = make_id(kPrefix.substr(0, kPrefix.size() - 1), transaction.now_ms());
  wanted.part_bytes = part_bytes_for(wanted.size_bytes);
  wanted.created_at_ms = transaction.now_ms();
  TRY(transaction.change(kInsert, wanted.id, wanted.user_id, wanted.name, wanted.title, wanted.size_bytes,
                         wanted.sha256, wanted.part_bytes, wanted.created_at_ms));
  return wanted;
}

Result<std::optional<Upload>> find_upload(Reader& reader, std::string_view user_id, std::string_view id) {
  static constexpr Statement kFind{"uploads.find",
                                   "SELECT " UPLOAD_COLUMNS " FROM uploads WHERE id = $2 AND user_id = $1"};
  const auto row = TRY(reader.row(kFind, user_id, id));
  if (!row) return std::optional<Upload>();
  Upload upload = upload_from(*row);
  TRY(read_parts(reader, upload));
  return std::optional(std::move(upload));
}

Result<void> remove_upload(Transaction& transaction, std::string_view id) {
  static constexpr Statement kParts{"uploads.remove_parts", "DELETE FROM upload_parts WHERE upload_id = $1"};
  static constexpr Statement kUpload{"uploads.remove", "DELETE FROM uploads WHERE id = $1"};
  TRY(transaction.change(kParts, id));
  TRY(transaction.change(kUpload, id));
  return {};
}

void erase_parts(blob::Blobs& blobs, const Upload& upload) {
  for (const UploadPart& part : upload.parts) remove_blob(blobs, part.blob);
}

// ---- parts as they come

IncomingPart::IncomingPart(blob::Blobs& blobs, std::string upload_id, UploadPart part,
                           std::unique_ptr<blob::Writer> writer)
    : blobs_(blobs), upload_id_(std::move(upload_id)), part_(std::move(part)), writer_(std::move(writer)) {}

IncomingPart::~IncomingPart() {
  if (committed_ && !kept_) remove_blob(blobs_, part_.blob);
}

Result<std::unique_ptr<IncomingPart>> IncomingPart::begin(blob::Blobs& blobs, const Upload& upload,
                                                          int64_t number) {
  // A name of its own for each sending: the row changes from one whole part to the other.
  UploadPart part{number, 0, {}, fmt::format("uploads/{}/{}.{}", upload.id, number, random_hex(4))};
  auto writer = TRY(blobs.create(part.blob));
  return std::unique_ptr<IncomingPart>(
      new IncomingPart(blobs, upload.id, std::move(part), std::move(writer)));
}

Result<void> IncomingPart::append(std::string_view bytes) {
  hash_.update(bytes);
  part_.size_bytes += static_cast<int64_t>(bytes.size());
  return writer_->append(bytes);
}

Result<UploadPart> IncomingPart::finish(store::Store& store) {
  static constexpr Statement kUpload{"uploads.exists", "SELECT id FROM uploads WHERE id = $1"};
  static constexpr Statement kBefore{"uploads.part",
                                     "SELECT blob FROM upload_parts WHERE upload_id = $1 AND number = $2"};
  static constexpr Statement kSet{
      "uploads.set_part",
      "INSERT INTO upload_parts (upload_id, number, blob, size_bytes, sha256) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (upload_id, number) DO UPDATE SET blob = excluded.blob, size_bytes = excluded.size_bytes, "
      "sha256 = excluded.sha256"};
  part_.sha256 = hash_.finish();
  TRY(writer_->commit());
  committed_ = true;
  std::string before;
  TRY(store.write([&](Transaction& transaction) -> Result<void> {
    if (!TRY(transaction.row(kUpload, upload_id_))) {
      return fail(ErrorCode::not_found, "there is no such upload");
    }
    const auto row = TRY(transaction.row(kBefore, upload_id_, part_.number));
    before = row ? row->text(0) : "";
    TRY(transaction.change(kSet, upload_id_, part_.number, part_.blob, part_.size_bytes, part_.sha256));
    return {};
  }));
  kept_ = true;
  if (!before.empty()) remove_blob(blobs_, before);
  return part_;
}

// ---- the whole

Result<std::unique_ptr<Incoming>> assemble(blob::Blobs& blobs, const Upload& upload) {
  const std::vector<int64_t> missing = upload.missing();
  if (!missing.empty()) {
    return fail(ErrorCode::conflict, fmt::format("{} of {} parts are missing, the first of them part {}",
                                                 missing.size(), upload.part_count(), missing.front()));
  }
  auto incoming = TRY(Incoming::begin(blobs, upload.file_id()));
  for (const UploadPart& part : upload.parts) TRY(copy_part(blobs, part, *incoming));
  if (upload.sha256 && incoming->sha256() != *upload.sha256) {
    return fail(ErrorCode::invalid_request,
                "what has arrived has another checksum than was promised; compare the parts' checksums and "
                "send those again that differ");
  }
  return incoming;
}

// ---- who works on it

UploadsInWork::Hold::~Hold() {
  if (all_ == nullptr) return;
  const std::lock_guard lock(all_->mutex_);
  all_->held_.erase(id_);
}

std::optional<UploadsInWork::Hold> UploadsInWork::hold(std::string_view id) {
  const std::lock_guard lock(mutex_);
  if (!held_.emplace(id).second) return std::nullopt;
  return Hold(*this, std::string(id));
}

Result<int64_t> remove_abandoned_uploads(store::Store& store, blob::Blobs& blobs, UploadsInWork& in_work) {
  static constexpr Statement kOld{"uploads.abandoned",
                                  "SELECT " UPLOAD_COLUMNS " FROM uploads WHERE created_at < $1"};
  const int64_t before_ms = store.now_ms() - std::chrono::milliseconds(limits::kUploadAge).count();
  std::vector<std::string> old;
  TRY(store.read([&](Reader& reader) -> Result<void> {
    old.clear();
    for (const Row& row : TRY(reader.rows(kOld, before_ms))) old.push_back(row.text(0));
    return {};
  }));
  int64_t count = 0;
  for (const std::string& id : old) {
    const auto hold = in_work.hold(id);
    if (!hold) continue;
    Upload upload;
    upload.id = id;
    TRY(store.write([&](Transaction& transaction) -> Result<void> {
      upload.parts.clear();
      TRY(read_parts(transaction, upload));
      return remove_upload(transaction, id);
    }));
    erase_parts(blobs, upload);
    ++count;
  }
  return count;
}

}  // namespace hansard::library
