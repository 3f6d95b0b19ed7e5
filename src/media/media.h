// Recordings: what is in them, and their sound as 16 kHz mono samples in a spool. The work is done by ffprobe
// and ffmpeg as children that get a descriptor, no path, no network, and limits on time, memory and output;
// of ffmpeg's formats only those that hold sound themselves, so that no recording can name another file.
// Errors: unsupported_media (no media, no sound), media_unreadable (breaks off, cannot be decoded),
// invalid_request (a range that lies outside of the recording), insufficient_storage (the message says how
// much is needed), canceled, not_found (ffmpeg is not installed: the message says how to get it). Threads:
// all functions may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/audio.h"
#include "base/fd.h"
#include "base/result.h"

namespace hansard::media {

struct Info {
  double duration_s = 0;  // 0 where the container does not say
  int channels = 0;
  int sample_rate_hz = 0;
  std::string channel_layout;  // ffmpeg's name of it; empty where the container does not say
  std::string format;          // ffmpeg's name of the container
  std::string codec;           // of the first audio stream
  bool has_video = false;      // cover art is no video
  bool is_webm = false;        // of the containers that ffmpeg calls "matroska,webm", the second
  // Where the sound starts, in seconds since the recording's start: more than 0 in a video whose sound comes
  // later.
  double sound_start_s = 0;
  // Where the sound ends by the word of a container that is to be trusted in this; 0 where it is not.
  double sound_end_s = 0;
};

// `fd` must be a regular file open for reading, whatever its position, which stays as it is.
Result<Info> probe(int fd, const std::stop_token& stop);
// The same for those who cannot wait as long as that may take: nothing where it takes longer than `patience`.
Result<std::optional<Info>> probe_within(int fd, std::chrono::milliseconds patience,
                                         const std::stop_token& stop);

// Which part of a recording: seconds since its start, which is the earliest time of any of its streams, as
// players show it. What comes before the sound's own start and what the container leaves out are silence.
struct Range {
  double start_s = 0;
  std::optional<double> end_s;
};

// What of a recording is decoded: its channels mixed down, or one of them, the first being 0.
struct Selection {
  Range range;
  std::optional<int> channel;
};

// Decoded sound. Sample 0 is at `offset_s` of the recording: the range's start, to the sample.
struct Spool {
  UniqueFd fd;
  int64_t sample_count = 0;
  double offset_s = 0;
  Pcm pcm() const { return Pcm(fd.get(), sample_count); }
};

// Decodes the first audio stream of `fd`, to mono, into an unnamed file in `folder`. A range's
// samples are those that the whole recording has there, so all that comes before is decoded too. Room is
// checked first where the length is known, and watched in any case. `progress` gets seconds of the range
// decoded, in this thread. A recording that ends clearly before `info.sound_end_s` gives media_unreadable;
// where that is not known, what is there is decoded.
Result<Spool> decode(int fd, const Info& info, const Selection& selection,
                     const std::filesystem::path& folder, const std::function<void(double)>& progress,
                     const std::stop_token& stop);

// How loud a recording is over its time, for drawing it: the largest magnitude of each of so many equal
// stretches, 0 to 65535.
struct Waveform {
  double duration_s = 0;
  std::vector<uint16_t> peaks;

  // The same in `count` stretches. Exact as long as there are several of the old in each new one.
  Waveform in_points(size_t count) const;
};
// From what decode() decodes, without a spool: memory does not grow with the recording. There are more than
// limits::kWaveformPeaks / 2 stretches, unless the sound has fewer samples. One that breaks off is drawn as
// far as it goes.
Result<Waveform> waveform(int fd, const Info& info, const std::stop_token& stop);

// Whether today's browsers play it as it is.
bool browsers_play(const Info& info);

// The sound for those who cannot: AAC in MP4 with its index in front, at the recording's own times, in an
// unnamed file in `folder`.
Result<UniqueFd> make_playback(int fd, const Info& info, const std::filesystem::path& folder,
                               const std::stop_token& stop);

// Whether a file of this name is worth a try when a folder is given: by its extension, whatever its case;
// hidden files are not.
bool is_media_name(const std::filesystem::path& path);

}  // namespace hansard::media
