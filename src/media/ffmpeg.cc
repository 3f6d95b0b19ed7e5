#include "media/ffmpeg.h"

#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "base/limits.h"

namespace hansard::media {
namespace {

constexpr int kInputDescriptor = 3;
constexpr size_t kLastWordsBytes = 500;

// Formats that hold sound themselves. Missing are playlists and scripts, which name other files (hls, dash,
// concat, sdp, …), devices and generators (lavfi), images, subtitles, text, music that is computed
// (trackers), and video without sound.
constexpr std::string_view kFormats =
    "aac,ac3,act,aiff,amr,ape,asf,au,avi,avr,caf,dsf,dss,dts,dtshd,dv,eac3,flac,flv,gxf,iff,ircam,loas,"
    "matroska,webm,mlp,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,nsv,nut,ogg,oma,paf,"
    "pvf,"
    "qcp,rm,shn,sox,tak,truehd,tta,voc,w64,wav,wtv,wv,wve,xwma";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

ChildOptions ffmpeg_child(const std::string& program, int fd, uint64_t cpu_seconds,
                          std::vector<std::string> more) {
  ChildOptions options;
  // ffmpeg 5 has no input by descriptor that can be seeked; this path is one.
  options.argv = {program,
                  "-hide_banner",
                  "-v",
                  "error",
                  "-protocol_whitelist",
                  "file,pipe",
                  "-format_whitelist",
                  std::string(kFormats),
                  "-threads",
                  "1",
                  "-i",
                  fmt::format("file:/proc/self/fd/{}", kInputDescriptor)};
  options.argv.insert(options.argv.end(), std::make_move_iterator(more.begin()),
                      std::make_move_iterator(more.end()));
  options.descriptors = {{kInputDescriptor, fd}};
  options.limits.cpu_seconds = cpu_seconds;
  options.limits.address_space_bytes = limits::kMediaAddressSpaceBytes;
  options.limits.file_size_bytes = 0;  // it writes to pipes only
  return options;
}

Error start_error(Error error) {
  if (error.code == ErrorCode::not_found) {
    error.message = "ffmpeg is not installed; install it, on Debian by: sudo apt-get install ffmpeg";
  }
  return error;
}

Error media_error(const ChildOutput& output) {
  const auto error = [&](ErrorCode code, std::string message) {
    return Error{code, std::move(message),
                 fmt::format("exit code {}, signal {}: {}", output.exit.exit_code, output.exit.signal,
                             last_words(output.standard_error))};
  };
  if (output.exit.signal == SIGXCPU) {
    return error(ErrorCode::media_unreadable,
                 "decoding this recording takes more time than its length can explain");
  }
  if (output.exit.signal == SIGKILL || output.exit.signal == SIGTERM) {
    return error(ErrorCode::internal, "ffmpeg was killed while it read this recording; try again");
  }
  if (output.exit.signal != 0)
    return error(ErrorCode::media_unreadable, "ffmpeg crashed over this recording");
  if (contains(output.standard_error, "moov atom not found")) {
    return error(
        ErrorCode::media_unreadable,
        "this recording is incomplete: its index is missing, as when recording or copying was interrupted");
  }
  if (contains(output.standard_error, "does not contain any stream") ||
      contains(output.standard_error, "matches no streams")) {
    return error(ErrorCode::unsupported_media, "this file has no audio track");
  }
  return error(ErrorCode::unsupported_media, "this is not an audio or video file that ffmpeg can decode");
}

std::string last_words(std::string_view standard_error) {
  if (standard_error.size() > kLastWordsBytes) {
    standard_error.remove_prefix(standard_error.size() - kLastWordsBytes);
  }
  std::string words;
  for (const char c : standard_error) {
    if (c == '\n') {
      words += "; ";
    } else {
      words += c >= ' ' && c <= '~' ? c : '?';
    }
  }
  return words;
}

}  // namespace hansard::media
