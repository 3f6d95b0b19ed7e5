#include "cli/housekeeper.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "auth/audit.h"
#include "auth/sessions.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "library/erasure.h"
#include "library/files.h"
#include "library/search.h"
#include "library/webhooks.h"

namespace hansard::cli {
namespace {

using namespace std::chrono_literals;
using store::Statement;

constexpr auto kInterval = 5min;
// Of what may take long.
constexpr int kHouseIntervals = 12;
// Of what has no row: a younger blob may be in writing.
constexpr auto kSweepAge = 24h;

}  // namespace

Housekeeper::Housekeeper(store::Store& store, blob::Blobs& blobs, const pipeline::Artifacts& artifacts,
                         library::UploadsInWork& uploads, library::Retention retention)
    : store_(store),
      blobs_(blobs),
      artifacts_(artifacts),
      uploads_(uploads),
      retention_(retention),
      sweep_(std::in_place, blobs),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Housekeeper::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock wait(mutex);
  if (const auto searchable = library::make_searchable(store_, stop); !searchable)
    log::warning("old transcripts cannot be searched: {} {}", searchable.error().message,
                 searchable.error().detail);
  int count = 0;
  do {
    erase_ephemeral();
    if (count++ % kHouseIntervals != 0) continue;
    keep_house();
    sweep();
  } while (!never.wait_for(wait, stop, kInterval, [] { return false; }) && !stop.stop_requested());
}

void Housekeeper::erase_ephemeral() {
  const auto erased = library::erase_ephemeral(store_, blobs_, artifacts_);
  if (!erased)
    log::warning("old transcriptions were not erased: {} {}", erased.error().message, erased.error().detail);
}

void Housekeeper::keep_house() {
  static constexpr Statement kForget{
      "events.forget",
      "DELETE FROM events WHERE id < "
      "COALESCE((SELECT MIN(id) FROM events WHERE created_at >= $1), 9223372036854775807)"};
  const int64_t now_ms = store_.now_ms();
  const auto forgot = store_.write([&](store::Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kForget, now_ms - std::chrono::milliseconds(limits::kEventAge).count()));
    TRY(library::forget_deliveries(transaction));
    TRY(auth::forget_sessions(transaction));
    TRY(auth::forget_audit(transaction));
    return {};
  });
  if (!forgot)
    log::warning("old events were not removed: {} {}", forgot.error().message, forgot.error().detail);
  const auto kept = library::apply_retention(store_, blobs_, artifacts_, retention_);
  if (!kept) {
    log::warning("what is old was not removed: {} {}", kept.error().message, kept.error().detail);
  } else if (kept->recordings + kept->transcriptions > 0) {
    log::info("{} recordings and {} transcriptions were as old as they are kept, and are gone",
              kept->recordings, kept->transcriptions);
  }
  const auto abandoned = library::remove_abandoned_uploads(store_, blobs_, uploads_);
  if (!abandoned)
    log::warning("old uploads were not removed: {} {}", abandoned.error().message, abandoned.error().detail);
}

void Housekeeper::sweep() {
  // What the first finds and was not created since, an earlier process left.
  const int64_t before_ms =
      sweep_ ? INT64_MAX : system_now_ms() - std::chrono::milliseconds(kSweepAge).count();
  if (!sweep_) sweep_.emplace(blobs_);
  for (const char* prefix : {"files/", "renditions/", "transcripts/", "uploads/"}) {
    const auto swept =
        sweep_->remove_unnamed(prefix, before_ms, [&](const std::string& name) -> Result<bool> {
          bool named = true;
          TRY(store_.read([&](store::Reader& reader) -> Result<void> {
            named = TRY(library::names_blob(reader, name));
            return {};
          }));
          return named;
        });
    if (!swept)
      log::warning("unused data was not removed: {} {}", swept.error().message, swept.error().detail);
    if (swept && *swept > 0) log::info("removed {} blobs that no row names", *swept);
  }
  sweep_.reset();
}

}  // namespace hansard::cli
