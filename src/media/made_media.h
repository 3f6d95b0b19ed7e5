// For tests: recordings made on the spot, with sound that is known to the sample.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "media/media.h"

namespace hansard::media {

namespace fs = std::filesystem;

// A temporary folder in which ffmpeg makes files.
class MadeMedia {
 public:
  MadeMedia() {
    std::string name = (fs::temp_directory_path() / "hansard-media.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~MadeMedia() { fs::remove_all(folder_); }
  MadeMedia(const MadeMedia&) = delete;
  MadeMedia& operator=(const MadeMedia&) = delete;

  const fs::path& folder() const { return folder_; }
  fs::path path(std::string_view name) const { return folder_ / name; }

  // Runs ffmpeg; the output `name` is added to `arguments`.
  fs::path make(std::string_view name, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-y"});
    arguments.push_back(path(name));
    const Result<ChildOutput> output =
        run_child({.argv = std::move(arguments)}, std::chrono::seconds(60), 1 << 20);
    EXPECT_TRUE(output && output->exit.ok()) << (output ? output->standard_error : output.error().message);
    return path(name);
  }

  fs::path write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

  // 16-bit WAV with a plain header: interleaved samples, no channel layout.
  fs::path write_wav(std::string_view name, const std::vector<int16_t>& samples, uint16_t channels,
                     uint32_t rate_hz) const {
    const auto little = [](uint32_t value, int bytes) {
      std::string text;
      for (int i = 0; i < bytes; ++i) text += static_cast<char>((value >> (8 * i)) & 0xFF);
      return text;
    };
    const std::string data(reinterpret_cast<const char*>(samples.data()), samples.size() * 2);
    const auto size = static_cast<uint32_t>(data.size());
    return write(name, "RIFF" + little(36 + size, 4) + "WAVEfmt " + little(16, 4) + little(1, 2) +
                           little(channels, 2) + little(rate_hz, 4) + little(rate_hz * channels * 2, 4) +
                           little(channels * 2U, 2) + little(16, 2) + "data" + little(size, 4) + data);
  }

  // The first `share` of a file.
  fs::path cut(std::string_view name, const fs::path& whole, double share) const {
    const std::string bytes = read_file(whole, 1 << 30).value();
    return write(name, std::string_view(bytes).substr(0, static_cast<size_t>(share * double(bytes.size()))));
  }

 private:
  fs::path folder_;
};

// `seconds` of silence with a click half a second into each: mono, 44.1 kHz.
inline std::vector<int16_t> clicks(int seconds) {
  std::vector<int16_t> samples(static_cast<size_t>(seconds) * 44100);
  for (int second = 0; second < seconds; ++second)
    samples[static_cast<size_t>(second) * 44100 + 22050] = 30000;
  return samples;
}

inline std::vector<int16_t> samples_of(const Spool& spool) {
  std::vector<int16_t> samples(static_cast<size_t>(spool.sample_count));
  EXPECT_TRUE(read_at(spool.fd.get(), 0, std::as_writable_bytes(std::span(samples))));
  return samples;
}

// The time of the loudest sample of each whole second in which there is more than silence.
inline std::vector<double> click_times(const std::vector<int16_t>& samples) {
  std::vector<double> times;
  for (size_t from = 0; from < samples.size(); from += kSampleRate) {
    const auto begin = samples.begin() + static_cast<std::ptrdiff_t>(from);
    const auto end =
        samples.begin() + static_cast<std::ptrdiff_t>(std::min(from + kSampleRate, samples.size()));
    const auto loudest =
        std::max_element(begin, end, [](int16_t a, int16_t b) { return std::abs(a) < std::abs(b); });
    if (std::abs(*loudest) > 1000)
      times.push_back(static_cast<double>(loudest - samples.begin()) / kSampleRate);
  }
  return times;
}

inline Result<Info> probe_file(const fs::path& path) {
  const UniqueFd fd = TRY(open_for_read(path));
  return probe(fd.get(), {});
}

inline Result<Spool> decode_file(const fs::path& path, const Range& range = {}, std::stop_token stop = {},
                                 const std::function<void(double)>& progress = {}) {
  const UniqueFd fd = TRY(open_for_read(path));
  const Info info = TRY(probe(fd.get(), stop));
  return decode(fd.get(), info, {range, {}}, fs::temp_directory_path(), progress, stop);
}

// A failure of this kind, whose message gives no path and nothing of ffmpeg's own words away.
template <typename T>
void expect_error(const Result<T>& result, ErrorCode code, std::string_view part) {
  ASSERT_FALSE(result) << "expected: " << part;
  const Error& error = result.error();
  EXPECT_EQ(error_code_name(error.code), error_code_name(code)) << error.message << " | " << error.detail;
  EXPECT_NE(error.message.find(part), std::string::npos) << error.message << " | " << error.detail;
  EXPECT_EQ(error.message.find('/'), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find("0x"), std::string::npos) << error.message;
}

}  // namespace hansard::media
