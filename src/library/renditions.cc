#include "library/renditions.h"

#include <sys/stat.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"

namespace hansard::library {
namespace {

// A number in a name is raised when the form of the blob changes.
constexpr const char* kWaveform = "waveform-1";
constexpr const char* kPlayback = "playback-1.m4a";
constexpr size_t kRemembered = 10'000;

std::string blob_name(std::string_view file_id, std::string_view name) {
  return fmt::format("renditions/{}/{}", file_id, name);
}

Result<uint64_t> size_of(int fd) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return fail(system_error("cannot read the file", errno));
  return static_cast<uint64_t>(status.st_size);
}

Result<void> copy(int fd, blob::Writer& writer) {
  return read_pieces(fd, TRY(size_of(fd)), [&](std::string_view piece) { return writer.append(piece); });
}

// The duration, then the peaks, as this machine has them in memory.
Result<void> write_waveform(const media::Waveform& waveform, blob::Writer& writer) {
  std::array<char, sizeof waveform.duration_s> duration;
  std::memcpy(duration.data(), &waveform.duration_s, duration.size());
  TRY(writer.append({duration.data(), duration.size()}));
  return writer.append(
      {reinterpret_cast<const char*>(waveform.peaks.data()), waveform.peaks.size() * sizeof(uint16_t)});
}

Result<media::Waveform> read_waveform(int fd) {
  media::Waveform waveform;
  const uint64_t size = TRY(size_of(fd));
  constexpr uint64_t kHead = sizeof waveform.duration_s;
  if (size < kHead || size > kHead + limits::kWaveformPeaks * sizeof(uint16_t)) {
    return fail(ErrorCode::internal, "a waveform has another size than any was written with");
  }
  waveform.peaks.resize((size - kHead) / sizeof(uint16_t));
  TRY(read_at(fd, 0, std::as_writable_bytes(std::span(&waveform.duration_s, 1))));
  TRY(read_at(fd, kHead, std::as_writable_bytes(std::span(waveform.peaks))));
  return waveform;
}

}  // namespace

Renditions::Renditions(store::Store& store, blob::Blobs& blobs, std::filesystem::path spool_folder)
    : store_(store), blobs_(blobs), spool_folder_(std::move(spool_folder)) {}

Result<media::Waveform> Renditions::waveform(const File& file) {
  const UniqueFd kept = TRY(
      once(file, kWaveform, [this](int fd, const media::Info& info, blob::Writer& writer) -> Result<void> {
        return write_waveform(TRY(media::waveform(fd, info, stop_.get_token())), writer);
      }));
  return read_waveform(kept.get());
}

Result<Renditions::Playback> Renditions::playback(const File& file) {
  Playback result;
  result.original = TRY(played_as_it_is(file));
  if (result.original) {
    result.fd = TRY(blobs_.open(file.blob.value_or("")));
  } else {
    result.fd = TRY(
        once(file, kPlayback, [this](int fd, const media::Info& info, blob::Writer& writer) -> Result<void> {
          const UniqueFd made = TRY(media::make_playback(fd, info, spool_folder_, stop_.get_token()));
          return copy(made.get(), writer);
        }));
  }
  result.size_bytes = TRY(size_of(result.fd.get()));
  return result;
}

Result<bool> Renditions::played_as_it_is(const File& file) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = played_as_it_is_.find(file.id);
    if (known != played_as_it_is_.end()) return known->second;
  }
  const UniqueFd fd = TRY(blobs_.open(file.blob.value_or("")));
  const bool played = media::browsers_play(TRY(media::probe(fd.get(), stop_.get_token())));
  const std::lock_guard lock(mutex_);
  if (played_as_it_is_.size() >= kRemembered) played_as_it_is_.clear();
  played_as_it_is_[file.id] = played;
  return played;
}

// The blob as an open file, made first where it is not there.
Result<UniqueFd> Renditions::once(const File& file, const char* name, const Make& make_it) {
  const std::string blob = blob_name(file.id, name);
  auto there = blobs_.open(blob);
  if (there || there.error().code != ErrorCode::not_found) return there;
  TRY(take_turn(blob));
  // Whoever had the turn before may have made it.
  there = blobs_.open(blob);
  Result<void> made;
  if (!there && there.error().code == ErrorCode::not_found) made = make(file, blob, make_it);
  {
    const std::lock_guard lock(mutex_);
    making_.erase(blob);
    --waiting_;
    changed_.notify_all();
  }
  if (!made) return fail(std::move(made).error());
  if (there) return there;
  return blobs_.open(blob);
}

Result<void> Renditions::take_turn(const std::string& blob) {
  std::unique_lock lock(mutex_);
  if (waiting_ >= limits::kRenditionWaiters) {
    return fail(ErrorCode::canceled, "other recordings are being made ready; try again in a moment");
  }
  ++waiting_;
  const bool free = changed_.wait(lock, stop_.get_token(), [&] {
    return making_.size() < limits::kRenditionMakers && !making_.contains(blob);
  });
  if (free && !stop_.stop_requested()) {
    making_.insert(blob);
    return {};
  }
  --waiting_;
  return fail(ErrorCode::canceled, "the server is stopping; try again when it is back");
}

Result<void> Renditions::make(const File& file, const std::string& blob, const Make& make_it) {
  if (!file.blob) return fail(ErrorCode::not_found, "the recording was deleted");
  const UniqueFd fd = TRY(blobs_.open(*file.blob));
  const media::Info info = TRY(media::probe(fd.get(), stop_.get_token()));
  const auto writer = TRY(blobs_.create(blob));
  TRY(make_it(fd.get(), info, *writer));
  TRY(writer->commit());
  // Who erased the recording while this went on looked for it too early.
  bool there = false;
  TRY(store_.read([&](store::Reader& reader) -> Result<void> {
    there = TRY(names_blob(reader, blob));
    return {};
  }));
  if (there) return {};
  TRY(blobs_.remove(blob));
  return fail(ErrorCode::not_found, "the recording was deleted");
}

void erase_renditions(blob::Blobs& blobs, std::string_view file_id) {
  for (const char* name : {kWaveform, kPlayback}) {
    if (const auto removed = blobs.remove(blob_name(file_id, name)); !removed) {
      log::warning("{}: a rendition was not removed: {}", file_id, removed.error().message);
    }
  }
}

}  // namespace hansard::library
