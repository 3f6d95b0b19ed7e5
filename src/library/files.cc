#include "library/files.h"

#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "jobs/state.h"
#include "library/imports.h"
#include "library/renditions.h"
#include "media/media.h"

// The columns of a file in the order in which file_from() reads them: text, since statements are constants.
#define FILE_COLUMNS                                                                                    \
  "id, user_id, title, kind, status, mime_type, blob, size_bytes, sha256, duration_seconds, channels, " \
  "error_code, error_message, ephemeral_until, deleted_at, created_at, updated_at"
#define FILE_LIST(name, key, compare, direction)                                                             \
  Statement{                                                                                                 \
      name,                                                                                                  \
      "SELECT " FILE_COLUMNS                                                                                 \
      " FROM files WHERE user_id = $1 AND deleted_at IS NULL AND ephemeral_until IS NULL AND (CAST($2 AS "   \
      "TEXT) = '' OR lower(title) "                                                                          \
      "LIKE "                                                                                                \
      "lower($2) ESCAPE '\\') AND (CAST($3 AS TEXT) IS NULL OR kind = $3) AND (CAST($4 AS TEXT) IS NULL OR " \
      "status = $4) AND (" key ", id) " compare " ($5, $6) ORDER BY " key " " direction ", id " direction    \
      " LIMIT $7"}

