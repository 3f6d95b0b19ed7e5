#include "engine/child/diarize/fbank.h"

#include <array>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

namespace hansard::engine {
namespace {

constexpr int kFftSize = 512;
constexpr int kHalf = kFftSize / 2;
constexpr float kPreemphasis = 0.97F;
constexpr double kLowHz = 20;
constexpr double kHighHz = kSampleRate / 2.0;
constexpr float kInt16Scale = 32768;  // the features are those of 16-bit integers

using Complex = std::complex<float>;

double mel(double hz) {
  return 1127.0 * std::log(1.0 + hz / 700.0);
}

// A triangle over the spectrum: weights of bins [first, first + weights.size()).
struct Filter {
  size_t first = 0;
  std::vector<float> weights;
};

struct Tables {
  std::array<float, kFbankWindow> window{};
  std::array<Complex, kHalf> roots{};          // e^(-2 pi i k / 512)
  std::array<uint16_t, kHalf> bit_reversed{};  // for 256 points
  std::array<Filter, kFbankBins> filters;

  Tables() {
    for (size_t i = 0; i < window.size(); ++i) {
      const double phase = 2 * std::numbers::pi * static_cast<double>(i) / (kFbankWindow - 1);
      window[i] = static_cast<float>(0.54 - 0.46 * std::cos(phase));
    }
    for (size_t k = 0; k < roots.size(); ++k) {
      const double phase = -2 * std::numbers::pi * static_cast<double>(k) / kFftSize;
      roots[k] = Complex(static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase)));
    }
    for (unsigned i = 0; i < kHalf; ++i) {
      unsigned reversed = 0;
      for (unsigned bit = 0; bit < 8; ++bit) reversed |= ((i >> bit) & 1U) << (7 - bit);
      bit_reversed[i] = static_cast<uint16_t>(reversed);
    }
    make_filters();
  }

  void make_filters() {
    const double low = mel(kLowHz);
    const double step = (mel(kHighHz) - low) / (kFbankBins + 1);
    for (size_t b = 0; b < filters.size(); ++b) {
      const double left = low + static_cast<double>(b) * step;
      const double center = left + step;
      const double right = center + step;
      for (size_t k = 0; k < kHalf; ++k) {
        const double at = mel(static_cast<double>(k) * kSampleRate / kFftSize);
        if (at <= left || at >= right) continue;
        if (filters[b].weights.empty()) filters[b].first = k;
        const double weight = at <= center ? (at - left) / step : (right - at) / step;
        filters[b].weights.push_back(static_cast<float>(weight));
      }
    }
  }
};

const Tables& tables() {
  static const Tables kTables;
  return kTables;
}

// Power spectrum (bins 0..255) of 512 real numbers, by a transform of 256 complex ones.
void power_spectrum(const std::array<float, kFftSize>& in, std::array<float, kHalf>& power) {
  const Tables& t = tables();
  std::array<Complex, kHalf> z;
  for (size_t i = 0; i < kHalf; ++i) z[t.bit_reversed[i]] = Complex(in[2 * i], in[2 * i + 1]);
  for (size_t length = 2; length <= kHalf; length *= 2) {
    const size_t half = length / 2;
    const size_t stride = kFftSize / length;
    for (size_t base = 0; base < kHalf; base += length) {
      for (size_t k = 0; k < half; ++k) {
        const Complex w = t.roots[k * stride];
        const Complex a = z[base + k];
        const Complex b = z[base + k + half];
        const Complex turned(b.real() * w.real() - b.imag() * w.imag(),
                             b.real() * w.imag() + b.imag() * w.real());
        z[base + k] = a + turned;
        z[base + k + half] = a - turned;
      }
    }
  }
  for (size_t k = 0; k < kHalf; ++k) {
    const Complex one = z[k];
    const Complex other = std::conj(z[(kHalf - k) % kHalf]);
    const Complex even = 0.5F * (one + other);
    const Complex difference = 0.5F * (one - other);
    const Complex odd(difference.imag(), -difference.real());  // times -i
    const Complex w = t.roots[k];
    const float real = even.real() + odd.real() * w.real() - odd.imag() * w.imag();
    const float imag = even.imag() + odd.real() * w.imag() + odd.imag() * w.real();
    power[k] = real * real + imag * imag;
  }
}

void one_frame(const float* samples, float* out) {
  const Tables& t = tables();
  std::array<float, kFftSize> frame{};
  float sum = 0;
  for (size_t i = 0; i < kFbankWindow; ++i) {
    frame[i] = samples[i] * kInt16Scale;
    sum += frame[i];
  }
  const float mean = sum / kFbankWindow;
  for (size_t i = 0; i < kFbankWindow; ++i) frame[i] -= mean;
  for (size_t i = kFbankWindow - 1; i > 0; --i) frame[i] -= kPreemphasis * frame[i - 1];
  frame[0] -= kPreemphasis * frame[0];
  for (size_t i = 0; i < kFbankWindow; ++i) frame[i] *= t.window[i];
  std::array<float, kHalf> power;
  power_spectrum(frame, power);
  for (size_t b = 0; b < kFbankBins; ++b) {
    const Filter& filter = t.filters[b];
    float energy = 0;
    for (size_t k = 0; k < filter.weights.size(); ++k) energy += filter.weights[k] * power[filter.first + k];
    out[b] = std::log(std::max(energy, std::numeric_limits<float>::epsilon()));
  }
}

}  // namespace

Result<std::vector<float>> fbank(const Pcm& pcm, int64_t first, int64_t count) {
  std::vector<float> frames(static_cast<size_t>(count * kFbankBins));
  if (count == 0) return frames;
  std::vector<float> samples(static_cast<size_t>((count - 1) * kFbankHop + kFbankWindow));
  TRY(pcm.read(first * kFbankHop, samples));
  for (int64_t i = 0; i < count; ++i)
    one_frame(samples.data() + i * kFbankHop, frames.data() + i * kFbankBins);
  return frames;
}

}  // namespace hansard::engine
