// How ffprobe and ffmpeg are called.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "media/media.h"

namespace hansard::media {

// The options of `program` ("ffprobe" or "ffmpeg") that make `fd` its input, seekable, without a path, and
// keep it from all other files: `more` follows them.
ChildOptions ffmpeg_child(const std::string& program, int fd, uint64_t cpu_seconds,
                          std::vector<std::string> more);

// An ffmpeg that writes the first audio stream of `fd`, or one channel of it, to its standard output: 16-bit
// samples, 16 kHz, mono, beginning where the sound does.
ChildOptions sound_decoder(int fd, const Info& info, std::optional<int> channel = std::nullopt);

// How much CPU time may go into a recording of this length.
uint64_t decode_cpu_seconds(const Info& info);

// The error for `error` of starting a child: says how to get ffmpeg.
Error start_error(Error error);

// What a child that failed over a recording wrote to standard error, as an error.
Error media_error(const ChildOutput& output);

// The last lines of a child's standard error, fit for a log.
std::string last_words(std::string_view standard_error);

}  // namespace hansard::media
