#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cmath>

#include <fmt/format.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "media/ffmpeg.h"
#include "media/media.h"

namespace hansard::media {
namespace {

// How often the disk's room is looked at: what others write meanwhile must not use up the reserve.
constexpr uint64_t kRoomCheckedEveryBytes = 16 << 20;

// A recording that ends this much too early breaks off: containers round, and encoders pad.
double missing_allowed_s(double sound_end_s) {
  return std::max(1.0, 0.02 * sound_end_s);
}

int64_t samples(double seconds) {
  return std::llround(seconds * kSampleRate);
}

std::string size_text(uint64_t bytes) {
  const double megabytes = static_cast<double>(bytes) / 1e6;
  return megabytes < 1000 ? fmt::format("{:.0f} MB", std::ceil(megabytes))
                          : fmt::format("{:.1f} GB", megabytes / 1e3);
}

Error no_room(uint64_t needed_bytes, uint64_t free_bytes, const std::filesystem::path& folder) {
  return Error{
      ErrorCode::insufficient_storage,
      fmt::format("decoding this recording needs {} on the disk of the data folder, which has {} left; make "
                  "room, or set HANSARD_DATA_DIR to a folder on another disk",
                  size_text(needed_bytes), size_text(free_bytes)),
      folder.string()};
}

// Takes the whole recording's samples in order and keeps those of a range in the spool.
class RangeWriter {
 public:
  RangeWriter(const Range& range, const std::filesystem::path& folder,
              const std::function<void(double)>& progress)
      : folder_(folder),
        progress_(progress),
        first_byte_(samples(range.start_s) * kBytesPerSample),
        last_byte_(samples(range.end_s.value_or(limits::kRecordingSeconds)) * kBytesPerSample) {}

  Result<void> open() {
    spool_.fd = TRY(open_unnamed_file(folder_));
    return {};
  }

  Result<void> take(std::string_view bytes) {
    const int64_t begin = position_bytes_;
    position_bytes_ += static_cast<int64_t>(bytes.size());
    const int64_t from = std::clamp(first_byte_, begin, position_bytes_);
    const int64_t to = std::clamp(last_byte_, from, position_bytes_);
    if (from == to) return {};
    bytes = bytes.substr(static_cast<size_t>(from - begin), static_cast<size_t>(to - from));
    TRY(watch_room(bytes.size()));
    Result<void> written = write_all(spool_.fd.get(), bytes);
    if (!written) {
      if (written.error().code != ErrorCode::insufficient_storage) return written;
      return fail(no_room(limits::kDiskReserveBytes, 0, folder_));
    }
    written_bytes_ += static_cast<int64_t>(bytes.size());
    if (progress_) progress_(static_cast<double>(written_bytes_) / (kBytesPerSample * kSampleRate));
    return {};
  }

  Result<void> take_silence(double seconds) {
    static constexpr std::array<char, size_t{64} * 1024> kSilence = {};
    int64_t left = samples(seconds) * kBytesPerSample;
    while (left > 0 && !is_full()) {
      const int64_t piece = std::min<int64_t>(left, kSilence.size());
      TRY(take({kSilence.data(), static_cast<size_t>(piece)}));
      left -= piece;
    }
    return {};
  }

  bool is_full() const { return position_bytes_ >= last_byte_; }
  // How much of the recording came, whether kept or not.
  double seconds_seen() const {
    return static_cast<double>(position_bytes_) / (kBytesPerSample * kSampleRate);
  }

  Spool finish() {
    spool_.sample_count = written_bytes_ / kBytesPerSample;
    spool_.offset_s = static_cast<double>(first_byte_) / (kBytesPerSample * kSampleRate);
    return std::move(spool_);
  }

 private:
  Result<void> watch_room(size_t size_bytes) {
    since_check_bytes_ += size_bytes;
    if (since_check_bytes_ < kRoomCheckedEveryBytes) return {};
    since_check_bytes_ = 0;
    const uint64_t free = TRY(free_bytes(folder_));
    if (free < limits::kDiskReserveBytes) return fail(no_room(limits::kDiskReserveBytes, free, folder_));
    return {};
  }

