// Recordings: what is in them, and their sound as 16 kHz mono samples in a spool. The work is done by ffprobe
// and ffmpeg as children that get a descriptor, no path, no network, and limits on time, memory and output.
// Errors: unsupported_media (no media, no sound), media_unreadable (breaks off, cannot be decoded),
// insufficient_storage (the message says how much is needed), canceled, not_found (ffmpeg is not installed: the
// message says how to get it). Threads: all functions may be called from any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/audio.h"
#include "base/fd.h"
#include "base/result.h"

namespace hansard::media {

struct Info {
  double duration_s = 0;  // 0 where the container does not say
  int channels = 0;
  int sample_rate_hz = 0;
  std::string format;     // ffmpeg's name of the container
  std::string codec;      // of the first audio stream
  bool has_video = false;
};

// `fd` must be a regular file open for reading.
Result<Info> probe(int fd, std::stop_token stop);

// Which part of a recording: seconds since its start.
struct Range {
  double start_s = 0;
  std::optional<double> end_s;
};

// Decoded sound. Sample 0 is at `offset_s` of the recording.
struct Spool {
  UniqueFd fd;
  int64_t sample_count = 0;
  double offset_s = 0;
  Pcm pcm() const { return Pcm(fd.get(), sample_count); }
};

// Decodes the first audio stream of `fd`, mixed down to mono, into an unnamed file in `folder`. Room is checked
// first where the length is known, and watched where it is not. `progress` gets seconds decoded. A recording
// that breaks off in the middle gives media_unreadable unless `info.duration_s` is unknown.
Result<Spool> decode(int fd, const Info& info, const Range& range, const std::filesystem::path& folder,
                     const std::function<void(double)>& progress, std::stop_token stop);

}  // namespace hansard::media
