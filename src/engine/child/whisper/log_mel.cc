#include "engine/child/whisper/log_mel.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/audio.h"

namespace hansard::engine::whisper {
namespace {

constexpr double kPi = std::numbers::pi;

// Slaney's mel scale (Auditory Toolbox): linear up to 1 kHz, logarithmic above.
constexpr double kHertzPerMel = 200.0 / 3;
constexpr double kBreakHertz = 1000.0;
constexpr double kBreakMel = kBreakHertz / kHertzPerMel;
const double kLogStep = std::log(6.4) / 27.0;

double mel_of(double hertz) {
  return hertz < kBreakHertz ? hertz / kHertzPerMel : kBreakMel + std::log(hertz / kBreakHertz) / kLogStep;
}

double hertz_of(double mel) {
  return mel < kBreakMel ? mel * kHertzPerMel : kBreakHertz * std::exp(kLogStep * (mel - kBreakMel));
}

constexpr float kLeastPower = 1e-10F;
constexpr float kDecades = 8.0F;

}  // namespace

// ---- spectra

Spectra::Spectra() {
  for (int i = 0; i < kSize; ++i) {
    const double angle = 2 * kPi * i / kSize;
    window_[static_cast<size_t>(i)] = static_cast<float>(0.5 - 0.5 * std::cos(angle));
    turn_[static_cast<size_t>(i)] = {static_cast<float>(std::cos(angle)),
                                     static_cast<float>(-std::sin(angle))};
  }
}

void Spectra::power(std::span<const float> samples, std::span<Column> out) {
  assert(samples.size() >= (kLanes - 1) * kHopSamples + kSize && out.size() >= kBins);
  load(samples);
  pass<5>(200, 1);
  pass<5>(40, 5);
  pass<4>(8, 25);
  pass<2>(2, 100);
  unpack(out);
}

// Even samples become real parts, odd ones imaginary parts.
void Spectra::load(std::span<const float> samples) {
  for (size_t i = 0; i < kHalf; ++i) {
    for (size_t t = 0; t < kLanes; ++t) {
      const size_t at = t * kHopSamples + 2 * i;
      from_->re[i][t] = samples[at] * window_[2 * i];
      from_->im[i][t] = samples[at + 1] * window_[2 * i + 1];
    }
  }
}

// One step of Stockham's self-sorting transform: `rest` is the length still to be split, `stride` the product
// of the radices done.
template <int Radix>
void Spectra::pass(int rest, int stride) {
  const size_t part = static_cast<size_t>(rest / Radix);
  const size_t step = static_cast<size_t>(stride);
  for (size_t p = 0; p < part; ++p) {
    for (size_t q = 0; q < step; ++q) {
      Column re[Radix];
      Column im[Radix];
      for (size_t j = 0; j < Radix; ++j) {
        re[j] = from_->re[q + step * (p + part * j)];
        im[j] = from_->im[q + step * (p + part * j)];
      }
      for (size_t k = 0; k < Radix; ++k) {
        // The sum over j of input j turned by j * k / Radix, all of it turned by p * k / rest.
        std::array<std::complex<float>, Radix> turns;
        for (size_t j = 0; j < Radix; ++j) {
          const size_t turn = kSize / Radix * (j * k % Radix) + kSize / static_cast<size_t>(rest) * p * k;
          turns[j] = turn_[turn % kSize];
        }
        Column& to_re = to_->re[q + step * (Radix * p + k)];
        Column& to_im = to_->im[q + step * (Radix * p + k)];
        for (size_t t = 0; t < kLanes; ++t) {
          float sum_re = 0;
          float sum_im = 0;
          for (size_t j = 0; j < Radix; ++j) {
            sum_re += re[j][t] * turns[j].real() - im[j][t] * turns[j].imag();
            sum_im += re[j][t] * turns[j].imag() + im[j][t] * turns[j].real();
          }
          to_re[t] = sum_re;
          to_im[t] = sum_im;
        }
      }
    }
  }
  std::swap(from_, to_);
}

// The spectrum of the real signal out of that of the complex one: with E and O the spectra of the even and
// the odd samples, X[k] = E[k] + turn(k) O[k].
void Spectra::unpack(std::span<Column> out) const {
  for (size_t k = 0; k < kBins; ++k) {
    const Column& a_re = from_->re[k % kHalf];
    const Column& a_im = from_->im[k % kHalf];
    const Column& b_re = from_->re[(kHalf - k) % kHalf];
    const Column& b_im = from_->im[(kHalf - k) % kHalf];
    const float c = turn_[k].real();
    const float s = turn_[k].imag();
    for (size_t t = 0; t < kLanes; ++t) {
      const float even_re = (a_re[t] + b_re[t]) / 2;
      const float even_im = (a_im[t] - b_im[t]) / 2;
      const float odd_re = (a_im[t] + b_im[t]) / 2;
      const float odd_im = (b_re[t] - a_re[t]) / 2;
      const float re = even_re + odd_re * c - odd_im * s;
      const float im = even_im + odd_re * s + odd_im * c;
      out[k][t] = re * re + im * im;
    }
  }
}

// ---- mel bands

LogMel::LogMel(int bands) : bands_(bands) {
  // Triangles between centres that lie evenly on the mel scale, each of the same area.
  std::vector<double> centres;
  const double top = mel_of(kSampleRate / 2.0);
  for (int i = 0; i < bands + 2; ++i) centres.push_back(hertz_of(top * i / (bands + 1)));
  for (size_t band = 0; band < static_cast<size_t>(bands); ++band) {
    const double low = centres[band];
    const double middle = centres[band + 1];
    const double high = centres[band + 2];
    Band filter;
    for (int bin = 0; bin < Spectra::kBins; ++bin) {
      const double hertz = static_cast<double>(bin) * kSampleRate / Spectra::kSize;
      const double weight = std::min((hertz - low) / (middle - low), (high - hertz) / (high - middle));
      if (weight <= 0) continue;
      if (filter.weights.empty()) filter.first_bin = bin;
      filter.weights.push_back(static_cast<float>(weight * 2 / (high - low)));
    }
    filters_.push_back(std::move(filter));
  }
}

std::vector<float> LogMel::compute(std::span<const float> samples, int frames) const {
  // One more hop of silence at the end, then half a window mirrored at both ends.
  constexpr size_t kMargin = Spectra::kSize / 2;
  constexpr size_t kLanes = Spectra::kLanes;
  const size_t length = std::max(samples.size(), kMargin + 1) + kHopSamples;
  const size_t count = std::min(length / kHopSamples, static_cast<size_t>(frames));
  std::vector<float> padded(length + 2 * kMargin + kLanes * kHopSamples);
  std::copy(samples.begin(), samples.end(), padded.begin() + kMargin);
  for (size_t i = 1; i <= kMargin; ++i) {
    padded[kMargin - i] = padded[kMargin + i];
    padded[kMargin + length - 1 + i] = padded[kMargin + length - 1 - i];
  }

  std::vector<float> result(static_cast<size_t>(frames) * static_cast<size_t>(bands_));
  Spectra spectra;
  std::vector<Spectra::Column> power(Spectra::kBins);
  float loudest = -std::numeric_limits<float>::max();
  for (size_t first = 0; first < count; first += kLanes) {
    const size_t lanes = std::min(kLanes, count - first);
    spectra.power(std::span(padded).subspan(first * kHopSamples), power);
    for (size_t band = 0; band < filters_.size(); ++band) {
      Spectra::Column sum{};
      const Spectra::Column* bin = power.data() + filters_[band].first_bin;
      for (const float weight : filters_[band].weights) {
        for (size_t t = 0; t < kLanes; ++t) sum[t] += weight * (*bin)[t];
        ++bin;
      }
      float* row = result.data() + band * static_cast<size_t>(frames) + first;
      for (size_t t = 0; t < lanes; ++t) {
        row[t] = std::log10(std::max(sum[t], kLeastPower));
        loudest = std::max(loudest, row[t]);
      }
    }
  }
  for (size_t band = 0; band < filters_.size(); ++band) {
    float* row = result.data() + band * static_cast<size_t>(frames);
    for (size_t t = 0; t < count; ++t) row[t] = (std::max(row[t], loudest - kDecades) + 4.0F) / 4.0F;
  }
  return result;
}

}  // namespace hansard::engine::whisper
