// What Whisper's encoder hears: the logarithm of 80 or 128 mel bands, a hundred times a second, as OpenAI's
// reference code and faster-whisper's compute it (400-point Hann windows every 160 samples, Slaney's mel
// scale, the dynamic range cut to 80 dB below the loudest band of the window).
#pragma once

#include <array>
#include <complex>
#include <memory>
#include <span>
#include <vector>

namespace hansard::engine::whisper {

inline constexpr int kHopSamples = 160;
inline constexpr int kFramesPerSecond = 100;
inline constexpr int kMostFrames = 3000;  // 30 s: all the encoder has positions for

class LogMel {
 public:
  explicit LogMel(int bands);

  int bands() const { return bands_; }

  // `frames` x bands() numbers, band by band: row b holds band b over time. Frames past the end of the sound
  // are 0, sound past the last frame is left out. Any thread.
  std::vector<float> compute(std::span<const float> samples, int frames) const;

 private:
  struct Band {
    int first_bin = 0;
    std::vector<float> weights;
  };

  int bands_;
  std::vector<Band> filters_;
};

// Power spectra of kLanes windows at once: a 400-point real transform done as a 200-point complex one
// (radices 5, 5, 4, 2), over kLanes independent columns, so that each step is a loop the compiler turns into
// vector code.
class Spectra {
 public:
  static constexpr int kSize = 400;
  static constexpr int kBins = kSize / 2 + 1;
  static constexpr int kLanes = 16;
  using Column = std::array<float, kLanes>;

  Spectra();

  // Column t of `out[k]` is the power of bin k of the kSize samples at `samples[t * kHopSamples]`, after the
  // Hann window. `samples` holds (kLanes - 1) * kHopSamples + kSize of them.
  void power(std::span<const float> samples, std::span<Column> out);

 private:
  static constexpr int kHalf = kSize / 2;
  struct Planes {
    std::array<Column, kHalf> re;
    std::array<Column, kHalf> im;
  };

  void load(std::span<const float> samples);
  template <int Radix>
  void pass(int rest, int stride);
  void unpack(std::span<Column> out) const;

  std::array<float, kSize> window_;
  std::array<std::complex<float>, kSize> turn_;  // exp(-2 pi i k / kSize)
  std::unique_ptr<Planes> from_ = std::make_unique<Planes>();
  std::unique_ptr<Planes> to_ = std::make_unique<Planes>();
};

}  // namespace hansard::engine::whisper