namespace hansard::library {
namespace {

using store::Parameter;
using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

File file_from(const Row& row) {
  File file;
  size_t at = 0;
  file.id = row.text(at++);
  file.user_id = row.text(at++);
  file.title = row.text(at++);
  file.kind = row.text(at++);
  file.status = row.text(at++);
  file.mime_type = row.text_if(at++);
  file.blob = row.text_if(at++);
  file.size_bytes = row.integer_if(at++);
  file.sha256 = row.text_if(at++);
  file.duration_s = row.number_if(at++);
  file.channels = row.integer_if(at++);
  file.error_code = row.text_if(at++);
  file.error_message = row.text_if(at++);
  file.ephemeral_until_ms = row.integer_if(at++);
  file.deleted_at_ms = row.integer_if(at++);
  file.created_at_ms = row.integer(at++);
  file.updated_at_ms = row.integer(at++);
  return file;
}

// What browsers know the container by.
std::string mime_type(const media::Info& info) {
  const std::string type = info.has_video ? "video/" : "audio/";
  const auto is = [&](std::string_view name) { return info.format.find(name) != std::string::npos; };
  if (is("wav")) return "audio/wav";
  if (is("mp3")) return "audio/mpeg";
  if (is("flac")) return "audio/flac";
  if (is("ogg")) return type + "ogg";
  if (is("webm")) return type + (info.is_webm ? "webm" : "x-matroska");
  if (is("mp4")) return type + "mp4";
  if (is("aiff")) return "audio/aiff";
  if (is("aac")) return "audio/aac";
  return "application/octet-stream";
}

void take_facts(File& file, const media::Info& info) {
  file.kind = info.has_video ? "video" : "audio";
  file.status = "ready";
  file.mime_type = mime_type(info);
  if (info.duration_s > 0) file.duration_s = info.duration_s;
  file.channels = info.channels;
}

Result<std::optional<File>> changed(Transaction& transaction, const std::optional<Row>& row,
                                    std::string_view event) {
  if (!row) return std::optional<File>();
  File file = file_from(*row);
  if (file.ephemeral_until_ms) return std::optional(std::move(file));
  json::bj::object data{{"id", file.id}, {"status", file.status}, {"title", file.title}};
  if (file.error_code) {
    data["error"] =
        json::bj::object{{"code", *file.error_code}, {"message", file.error_message.value_or("")}};
  }
  TRY(jobs::add_event(transaction, file.user_id, event, file.id, json::to_text(data)));
  return std::optional(std::move(file));
}

Result<void> refuse_while_needed(Reader& reader, std::string_view id) {
  static constexpr Statement kNeeded{
      "files.needed",
      "SELECT id FROM transcriptions WHERE file_id = $1 AND status IN ('queued', 'processing') LIMIT 1"};
  if (TRY(reader.row(kNeeded, id))) {
    return fail(ErrorCode::conflict, "a transcription still needs this file; cancel it or wait for its end");
  }
  return {};
}

}  // namespace

// ---- incoming

Incoming::Incoming(blob::Blobs& blobs, std::string id, std::unique_ptr<blob::Writer> writer)
    : blobs_(blobs), id_(std::move(id)), blob_("files/" + id_), writer_(std::move(writer)) {}

Incoming::~Incoming() {
  if (committed_ && !kept_) (void)blobs_.remove(blob_);
}

Result<std::unique_ptr<Incoming>> Incoming::begin(blob::Blobs& blobs, int64_t now_ms) {
  return begin(blobs, make_id("file", now_ms));
}

Result<std::unique_ptr<Incoming>> Incoming::begin(blob::Blobs& blobs, std::string id) {
  auto writer = TRY(blobs.create("files/" + id));
  return std::unique_ptr<Incoming>(new Incoming(blobs, std::move(id), std::move(writer)));
}

Result<void> Incoming::append(std::string_view bytes) {
  hash_.update(bytes);
  size_bytes_ += bytes.size();
  return writer_->append(bytes);
}

const std::string& Incoming::sha256() {
  if (sha256_.empty()) sha256_ = hash_.finish();
  return sha256_;
}

Result<File> Incoming::finish(std::string_view user_id, std::string_view title, std::string_view file_name,
                              std::chrono::milliseconds patience) {
  if (size_bytes_ == 0) return fail(ErrorCode::media_unreadable, "the file is empty");
  TRY(writer_->commit());
  committed_ = true;
  const UniqueFd fd = TRY(blobs_.open(blob_));
  const std::optional<media::Info> info = TRY(media::probe_within(fd.get(), patience, {}));
  File file;
  file.id = id_;
  file.user_id = user_id;
  file.title = title.empty() ? std::filesystem::path(file_name).filename().string() : std::string(title);
  if (file.title.empty()) file.title = "Recording";
  file.kind = "audio";
  file.status = "processing";
  if (info) take_facts(file, *info);
  file.blob = blob_;
  file.size_bytes = static_cast<int64_t>(size_bytes_);
  file.sha256 = sha256();
  return file;
}

// ---- changes

Result<void> insert_file(Transaction& transaction, const File& file) {
  static constexpr Statement kInsert{
      "files.insert",
      "INSERT INTO files (id, user_id, title, kind, status, mime_type, blob, size_bytes, sha256, "
      "duration_seconds, channels, created_at, updated_at, ephemeral_until) VALUES ($1, $2, $3, $4, $5, $6, "
      "$7, $8, $9, $10, $11, $12, $12, $13) RETURNING " FILE_COLUMNS};
  const auto row =
      TRY(transaction.row(kInsert, file.id, file.user_id, file.title, file.kind, file.status, file.mime_type,
                          file.blob, file.size_bytes, file.sha256, file.duration_s, file.channels,
                          transaction.now_ms(), file.ephemeral_until_ms));
  TRY(changed(transaction, row, "file." + file.status));
  if (file.status == "processing") transaction.notify({"files", file.id});
  return {};
}

Result<void> settle_file(Transaction& transaction, const File& file, const Result<media::Info>& probed) {
  static constexpr Statement kSettle{
      "files.settle",
      "UPDATE files SET kind = CASE WHEN kind IN ('url', 'youtube') THEN kind ELSE $2 END, status = $3, "
      "mime_type = $4, duration_seconds = $5, channels = $6, "
      "error_code = $7, error_message = $8, updated_at = $9 WHERE id = $1 AND status = 'processing' AND "
      "(blob IS NOT NULL OR deleted_at IS NULL) RETURNING " FILE_COLUMNS};
  File after = file;
  if (probed) {
    take_facts(after, *probed);
  } else {
    after.status = "failed";
    after.error_code = error_code_name(probed.error().code);
    after.error_message = probed.error().message;
  }
  const auto row =
      TRY(transaction.row(kSettle, after.id, after.kind, after.status, after.mime_type, after.duration_s,
                          after.channels, after.error_code, after.error_message, transaction.now_ms()));
  if (!row) return {};  // erased meanwhile
  TRY(changed(transaction, row, "file." + after.status));
  TRY(probed ? jobs::release_waiting(transaction, after.id)
             : jobs::fail_waiting(transaction, after.id, *after.error_message));
  return {};
}

Result<bool> receive_file(Transaction& transaction, const File& file, std::string_view default_title) {
  static constexpr Statement kReceive{
      "files.receive",
      "UPDATE files SET title = CASE WHEN title = $2 THEN $3 ELSE title END, status = $4, mime_type = $5, "
      "blob = $6, size_bytes = $7, sha256 = $8, duration_seconds = $9, channels = $10, updated_at = $11 "
      "WHERE id = $1 AND status = 'processing' AND blob IS NULL AND deleted_at IS NULL "
      "RETURNING " FILE_COLUMNS};
  const auto row = TRY(transaction.row(kReceive, file.id, default_title, file.title, file.status,
                                       file.mime_type, file.blob, file.size_bytes, file.sha256,
                                       file.duration_s, file.channels, transaction.now_ms()));
  if (!row) return false;
  const bool ready = file.status == "ready";
  TRY(changed(transaction, row, ready ? "file.ready" : "file.updated"));
  if (ready) TRY(jobs::release_waiting(transaction, file.id));
  if (!ready) transaction.notify({"files", file.id});
  return true;
}

Result<std::optional<File>> rename_file(Transaction& transaction, std::string_view user_id,
                                        std::string_view id, std::string_view title) {
  static constexpr Statement kRename{
      "files.rename",
      "UPDATE files SET title = $3, updated_at = $4 WHERE user_id = $1 AND id = $2 AND "
      "deleted_at IS NULL RETURNING " FILE_COLUMNS};
  return changed(transaction, TRY(transaction.row(kRename, user_id, id, title, transaction.now_ms())),
                 "file.updated");
}

Result<std::optional<File>> trash_file(Transaction& transaction, std::string_view user_id,
                                       std::string_view id) {
  static constexpr Statement kTrash{
      "files.trash",
      "UPDATE files SET deleted_at = $3, updated_at = $3 WHERE user_id = $1 AND id = $2 "
      "AND deleted_at IS NULL RETURNING " FILE_COLUMNS};
  TRY(refuse_while_needed(transaction, id));
  const auto row = TRY(transaction.row(kTrash, user_id, id, transaction.now_ms()));
  if (row) TRY(end_import(transaction, id));
  return changed(transaction, row, "file.deleted");
}

Result<std::optional<File>> restore_file(Transaction& transaction, std::string_view user_id,
                                         std::string_view id) {
  static constexpr Statement kRestore{"files.restore",
                                      "UPDATE files SET deleted_at = NULL, updated_at = $3 WHERE user_id = "
                                      "$1 AND id = $2 AND deleted_at IS NOT NULL "
                                      "AND blob IS NOT NULL RETURNING " FILE_COLUMNS};
  return changed(transaction, TRY(transaction.row(kRestore, user_id, id, transaction.now_ms())),
                 "file.updated");
}

Result<std::optional<File>> purge_file(Transaction& transaction, std::string_view user_id,
                                       std::string_view id) {
  static constexpr Statement kPurge{
      "files.purge",
      "UPDATE files SET deleted_at = COALESCE(deleted_at, $3), blob = NULL, "
      "updated_at = $3 WHERE user_id = $1 AND "
      "id = $2 AND (blob IS NOT NULL OR deleted_at IS NULL) RETURNING " FILE_COLUMNS};
  TRY(refuse_while_needed(transaction, id));
  const auto row = TRY(transaction.row(kPurge, user_id, id, transaction.now_ms()));
  if (row) TRY(end_import(transaction, id));
  return changed(transaction, row, "file.deleted");
}

void erase_recording(store::Store& store, blob::Blobs& blobs, const pipeline::Artifacts& artifacts,
                     const File& file) {
  static constexpr Statement kSame{"files.same",
                                   "SELECT id FROM files WHERE sha256 = $1 AND blob IS NOT NULL LIMIT 1"};
  erase_renditions(blobs, file.id);
  if (file.blob) {
    if (const auto removed = blobs.remove(*file.blob); !removed) {
      log::warning("{}: its bytes were not removed: {}", file.id, removed.error().message);
    }
  }
  bool shared = true;
  const auto read = store.read([&](Reader& reader) -> Result<void> {
    shared = TRY(reader.row(kSame, file.sha256)).has_value();
    return {};
  });
  if (read && !shared && file.sha256) artifacts.forget(*file.sha256);
}

// ---- reading

Result<std::optional<File>> next_to_probe(Reader& reader) {
  static constexpr Statement kNext{"files.next_to_probe",
                                   "SELECT " FILE_COLUMNS
                                   " FROM files WHERE status = 'processing' AND blob IS NOT NULL "
                                   "ORDER BY created_at, id LIMIT 1"};
  const auto row = TRY(reader.row(kNext));
  return row ? std::optional(file_from(*row)) : std::nullopt;
}

Result<uint64_t> stored_bytes(Reader& reader, std::string_view user_id) {
  static constexpr Statement kFiles{
      "files.stored_bytes", "SELECT SUM(size_bytes) FROM files WHERE user_id = $1 AND blob IS NOT NULL"};
  static constexpr Statement kUploads{"uploads.stored_bytes",
                                      "SELECT SUM(size_bytes) FROM uploads WHERE user_id = $1"};
  int64_t sum = 0;
  for (const Statement* statement : {&kFiles, &kUploads}) {
    const auto row = TRY(reader.row(*statement, user_id));
    if (row) sum += row->integer_if(0).value_or(0);
  }
  return static_cast<uint64_t>(sum);
}

Result<std::optional<File>> find_file(Reader& reader, std::string_view user_id, std::string_view id,
                                      bool trashed) {
  static constexpr Statement kFind{
      "files.find",
      "SELECT " FILE_COLUMNS
      " FROM files WHERE id = $2 AND user_id = $1 AND ($3 = 1 OR (deleted_at IS NULL AND ephemeral_until IS "
      "NULL))"};
  const auto row = TRY(reader.row(kFind, user_id, id, trashed ? 1 : 0));
  return row ? std::optional(file_from(*row)) : std::nullopt;
}

Result<std::vector<File>> list_files(Reader& reader, std::string_view user_id, const FileFilter& filter,
                                     const Page& page) {
  static constexpr std::array kLists{FILE_LIST("files.by_created_down", "created_at", "<", "DESC"),
                                     FILE_LIST("files.by_created_up", "created_at", ">", "ASC"),
                                     FILE_LIST("files.by_updated_down", "updated_at", "<", "DESC"),
                                     FILE_LIST("files.by_updated_up", "updated_at", ">", "ASC"),
                                     FILE_LIST("files.by_title_down", "title", "<", "DESC"),
                                     FILE_LIST("files.by_title_up", "title", ">", "ASC")};
  const Statement& statement =
      kLists.at(static_cast<size_t>(page.sort.by) * 2 + (page.sort.descending ? 0 : 1));
  const std::string pattern = filter.title_part.empty() ? "" : like_pattern(filter.title_part);
  const Parameter key = std::holds_alternative<int64_t>(page.after_key)
                            ? Parameter(std::get<int64_t>(page.after_key))
                            : Parameter(std::string_view(std::get<std::string>(page.after_key)));
  const std::array<Parameter, 7> parameters{std::string_view(user_id),
                                            std::string_view(pattern),
                                            store::parameter(filter.kind),
                                            store::parameter(filter.status),
                                            key,
                                            std::string_view(page.after_id),
                                            page.limit};
  std::vector<File> files;
  for (const Row& row : TRY(reader.query(statement, parameters))) files.push_back(file_from(row));
  return files;
}

Result<bool> names_blob(Reader& reader, std::string_view blob) {
  static constexpr Statement kFile{"files.of_blob", "SELECT id FROM files WHERE blob = $1 LIMIT 1"};
  static constexpr Statement kOutput{"executions.of_blob",
                                     "SELECT id FROM transcription_executions WHERE output_key = $1 LIMIT 1"};
  static constexpr Statement kPart{"uploads.of_blob",
                                   "SELECT number FROM upload_parts WHERE upload_id = $1 AND blob = $2"};
  static constexpr Statement kRendered{"files.of_rendition",
                                       "SELECT id FROM files WHERE id = $1 AND blob IS NOT NULL"};
  const std::string_view folder = blob.substr(0, blob.find('/'));
  const std::string_view rest = blob.substr(std::min(folder.size() + 1, blob.size()));
  const std::string_view id = rest.substr(0, rest.find('/'));
  if (folder == "uploads") return TRY(reader.row(kPart, id, blob)).has_value();
  if (folder == "renditions") return TRY(reader.row(kRendered, id)).has_value();
  if (TRY(reader.row(kFile, blob))) return true;
  return TRY(reader.row(kOutput, blob)).has_value();
}

Result<std::vector<std::string>> named_blobs(Reader& reader, std::string_view after) {
  static constexpr Statement kNamed{
      "files.named_blobs",
      "SELECT blob FROM files WHERE blob > $1 UNION SELECT output_key FROM transcription_executions WHERE "
      "output_key > $1 UNION SELECT blob FROM upload_parts WHERE blob > $1 ORDER BY 1 LIMIT 500"};
  std::vector<std::string> names;
  for (const Row& row : TRY(reader.rows(kNamed, after))) names.push_back(row.text(0));
  return names;
}

}  // namespace hansard::library
