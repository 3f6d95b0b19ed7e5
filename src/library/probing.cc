#include "library/probing.h"

#include "base/log.h"
#include "library/files.h"
#include "media/media.h"

namespace hansard::library {

Probing::Probing(store::Store& store, blob::Blobs& blobs) : store_(store), blobs_(blobs) {}

Probing::~Probing() = default;

void Probing::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Probing::notice(const store::Notice& notice) {
  if (notice.channel != "files") return;
  const std::lock_guard lock(mutex_);
  look_ = true;
  changed_.notify_one();
}

void Probing::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return look_; })) return;
      look_ = false;
    }
    for (;;) {
      std::optional<File> file;
      const auto read = store_.read([&](store::Reader& reader) -> Result<void> {
        file = TRY(next_to_probe(reader));
        return {};
      });
      if (!read) log::error("files: {} {}", read.error().message, read.error().detail);
      if (!read || !file) break;
      const auto probed = [&]() -> Result<media::Info> {
        const UniqueFd fd = TRY(blobs_.open(*file->blob));
        return media::probe(fd.get(), stop);
      }();
      if (stop.stop_requested()) return;
      const auto settled = store_.write([&](store::Transaction& transaction) -> Result<void> {
        return settle_file(transaction, *file, probed);
      });
      // What could not be written is done again at the next start.
      if (!settled) {
        log::error("{}: {} {}", file->id, settled.error().message, settled.error().detail);
        break;
      }
    }
  }
}

}  // namespace hansard::library
