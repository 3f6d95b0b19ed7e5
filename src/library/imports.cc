#include "library/imports.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/hash.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "fetch/fetch.h"
#include "fetch/youtube.h"
#include "jobs/state.h"
#include "transcript/text.h"

namespace hansard::library {
namespace {

using store::Reader;
using store::Statement;
using store::Transaction;
using Clock = std::chrono::steady_clock;

// A bar that moves more often than this looks no smoother.
constexpr auto kProgressInterval = std::chrono::milliseconds(250);
constexpr size_t kTitleCharacters = 500;

constexpr Statement kWaiting{
    "imports.waiting",
    "SELECT file_id, user_id, available_at FROM imports ORDER BY created_at, file_id LIMIT 1000"};

// Some servers write a name as their system has it.
std::string title_of(std::string_view name) {
  return std::string(transcript::first_characters(transcript::cleaned(name), kTitleCharacters));
}

// Of a file that nobody gave a title, while its server has not said what it is called.
std::string default_title(std::string_view kind, const std::string& url) {
  if (kind == "youtube") return "YouTube " + fetch::youtube_video(url).value_or("");
  return title_of(fetch::name_of(url));
}

// A video has many addresses.
std::string source_digest(std::string_view kind, const std::string& url) {
  return sha256_hex(kind == "youtube" ? "youtube " + fetch::youtube_video(url).value_or("") : url);
}

// Tells how much of a file has come.
class Meter {
 public:
  Meter(jobs::Hub& hub, const File& file) : hub_(hub), file_(file) {}

  void show(uint64_t bytes, std::optional<uint64_t> of_bytes) {
    const auto now = Clock::now();
    if (now - shown_ < kProgressInterval) return;
    shown_ = now;
    json::bj::object data{{"id", file_.id}, {"status", file_.status}, {"title", file_.title}};
    data["received_bytes"] = bytes;
    data["progress"] = nullptr;
    if (of_bytes.value_or(0) > 0) {
      data["progress"] =
          json::rounded(std::min(1.0, static_cast<double>(bytes) / static_cast<double>(*of_bytes)), 4);
    }
    hub_.announce({{}, file_.user_id, "file.processing", file_.id, json::to_text(data)});
  }

 private:
  jobs::Hub& hub_;
  const File& file_;
  Clock::time_point shown_;
};

// What went wrong in here is for the log.
Error for_people(const Error& error) {
  if (error.code == ErrorCode::not_found) {
    return {ErrorCode::unavailable, "yt-dlp, which brings it, is no longer installed on the server", {}};
  }
  if (error.code != ErrorCode::internal && error.code != ErrorCode::permission_denied) return error;
  return {ErrorCode::internal, "the recording could not be kept; the server's log says why", error.message};
}

}  // namespace

// ---- rows

Result<File> add_import(Transaction& transaction, const NewImport& wanted) {
  static constexpr Statement kCount{"imports.count", "SELECT COUNT(*) FROM imports WHERE user_id = $1"};
  static constexpr Statement kInsert{"imports.insert",
                                     "INSERT INTO imports (file_id, user_id, url, titled, tries, "
                                     "available_at, created_at) VALUES ($1, $2, $3, $4, 0, $5, $5)"};
  static constexpr Statement kSource{"imports.source", "UPDATE files SET source_digest = $2 WHERE id = $1"};
  if (TRY(transaction.row(kCount, wanted.user_id))->integer(0) >= limits::kImportsOfUser) {
    return fail(ErrorCode::rate_limited, "too many imports are waiting; try again when some are done");
  }
  const int64_t now = transaction.now_ms();
  File file;
  file.id = make_id("file", now);
  file.user_id = wanted.user_id;
  file.title = wanted.title.value_or(default_title(wanted.kind, wanted.url));
  file.kind = wanted.kind;
  file.status = "processing";
  TRY(insert_file(transaction, file));
  TRY(transaction.change(kSource, file.id, source_digest(wanted.kind, wanted.url)));
  TRY(transaction.change(kInsert, file.id, file.user_id, wanted.url, wanted.title.has_value(), now));
  transaction.notify({"imports", file.id});
  return file;
}

Result<std::optional<File>> find_import(Reader& reader, std::string_view user_id, std::string_view kind,
                                        const std::string& url, int64_t since_ms) {
  static constexpr Statement kFind{"imports.of_source",
                                   "SELECT id FROM files WHERE user_id = $1 AND source_digest = $2 AND "
                                   "created_at >= $3 AND status <> 'failed' "
                                   "AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 1"};
  const auto row = TRY(reader.row(kFind, user_id, source_digest(kind, url), since_ms));
  if (!row) return std::optional<File>();
  return find_file(reader, user_id, row->text(0));
}

Result<void> end_import(Transaction& transaction, std::string_view file_id) {
  static constexpr Statement kEnd{"imports.end", "DELETE FROM imports WHERE file_id = $1"};
  if (TRY(transaction.change(kEnd, file_id)) > 0) {
    transaction.notify({"imports_ended", std::string(file_id)});
  }
  return {};
}

// ---- who does it

struct Imports::Wish {
  File file;
  std::string url;
  bool titled = false;
  int64_t tries = 0;
};

Imports::Imports(store::Store& store, blob::Blobs& blobs, jobs::Hub& hub, Options options)
    : store_(store),
      blobs_(blobs),
      hub_(hub),
      options_(std::move(options)),
      workers_(store, {.name = "imports",
                       .waiting = kWaiting,
                       .at_once = limits::kImportsAtOnce,
                       .of_user_at_once = limits::kImportsOfUserAtOnce,
                       .perform = [this](const Workers::Task& task, const std::stop_token& stop) {
                         return bring(task, stop);
                       }}) {}

Result<void> Imports::bring(const Workers::Task& task, const std::stop_token& stop) {
  static constexpr Statement kWish{"imports.find",
                                   "SELECT url, titled, tries FROM imports WHERE file_id = $1"};
  std::optional<Wish> wish;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    const auto row = TRY(reader.row(kWish, task.subject));
    const auto file = TRY(find_file(reader, task.user_id, task.subject));
    if (row && file) wish = Wish{*file, row->text(0), row->boolean(1), row->integer(2)};
    return {};
  }));
  if (!wish) return {};  // deleted meanwhile
  auto incoming = Incoming::begin(blobs_, task.subject);
  if (!incoming) return give_up(*wish, incoming.error());
  const auto file = fetch(*wish, **incoming, stop);
  if (stop.stop_requested()) return {};
  if (!file) return give_up(*wish, file.error());
  bool taken = false;
  TRY(store_.write([&](Transaction& transaction) -> Result<void> {
    taken =
        TRY(receive_file(transaction, *file, wish->titled ? "" : default_title(wish->file.kind, wish->url)));
    return end_import(transaction, task.subject);
  }));
  if (taken) (*incoming)->keep();
  return {};
}