  const std::filesystem::path& folder_;
  const std::function<void(double)>& progress_;
  int64_t first_byte_;
  int64_t last_byte_;
  int64_t position_bytes_ = 0;  // in the whole recording
  int64_t written_bytes_ = 0;
  uint64_t since_check_bytes_ = 0;
  Spool spool_;
};

// Containers whose packets carry times of their own, between which nothing may have been recorded. In others
// time is counted in samples, and a gap would be an error of that count.
bool has_gaps(const Info& info) {
  static constexpr std::array<std::string_view, 8> kTimed = {
      "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "asf", "mpegts", "mpeg", "flv", "wtv", "nut"};
  return std::count(kTimed.begin(), kTimed.end(), info.format) > 0;
}

// ffmpeg's filters for the downmix and the sampling rate. Known layouts are mixed by ffmpeg's weights (after
// ITU-R BS.775: the centre, where speech is, weighs most; the subwoofer nothing). Many channels without a
// layout are so many microphones: ffmpeg would guess a layout, and drop the one it takes for a subwoofer.
std::string filters(const Info& info, std::optional<int> channel) {
  std::string mix;
  if (channel) {
    mix = fmt::format("pan=mono|c0=c{},", *channel);
  } else if (info.channels > 2 && info.channel_layout.empty()) {
    mix = "pan=mono|c0=";
    for (int each = 0; each < info.channels; ++each) {
      mix += fmt::format("{}{:.9f}*c{}", each == 0 ? "" : "+", 1.0 / info.channels, each);
    }
    mix += ",";
  }
  // async=1 fills gaps with silence and cuts what overlaps, beyond a tenth of a second, and never stretches.
  return fmt::format("{}aresample={}{}", mix, kSampleRate, has_gaps(info) ? ":async=1" : "");
}

Result<void> check_range(const Info& info, const Range& range) {
  if (!(range.start_s >= 0 && range.start_s < limits::kRecordingSeconds)) {
    return fail(ErrorCode::invalid_request, "the start lies outside of any recording");
  }
  if (range.end_s && !(*range.end_s > range.start_s)) {
    return fail(ErrorCode::invalid_request, "the end must come after the start");
  }
  if (info.duration_s > limits::kRecordingSeconds || info.sound_start_s > limits::kRecordingSeconds) {
    return fail(ErrorCode::unsupported_media,
                fmt::format("the recording is longer than {:.0f} hours", limits::kRecordingSeconds / 3600));
  }
  return {};
}

Result<void> check_room(const Info& info, const Range& range, const std::filesystem::path& folder) {
  const double end_s = std::min(range.end_s.value_or(info.duration_s), info.duration_s);
  const auto spool_bytes =
      static_cast<uint64_t>(samples(std::max(0.0, end_s - range.start_s)) * kBytesPerSample);
  const uint64_t needed = spool_bytes + limits::kDiskReserveBytes;
  const uint64_t free = TRY(free_bytes(folder));
  if (free < needed) return fail(no_room(needed, free, folder));
  return {};
}

Error breaks_off(double seconds, double stated_s, const ChildOutput& output) {
  return Error{
      ErrorCode::media_unreadable,
      fmt::format("the recording breaks off after {:.1f} s of {:.1f} s; it was not copied or recorded whole",
                  seconds, stated_s),
      last_words(output.standard_error)};
}

// What a decoder's end says about the recording.
Result<void> check_end(const ChildOutput& output, const Info& info, const Range& range,
                       const RangeWriter& writer) {
  if (output.timed_out) {
    return fail(ErrorCode::media_unreadable, "decoding this recording does not get on",
                last_words(output.standard_error));
  }
  const double seen_s = writer.seconds_seen();
  if (!output.exit.ok()) {
    Error error = media_error(output);
    if (seen_s > info.sound_start_s && error.code == ErrorCode::unsupported_media) {
      error = Error{ErrorCode::media_unreadable,
                    fmt::format("the recording cannot be decoded beyond {:.1f} s", seen_s), error.detail};
    }
    return fail(std::move(error));
  }
  // Matroska states one length for all streams, so a sound that ends early may be meant to.
  const bool ended_early = output.standard_error.find("ended prematurely") != std::string::npos;
  const double stated_s = info.sound_end_s > 0 ? info.sound_end_s : ended_early ? info.duration_s : 0;
  if (seen_s < stated_s - missing_allowed_s(stated_s)) return fail(breaks_off(seen_s, stated_s, output));
  if (seen_s <= info.sound_start_s) {
    return fail(ErrorCode::media_unreadable, "the sound of this recording cannot be decoded",
                last_words(output.standard_error));
  }
  if (samples(range.start_s) >= samples(seen_s)) {
    return fail(ErrorCode::invalid_request,
                fmt::format("the start, {:.1f} s, lies behind the end of the recording, "
                            "which is {:.1f} s long",
                            range.start_s, std::max(seen_s, info.duration_s)));
  }
  return {};
}

}  // namespace

uint64_t decode_cpu_seconds(const Info& info) {
  const double length_s = info.duration_s > 0 ? info.duration_s : limits::kRecordingSeconds;
  return std::max(static_cast<uint64_t>(limits::kDecodeCpuSecondsPerSecond * length_s),
                  limits::kDecodeCpuSecondsLeast);
}

ChildOptions sound_decoder(int fd, const Info& info, std::optional<int> channel) {
  return ffmpeg_child(
      "ffmpeg", fd, decode_cpu_seconds(info),
      {"-nostdin", "-filter_threads", "1", "-map", "0:a:0", "-vn", "-sn", "-dn", "-af",
       filters(info, channel), "-ac", "1", "-ar", fmt::to_string(kSampleRate), "-f", "s16le", "pipe:1"});
}

Result<Spool> decode(int fd, const Info& info, const Selection& selection,
                     const std::filesystem::path& folder, const std::function<void(double)>& progress,
                     const std::stop_token& stop) {
  const Range& range = selection.range;
  TRY(check_range(info, range));
  TRY(check_room(info, range, folder));
  RangeWriter writer(range, folder, progress);
  TRY(writer.open());
  TRY(writer.take_silence(info.sound_start_s));
  const auto take = [&](std::string_view bytes) -> Result<void> {
    TRY(writer.take(bytes));
    // Only the end of the range ends the decoder here; told apart below.
    if (writer.is_full()) return fail(ErrorCode::canceled, "the range is decoded");
    return {};
  };
  Result<ChildOutput> output =
      stream_child(sound_decoder(fd, info, selection.channel), limits::kDecodeSilence, take, stop);
  if (writer.is_full() && !stop.stop_requested()) {
    if (!range.end_s) {
      return fail(ErrorCode::unsupported_media,
                  fmt::format("the recording is longer than {:.0f} hours", limits::kRecordingSeconds / 3600));
    }
    return writer.finish();
  }
  if (!output) return fail(start_error(std::move(output).error()));
  TRY(check_end(*output, info, range, writer));
  if (!output->standard_error.empty()) log::info("ffmpeg: {}", last_words(output->standard_error));
  return writer.finish();
}

}  // namespace hansard::media
