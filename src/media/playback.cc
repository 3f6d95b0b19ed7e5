#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "base/file.h"
#include "base/limits.h"
#include "media/ffmpeg.h"
#include "media/media.h"

namespace hansard::media {
namespace {

constexpr int kOutputDescriptor = 4;
// Voices are good at this; both channels, or the one.
constexpr int kBitsPerSecondOfAChannel = 64'000;
constexpr int kHighestRateHz = 48'000;

// ffmpeg's names of a container and of what it holds.
struct Playable {
  std::string_view format;
  std::string_view codec;
};
constexpr std::array kPlayable{
    Playable{"mp3", "mp3"},
    Playable{"wav", "pcm_u8"},
    Playable{"wav", "pcm_s16le"},
    Playable{"wav", "pcm_s24le"},
    Playable{"wav", "pcm_s32le"},
    Playable{"wav", "pcm_f32le"},
    Playable{"flac", "flac"},
    Playable{"ogg", "opus"},
    Playable{"ogg", "vorbis"},
    Playable{"aac", "aac"},
    Playable{"mov,mp4,m4a,3gp,3g2,mj2", "aac"},
    Playable{"mov,mp4,m4a,3gp,3g2,mj2", "mp3"},
};

uint64_t bytes_per_second(int channels) {
  return static_cast<uint64_t>(channels) * kBitsPerSecondOfAChannel / 8;
}

Result<void> check_room(const Info& info, int channels, const std::filesystem::path& folder) {
  // There for a moment twice: as ffmpeg wrote it, and where it is kept.
  const auto seconds = static_cast<uint64_t>(std::max(info.duration_s, 1.0));
  const uint64_t needed = 2 * seconds * bytes_per_second(channels) + limits::kDiskReserveBytes;
  if (TRY(free_bytes(folder)) >= needed) return {};
  return fail(
      ErrorCode::insufficient_storage,
      fmt::format("making this recording playable needs {} MB on the disk of the data folder", needed >> 20));
}

ChildOptions encoder(int fd, int output_fd, const Info& info, int channels) {
  const double length_s = info.duration_s > 0 ? info.duration_s : limits::kRecordingSeconds;
  ChildOptions options = ffmpeg_child(
      "ffmpeg", fd, decode_cpu_seconds(info),
      {"-nostdin", "-y", "-filter_threads", "1", "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1",
       // Silence where nothing was recorded, and before a sound that starts late: times stay the recording's.
       "-af", "aresample=async=1:first_pts=0", "-ac", fmt::to_string(channels), "-ar",
       fmt::to_string(info.sample_rate_hz > 0 ? std::min(info.sample_rate_hz, kHighestRateHz)
                                              : kHighestRateHz),
       "-c:a", "aac", "-b:a", fmt::to_string(channels * kBitsPerSecondOfAChannel), "-threads", "1",
       "-movflags", "+faststart", "-f", "mp4",
       // Says that it gets on.
       "-progress", "pipe:1", fmt::format("file:/proc/self/fd/{}", kOutputDescriptor)});
  options.descriptors.emplace_back(kOutputDescriptor, output_fd);
  options.limits.file_size_bytes =
      2 * static_cast<uint64_t>(length_s) * bytes_per_second(channels) + (uint64_t{16} << 20);
  return options;
}

}  // namespace

bool browsers_play(const Info& info) {
  return info.is_webm || std::any_of(kPlayable.begin(), kPlayable.end(), [&](const Playable& one) {
           return one.format == info.format && one.codec == info.codec;
         });
}

Result<UniqueFd> make_playback(int fd, const Info& info, const std::filesystem::path& folder,
                               const std::stop_token& stop) {
  if (info.duration_s > limits::kRecordingSeconds) {
    return fail(ErrorCode::unsupported_media,
                fmt::format("the recording is longer than {:.0f} hours", limits::kRecordingSeconds / 3600));
  }
  const int channels = info.channels == 1 ? 1 : 2;
  TRY(make_private_folder(folder));
  TRY(check_room(info, channels, folder));
  UniqueFd made = TRY(open_unnamed_file(folder));
  Result<ChildOutput> output = stream_child(
      encoder(fd, made.get(), info, channels), limits::kDecodeSilence,
      [](std::string_view) -> Result<void> { return {}; }, stop);
  if (!output) return fail(start_error(std::move(output).error()));
  if (output->timed_out) {
    return fail(ErrorCode::media_unreadable, "decoding this recording does not get on",
                last_words(output->standard_error));
  }
  if (output->standard_error.find("No space left on device") != std::string::npos) {
    return fail(ErrorCode::insufficient_storage, "the disk of the data folder is full; make room there",
                last_words(output->standard_error));
  }
  if (!output->exit.ok()) return fail(media_error(*output));
  return made;
}

}  // namespace hansard::media