Result<uint64_t> Imports::room_bytes(const std::string& user_id) {
  const uint64_t most = options_.most_bytes();
  if (options_.storage_limit_bytes == 0) return most;
  uint64_t used = 0;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    used = TRY(stored_bytes(reader, user_id));
    return {};
  }));
  return std::min(most, options_.storage_limit_bytes - std::min(used, options_.storage_limit_bytes));
}

Result<File> Imports::fetch(const Wish& wish, Incoming& incoming, const std::stop_token& stop) {
  const uint64_t room = TRY(room_bytes(wish.file.user_id));
  const fetch::Take take = [&](std::string_view bytes) { return incoming.append(bytes); };
  const fetch::OnBytes on_bytes = [meter = Meter(hub_, wish.file)](uint64_t bytes,
                                                                   std::optional<uint64_t> of_bytes) mutable {
    meter.show(bytes, of_bytes);
  };
  const auto got =
      wish.file.kind == "youtube"
          ? fetch::get_video({.id = fetch::youtube_video(wish.url).value_or(""),
                              .most_bytes = room,
                              .time = limits::kImportTime},
                             take, on_bytes, stop)
          : fetch::get(
                {.url = wish.url, .rules = &options_.rules, .most_bytes = room, .time = limits::kImportTime},
                take, on_bytes, stop);
  if (!got && got.error().code == ErrorCode::too_large && room < options_.most_bytes()) {
    return fail(ErrorCode::insufficient_storage,
                "it is larger than what your recordings may still take; purge some first");
  }
  if (!got) return fail(got.error());
  const std::string title = title_of(got->name);
  auto file = incoming.finish(wish.file.user_id, title.empty() ? wish.file.title : title, "");
  if (!file && file.error().code == ErrorCode::unsupported_media && got->media_type == "text/html") {
    return fail(ErrorCode::unsupported_media, "there is a web page at this address, and no recording");
  }
  return file;
}

Result<void> Imports::give_up(const Wish& wish, const Error& error) {
  static constexpr Statement kAgain{
      "imports.again", "UPDATE imports SET tries = tries + 1, available_at = $2 WHERE file_id = $1"};
  const std::string& id = wish.file.id;
  log::info("{}: {} {}", id, error.message, error.detail);
  const bool may_pass = error.code == ErrorCode::network || error.code == ErrorCode::out_of_memory;
  return store_.write([&](Transaction& transaction) -> Result<void> {
    if (may_pass && wish.tries + 1 < limits::kImportTries) {
      const int64_t after_ms = options_.backoff.count() << wish.tries;
      TRY(transaction.change(kAgain, id, transaction.now_ms() + after_ms));
      return {};
    }
    const auto file = TRY(find_file(transaction, wish.file.user_id, id));
    if (file) TRY(settle_file(transaction, *file, fail(for_people(error))));
    return end_import(transaction, id);
  });
}

}  // namespace hansard::library
