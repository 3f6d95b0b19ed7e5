// Sounds that tests speak of: recordings of the fetched parts, and made ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/audio.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/parts_folder.h"
#include "base/process.h"
#include "engine/model_files.h"

namespace hansard::engine::testing {

// A spool with samples in it.
class Sound {
 public:
  explicit Sound(std::span<const int16_t> samples)
      : fd_(open_unnamed_file(std::filesystem::temp_directory_path()).value()),
        pcm_(fd_.get(), std::ssize(samples)) {
    const std::string_view bytes(reinterpret_cast<const char*>(samples.data()), samples.size_bytes());
    EXPECT_TRUE(write_all(fd_.get(), bytes));
  }
  const Pcm& pcm() const { return pcm_; }

 private:
  UniqueFd fd_;
  Pcm pcm_;
};

inline ModelFiles open_model(const std::string& id, const std::string& kind) {
  ModelFiles model{id, kind, {}};
  for (const auto& entry : std::filesystem::directory_iterator(parts_folder() / "models" / id)) {
    model.files.push_back({entry.path().filename(), open_for_read(entry.path()).value()});
  }
  return model;
}

// The sound of a mono 16-bit WAV file of a multiple of 16 kHz, `seconds` of it at most.
inline std::vector<int16_t> read_wav(const std::filesystem::path& path, double seconds = 1e6) {
  const std::string bytes = read_file(path, 1U << 30).value();
  const size_t data = bytes.find("data") + 8;
  uint32_t rate = 0;
  std::memcpy(&rate, bytes.data() + 24, sizeof rate);
  EXPECT_EQ(rate % kSampleRate, 0U);
  const size_t step = rate / kSampleRate;
  std::vector<int16_t> all((bytes.size() - data) / 2);
  std::memcpy(all.data(), bytes.data() + data, all.size() * 2);
  std::vector<int16_t> samples(std::min(all.size() / step, static_cast<size_t>(seconds * kSampleRate)));
  for (size_t i = 0; i < samples.size(); ++i) {
    int sum = 0;
    for (size_t k = 0; k < step; ++k) sum += all[i * step + k];
    samples[i] = static_cast<int16_t>(sum / static_cast<int>(step));
  }
  return samples;
}

inline std::vector<int16_t> recording(const std::string& name, double seconds = 1e6) {
  return read_wav(parts_folder() / "recordings" / name, seconds);
}

// The same as the product hears it: by ffmpeg.
inline std::vector<int16_t> decoded(const std::string& name) {
  const auto path = (parts_folder() / "recordings" / name).string();
  const Result<ChildOutput> output = run_child(
      {.argv = {"ffmpeg", "-v", "error", "-i", path, "-ac", "1", "-ar", "16000", "-f", "s16le", "-"}},
      std::chrono::seconds(60), 16 << 20);
  EXPECT_TRUE(output && output->exit.ok());
  std::vector<int16_t> samples(output->standard_output.size() / sizeof(int16_t));
  std::memcpy(samples.data(), output->standard_output.data(), samples.size() * sizeof(int16_t));
  return samples;
}

inline std::vector<int16_t> silence(double seconds) {
  return std::vector<int16_t>(static_cast<size_t>(seconds * kSampleRate));
}

inline std::vector<int16_t> tone(double seconds, double hertz, double amplitude) {
  std::vector<int16_t> samples = silence(seconds);
  for (size_t i = 0; i < samples.size(); ++i) {
    const double angle = 2 * M_PI * hertz * static_cast<double>(i) / kSampleRate;
    samples[i] = static_cast<int16_t>(32767 * amplitude * std::sin(angle));
  }
  return samples;
}

inline std::vector<int16_t> white_noise(double seconds, double amplitude) {
  std::minstd_rand random(1);
  std::normal_distribution<double> normal(0, amplitude);
  std::vector<int16_t> samples = silence(seconds);
  for (int16_t& sample : samples)
    sample = static_cast<int16_t>(32767 * std::clamp(normal(random), -1.0, 1.0));
  return samples;
}

// Noise that falls by 3 dB an octave: the sum of seven random numbers renewed at halving rates.
inline std::vector<int16_t> pink_noise(double seconds, double amplitude) {
  std::minstd_rand random(1);
  std::normal_distribution<double> normal(0, amplitude);
  double rows[7] = {};
  std::vector<int16_t> samples = silence(seconds);
  for (size_t i = 0; i < samples.size(); ++i) {
    double sum = 0;
    for (size_t row = 0; row < 7; ++row) {
      if (i % (size_t{1} << row) == 0) rows[row] = normal(random);
      sum += rows[row];
    }
    samples[i] = static_cast<int16_t>(32767 * std::clamp(sum / 7, -1.0, 1.0));
  }
  return samples;
}

}  // namespace hansard::engine::testing
