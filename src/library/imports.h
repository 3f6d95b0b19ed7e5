// Recordings that are brought from addresses which people name. The file is there at once, as "processing",
// and becomes "ready" or "failed" like one whose look inside takes its time; the table says what is still to
// be brought, so a restart takes up what the process before it left.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "blob/blob.h"
#include "fetch/address_rules.h"
#include "jobs/hub.h"
#include "library/files.h"
#include "library/workers.h"
#include "store/store.h"

namespace hansard::library {

struct NewImport {
  std::string user_id;
  std::string kind;                  // of the file: "url", "youtube"
  std::string url;                   // of a video as fetch/youtube.h knows them
  std::optional<std::string> title;  // else what the server calls it, else the last part of the address
};
// Part of the caller's transaction. Errors: rate_limited where the user has as many waiting as limits say.
Result<File> add_import(store::Transaction& transaction, const NewImport& wanted);
// The newest of a user's files that was or is being brought from this address since then; nothing where it
// failed or was deleted.
Result<std::optional<File>> find_import(store::Reader& reader, std::string_view user_id,
                                        std::string_view kind, const std::string& url, int64_t since_ms);
// With its file: what is in work ends.
Result<void> end_import(store::Transaction& transaction, std::string_view file_id);

// Brings them. What may pass (the network) is tried again a few times.
class Imports {
 public:
  struct Options {
    const fetch::AddressRules& rules;
    std::function<uint64_t()> most_bytes;  // of one recording, now
    uint64_t storage_limit_bytes = 0;      // of one user's recordings; 0: none
    std::chrono::milliseconds backoff;     // before the second try; twice as long before the third
  };
  // All outlive it. `hub` is told how much has come.
  Imports(store::Store& store, blob::Blobs& blobs, jobs::Hub& hub, Options options);

  // Begins with what is there.
  void start() { workers_.start(); }
  // Gives up what is in work; that stays as it is in the table. Returns when all has ended.
  void stop() { workers_.stop(); }
  // Of the store's notices those on "imports" and "imports_ended". Any thread.
  void notice(const store::Notice& notice) { workers_.notice(notice); }

 private:
  struct Wish;

  Result<void> bring(const Workers::Task& task, const std::stop_token& stop);
  Result<File> fetch(const Wish& wish, Incoming& incoming, const std::stop_token& stop);
  Result<uint64_t> room_bytes(const std::string& user_id);
  Result<void> give_up(const Wish& wish, const Error& error);

  store::Store& store_;
  blob::Blobs& blobs_;
  jobs::Hub& hub_;
  const Options options_;
  Workers workers_;
};

}  // namespace hansard::library
