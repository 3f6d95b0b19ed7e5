#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/json.h"
#include "base/limits.h"
#include "media/ffmpeg.h"
#include "media/media.h"

namespace hansard::media {
namespace {

namespace bj = boost::json;

// ffprobe lists at most 1000 streams, in some hundred bytes each.
constexpr uint64_t kOutputBytes = 4 << 20;
// Below this, the sound starts with the recording: a container's times are in milliseconds.
constexpr double kLeastSoundStartSeconds = 0.002;

// Containers that know how long each stream is from an index or a header that is written last. The length of
// others is reckoned from the file's size, or was left as it was by a program that cut the file.
constexpr std::array<std::string_view, 3> kStatesItsLength = {"mov,mp4,m4a,3gp,3g2,mj2", "flac",
                                                              "matroska,webm"};

using Clock = std::chrono::steady_clock;

// How long all of a probe may take, and whether it did.
struct Deadline {
  Clock::time_point at;
  bool passed = false;
};

Result<bj::object> run_ffprobe(int fd, std::vector<std::string> more, Deadline& deadline,
                               const std::stop_token& stop) {
  more.insert(more.end(), {"-of", "json=compact=1"});
  const auto cpu_seconds = static_cast<uint64_t>(std::chrono::seconds(limits::kProbeTime).count());
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.at - Clock::now());
  Result<ChildOutput> output = run_child(ffmpeg_child("ffprobe", fd, cpu_seconds, std::move(more)),
                                         std::max(left, std::chrono::milliseconds(1)), kOutputBytes, stop);
  if (!output) return fail(start_error(std::move(output).error()));
  deadline.passed = output->timed_out;
  if (output->timed_out || output->output_limit_passed) {
    return fail(ErrorCode::media_unreadable, "this recording cannot be examined in reasonable time",
                last_words(output->standard_error));
  }
  if (!output->exit.ok()) return fail(media_error(*output));
  Result<bj::object> object = json::parse_object(output->standard_output);
  if (!object) return fail(ErrorCode::internal, "ffprobe's answer is not understood", object.error().message);
  return object;
}

// Reads a field that ffprobe may leave out, and writes as text or as a number.
double number_or_zero(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return 0;
  if (value->is_number()) return value->to_number<double>();
  if (!value->is_string()) return 0;
  const bj::string& text = value->get_string();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && std::isfinite(number) ? number : 0;
}

std::string text_or_empty(const bj::object& object, std::string_view name) {
  std::string text = json::get_string(object, name).value_or("");
  return text == "unknown" ? "" : text;
}

bool is_cover_art(const bj::object& stream) {
  const Result<const bj::object*> disposition = json::get_object(stream, "disposition");
  return disposition && number_or_zero(**disposition, "attached_pic") != 0;
}

// When the first decoded sample is to be heard, which is later than the stream's first packet where the codec
// needs a run-up.
Result<double> first_sample_s(int fd, Deadline& deadline, const std::stop_token& stop) {
  const bj::object answer = TRY(run_ffprobe(fd,
                                            {"-select_streams", "a:0", "-read_intervals", "%+#8",
                                             "-show_frames", "-show_entries", "frame=pts_time"},
                                            deadline, stop));
  const Result<const bj::array*> frames = json::get_array(answer, "frames");
  if (!frames || (*frames)->empty() || !(*frames)->front().is_object()) {
    return fail(ErrorCode::media_unreadable, "the sound of this recording cannot be decoded");
  }
  return number_or_zero((*frames)->front().get_object(), "pts_time");
}

Result<void> check_file(int fd) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return fail(system_error("cannot read the file", errno));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::unsupported_media, "this is not a file");
  if (status.st_size == 0) return fail(ErrorCode::unsupported_media, "the file is empty");
  return {};
}

// By the document type in the first element (RFC 8794, 11.2.6).
bool has_webm_header(int fd) {
  std::string header(64, '\0');
  const ssize_t size = ::pread(fd, header.data(), header.size(), 0);
  return size > 0 &&
         header.substr(0, static_cast<size_t>(size)).find("\x42\x82\x84webm") != std::string::npos;
}

Result<Info> probe_until(int fd, Deadline& deadline, const std::stop_token& stop) {
  TRY(check_file(fd));
  const bj::object answer =
      TRY(run_ffprobe(fd,
                      {"-show_entries",
                       "format=format_name,start_time,duration:"
                       "stream=codec_type,codec_name,channels,channel_layout,sample_rate,start_time,duration:"
                       "stream_disposition=attached_pic"},
                      deadline, stop));
  const Result<const bj::array*> streams = json::get_array(answer, "streams");
  const Result<const bj::object*> format = json::get_object(answer, "format");
  if (!streams || !format) return fail(ErrorCode::internal, "ffprobe's answer is not understood");

  Info info;
  const bj::object* sound = nullptr;
  for (const bj::value& value : **streams) {
    if (!value.is_object()) continue;
    const bj::object& stream = value.get_object();
    const std::string kind = text_or_empty(stream, "codec_type");
    if (kind == "audio" && sound == nullptr) sound = &stream;
    if (kind == "video" && !is_cover_art(stream)) info.has_video = true;
  }
  if (sound == nullptr) return fail(ErrorCode::unsupported_media, "this file has no audio track");

  const double start_s = number_or_zero(**format, "start_time");
  info.duration_s = std::max(0.0, number_or_zero(**format, "duration"));
  info.format = text_or_empty(**format, "format_name");
  info.is_webm = info.format == "matroska,webm" && has_webm_header(fd);
  info.codec = text_or_empty(*sound, "codec_name");
  info.channels = static_cast<int>(number_or_zero(*sound, "channels"));
  info.channel_layout = text_or_empty(*sound, "channel_layout");
  info.sample_rate_hz = static_cast<int>(number_or_zero(*sound, "sample_rate"));
  if (number_or_zero(*sound, "start_time") - start_s > kLeastSoundStartSeconds) {
    info.sound_start_s = std::max(0.0, TRY(first_sample_s(fd, deadline, stop)) - start_s);
  }
  const double sound_s = number_or_zero(*sound, "duration");
  if (sound_s > 0 && std::count(kStatesItsLength.begin(), kStatesItsLength.end(), info.format) > 0) {
    info.sound_end_s = info.sound_start_s + sound_s;
  }
  return info;
}

}  // namespace

Result<Info> probe(int fd, const std::stop_token& stop) {
  Deadline deadline{Clock::now() + limits::kProbeTime};
  return probe_until(fd, deadline, stop);
}

Result<std::optional<Info>> probe_within(int fd, std::chrono::milliseconds patience,
                                         const std::stop_token& stop) {
  Deadline deadline{Clock::now() + patience};
  Result<Info> info = probe_until(fd, deadline, stop);
  if (info) return std::move(*info);
  if (deadline.passed) return std::optional<Info>();
  return fail(std::move(info).error());
}

}  // namespace hansard::media
