#include "engine/child/diarize/segmenter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "engine/child/diarize/networks.h"
#include "engine/child/kernels/buffer.h"
#include "engine/child/kernels/matrices.h"
#include "engine/child/kernels/onnx_file.h"

namespace hansard::engine {
namespace {

using kernels::ByteMatrix;
using kernels::FloatMatrix;
using kernels::packed;
using kernels::Then;

constexpr int kFilters = 80;        // of the sound, one half of them cosines, the other sines
constexpr int kTaps = 251;          // of a filter
constexpr int kHalfTaps = 125;      // on either side of its middle
constexpr int kFilterStep = 10;     // samples
constexpr int kChannels = 60;       // of both convolutions
constexpr int kKernel = 5;          // frames of a convolution
constexpr int kPool = 3;            // frames of which the largest is kept
constexpr int kUnits = 128;         // of an LSTM in one direction
constexpr int kGates = 4 * kUnits;  // input, output, forget, candidate
constexpr int kBoth = 2 * kUnits;
constexpr int kHidden = 128;  // of the linear layers
constexpr int kLayers = 4;
constexpr int kChunkFrames = 16;   // whose gates lie in the cache together
constexpr float kEpsilon = 1e-5F;  // of normalisation
constexpr float kLeak = 0.01F;

constexpr int kFiltered = (kSegmentSamples - kTaps) / kFilterStep + 1;
constexpr int kPooled = kFiltered / kPool;
constexpr int kConvolved = kPooled - kKernel + 1;
constexpr int kPooledAgain = kConvolved / kPool;
constexpr int kConvolvedAgain = kPooledAgain - kKernel + 1;
static_assert(kConvolvedAgain / kPool == kSegmentFrames);

size_t square(int64_t rows, int64_t columns) {
  return static_cast<size_t>(rows * columns);
}

struct Norm {
  std::vector<float> scale;
  std::vector<float> shift;
};

// Of a layer that reads another one. The first layer reads numbers of very different sizes, and what a step
// hands to the next one adds up over all of them: there, int8 would change several times as many frames.
struct Direction {
  FloatMatrix first;  // of the first layer
  ByteMatrix in;      // of the others
  FloatMatrix again;  // what a step hands to the next one
};

// Takes the network's parts out of the file.
class Reader : public kernels::OnnxWeights {
 public:
  Reader(const kernels::OnnxGraph& graph, const kernels::Set& cpu) : OnnxWeights(graph), cpu_(cpu) {}

  Norm norm(int which, size_t size) {
    return {input("InstanceNormalization", which, 1, size), input("InstanceNormalization", which, 2, size)};
  }

  std::array<Direction, 2> lstm(int which) {
    const int inputs = which == 0 ? kChannels : kBoth;
    const std::vector<float> in = input("LSTM", which, 1, 2 * square(kGates, inputs));
    const std::vector<float> again = input("LSTM", which, 2, 2 * square(kGates, kUnits));
    const std::vector<float> bias = lstm_bias(which, 2, kGates);
    std::array<Direction, 2> directions;
    for (size_t d = 0; d < 2; ++d) {
      const auto sum = std::span(bias).subspan(d * kGates, kGates);
      const auto rows = std::span(in).subspan(d * square(kGates, inputs), square(kGates, inputs));
      if (which == 0) {
        directions[d].first = packed<FloatMatrix>(cpu_, rows, sum, kGates, inputs);
      } else {
        directions[d].in = packed<ByteMatrix>(cpu_, rows, sum, kGates, inputs);
      }
      directions[d].again = packed<FloatMatrix>(
          cpu_, std::span(again).subspan(d * square(kGates, kUnits), square(kGates, kUnits)), {}, kGates,
          kUnits);
    }
    return directions;
  }

  FloatMatrix convolution(int which, int channels) {
    const int inputs = channels * kKernel;
    const std::vector<float> stored = input("Conv", which, 1, square(kChannels, inputs));
    return packed<FloatMatrix>(cpu_, kernels::taps_first(stored, static_cast<size_t>(channels), kKernel),
                               input("Conv", which, 2, kChannels), kChannels, inputs);
  }

  // [inputs][outputs], as MatMul has it.
  FloatMatrix linear(int which, int inputs, int outputs, std::string_view bias_name) {
    const std::vector<float> stored = input("MatMul", which, 1, square(inputs, outputs));
    std::vector<float> rows(stored.size());
    for (size_t i = 0; i < stored.size(); ++i) {
      const size_t from = i / static_cast<size_t>(outputs);
      const size_t to = i % static_cast<size_t>(outputs);
      rows[to * static_cast<size_t>(inputs) + from] = stored[i];
    }
    return packed<FloatMatrix>(cpu_, rows, named(bias_name, static_cast<size_t>(outputs)), outputs, inputs);
  }

 private:
  const kernels::Set& cpu_;
};

// Band passes between two cutoffs that were learned, as cosines and as sines (SincNet; Ravanelli and Bengio,
// "Speaker recognition from raw waveform with SincNet", and asteroid's ParamSincFB).
std::vector<float> sinc_filters(Reader& reader) {
  constexpr size_t kBands = kFilters / 2;
  constexpr double kLeastHz = 50;  // of a cutoff, and of a band
  const std::vector<float> lows = reader.named("filterbank.low_hz_", kBands);
  const std::vector<float> widths = reader.named("filterbank.band_hz_", kBands);
  const std::vector<float> times = reader.named("filterbank.n_", kHalfTaps);
  const std::vector<float> taper = reader.named("filterbank.window_", kHalfTaps);
  const std::vector<float> halves = reader.input("Div", 0, 1, kHalfTaps);
  std::vector<float> filters(square(kFilters, kTaps));
  for (size_t band = 0; band < kBands; ++band) {
    const double low = kLeastHz + std::abs(static_cast<double>(lows[band]));
    const double high =
        std::clamp(low + kLeastHz + std::abs(static_cast<double>(widths[band])), kLeastHz, 8000.0);
    const double scale = 2 * (high - low);
    float* cosine = filters.data() + square(static_cast<int64_t>(band), kTaps);
    float* sine = cosine + square(kBands, kTaps);
    for (size_t i = 0; i < kHalfTaps; ++i) {
      const double time = static_cast<double>(times[i]);
      const double factor = static_cast<double>(taper[i]) / static_cast<double>(halves[i]) / scale;
      const double even = (std::sin(high * time) - std::sin(low * time)) * factor;
      const double odd = (std::cos(low * time) - std::cos(high * time)) * factor;
      cosine[i] = cosine[kTaps - 1 - i] = static_cast<float>(even);
      sine[i] = static_cast<float>(odd);
      sine[kTaps - 1 - i] = static_cast<float>(-odd);
    }
    cosine[kHalfTaps] = 1;
  }
  return filters;
}

// The largest of every kPool rows, of `count` rows' worth.
void keep_largest(const float* rows, int count, int columns, float* out, int out_stride) {
  for (int i = 0; i < count; ++i) {
    const float* row = rows + square(static_cast<int64_t>(i) * kPool, columns);
    float* to = out + square(i, out_stride);
    for (int k = 0; k < columns; ++k) {
      to[k] = std::max(row[k], std::max(row[columns + k], row[2 * columns + k]));
    }
  }
}

// What is below zero is made small.
float leaky(float value) {
  return std::max(value, kLeak * value);
}

// Each channel to the mean and deviation that `norm` says, over all rows; then leaky.
void normalize(float* rows, int count, int stride, const Norm& norm) {
  const size_t channels = norm.scale.size();
  std::vector<double> sums(channels), squares(channels);
  std::vector<float> some(channels), some_squares(channels);
  constexpr int kAtOnce = 32;  // rows whose sum floats hold
  for (int begin = 0; begin < count; begin += kAtOnce) {
    std::fill(some.begin(), some.end(), 0.0F);
    std::fill(some_squares.begin(), some_squares.end(), 0.0F);
    for (int i = begin; i < std::min(begin + kAtOnce, count); ++i) {
      const float* row = rows + square(i, stride);
      for (size_t k = 0; k < channels; ++k) {
        some[k] += row[k];
        some_squares[k] += row[k] * row[k];
      }
    }
    for (size_t k = 0; k < channels; ++k) {
      sums[k] += static_cast<double>(some[k]);
      squares[k] += static_cast<double>(some_squares[k]);
    }
  }
  std::vector<float>& scale = some;
  std::vector<float>& shift = some_squares;
  for (size_t k = 0; k < channels; ++k) {
    const double mean = sums[k] / count;
    const double variance = std::max(0.0, squares[k] / count - mean * mean);
    scale[k] = norm.scale[k] / static_cast<float>(std::sqrt(variance + static_cast<double>(kEpsilon)));
    shift[k] = norm.shift[k] - static_cast<float>(mean) * scale[k];
  }
  for (int i = 0; i < count; ++i) {
    float* row = rows + square(i, stride);
    for (size_t k = 0; k < channels; ++k) {
      row[k] = leaky(row[k] * scale[k] + shift[k]);
    }
  }
}

// To log-probabilities.
void log_softmax(const float* scores, float* out) {
  const float top = *std::max_element(scores, scores + kSegmentClasses);
  float sum = 0;
  for (int c = 0; c < kSegmentClasses; ++c) sum += std::exp(scores[c] - top);
  const float least = top + std::log(sum);
  for (int c = 0; c < kSegmentClasses; ++c) out[c] = scores[c] - least;
}

}  // namespace

struct Segmenter::State {
  explicit State(const kernels::Set& set) : cpu(set) {}

  const kernels::Set& cpu;
  Norm sound;  // one number each
  FloatMatrix filters;
  std::vector<float> filter_sums;
  Norm first_norm, second_norm, third_norm;
  FloatMatrix convolution, second_convolution;
  std::array<std::array<Direction, 2>, kLayers> layers;
  std::array<FloatMatrix, 2> linear;
  FloatMatrix classifier;

  // From a window's sound, and what the filters make of it, to what the LSTMs read: one window among
  // `windows`.
  void hear(std::span<const float> window, const float* filtered, Room& room, float* out, int windows) const;
  void run(const Direction& direction, bool backward, const float* in, int inputs, int windows, Room& room,
           float* out) const;
};

void Segmenter::State::hear(std::span<const float> window, const float* filtered, Room& room, float* out,
                            int windows) const {
  double sum = 0;
  double squares = 0;
  for (const float sample : window) {
    sum += static_cast<double>(sample);
    squares += static_cast<double>(sample) * static_cast<double>(sample);
  }
  const double mean = sum / kSegmentSamples;
  const double variance = std::max(0.0, squares / kSegmentSamples - mean * mean);
  const float scale =
      sound.scale[0] / static_cast<float>(std::sqrt(variance + static_cast<double>(kEpsilon)));
  const float shift = sound.shift[0] - static_cast<float>(mean) * scale;
  // Filters are linear: of scaled and shifted sound they give what they give of the sound, scaled and
  // shifted.
  std::array<float, kFilters> shifts;
  for (size_t k = 0; k < kFilters; ++k) shifts[k] = shift * filter_sums[k];
  room.pooled.need(square(kPooled, kFilters));
  float* pooled = room.pooled.data();
  for (int i = 0; i < kPooled; ++i) {
    const float* rows = filtered + square(static_cast<int64_t>(i) * kPool, kFilters);
    float* to = pooled + square(i, kFilters);
    for (size_t k = 0; k < kFilters; ++k) {
      const float one = std::abs(rows[k] * scale + shifts[k]);
      const float two = std::abs(rows[kFilters + k] * scale + shifts[k]);
      const float three = std::abs(rows[2 * kFilters + k] * scale + shifts[k]);
      to[k] = std::max(one, std::max(two, three));
    }
  }
  normalize(pooled, kPooled, kFilters, first_norm);
  room.convolved.need(square(kConvolved, kChannels));
  float* convolved = room.convolved.data();
  cpu.multiply(pooled, kFilters, kConvolved, convolution.weights, convolved, kChannels, Then::store);
  keep_largest(convolved, kPooledAgain, kChannels, pooled, kChannels);
  normalize(pooled, kPooledAgain, kChannels, second_norm);
  cpu.multiply(pooled, kChannels, kConvolvedAgain, second_convolution.weights, convolved, kChannels,
               Then::store);
  keep_largest(convolved, kSegmentFrames, kChannels, out, windows * kChannels);
  normalize(out, kSegmentFrames, windows * kChannels, third_norm);
}

// One direction of a layer: in [kSegmentFrames][windows][inputs], out [kSegmentFrames][windows][kBoth], of
// which it writes its half.
void Segmenter::State::run(const Direction& direction, bool backward, const float* in, int inputs,
                           int windows, Room& room, float* out) const {
  room.gates.need(square(static_cast<int64_t>(kChunkFrames) * windows, kGates));
  room.cells.need(square(windows, kUnits));
  room.hidden.need(square(windows, kUnits));
  float* hidden = room.hidden.data();
  std::fill_n(room.cells.data(), square(windows, kUnits), 0.0F);
  for (int done = 0; done < kSegmentFrames; done += kChunkFrames) {
    const int count = std::min(kChunkFrames, kSegmentFrames - done);
    const int first = backward ? kSegmentFrames - done - count : done;
    const int rows = count * windows;
    const float* from = in + square(static_cast<int64_t>(first) * windows, inputs);
    if (inputs == kChannels) {
      cpu.multiply(from, inputs, rows, direction.first.weights, room.gates.data(), kGates, Then::store);
    } else {
      const kernels::Rows bytes = room.quantized.rows(rows, inputs);
      cpu.quantize(from, rows, bytes);
      cpu.multiply(bytes, rows, direction.in.weights, 0, kGates, room.gates.data(), kGates, Then::store);
    }
    for (int i = 0; i < count; ++i) {
      const int step = backward ? count - 1 - i : i;
      float* gates = room.gates.data() + square(static_cast<int64_t>(step) * windows, kGates);
      if (done + i > 0) {
        cpu.multiply(hidden, kUnits, windows, direction.again.weights, gates, kGates, Then::add);
      }
      float* to = out + square(static_cast<int64_t>(first + step) * windows, kBoth) + (backward ? kUnits : 0);
      for (int w = 0; w < windows; ++w) {
        float* mine = hidden + square(w, kUnits);
        cpu.lstm_step(gates + square(w, kGates), kUnits, room.cells.data() + square(w, kUnits), mine);
        std::copy_n(mine, kUnits, to + square(w, kBoth));
      }
    }
  }
}

Segmenter::Segmenter(std::unique_ptr<State> state) : state_(std::move(state)) {}
Segmenter::~Segmenter() = default;

std::unique_ptr<Segmenter> Segmenter::load(std::string_view onnx, const kernels::Set& cpu) {
  const std::optional<kernels::OnnxGraph> graph = kernels::read_onnx(onnx);
  if (!graph) return nullptr;
  auto state = std::make_unique<State>(cpu);
  State& s = *state;
  Reader reader(*graph, cpu);
  if (reader.count("LSTM") != kLayers || reader.count("Conv") != 2 ||
      reader.count("InstanceNormalization") != 4)
    return nullptr;
  s.sound = reader.norm(0, 1);
  const std::vector<float> filters = sinc_filters(reader);
  s.filters = packed<FloatMatrix>(cpu, filters, {}, kFilters, kTaps);
  for (int k = 0; k < kFilters; ++k) {
    double sum = 0;
    for (int i = 0; i < kTaps; ++i)
      sum += static_cast<double>(filters[square(k, kTaps) + static_cast<size_t>(i)]);
    s.filter_sums.push_back(static_cast<float>(sum));
  }
  s.first_norm = reader.norm(1, kFilters);
  s.second_norm = reader.norm(2, kChannels);
  s.third_norm = reader.norm(3, kChannels);
  s.convolution = reader.convolution(0, kFilters);
  s.second_convolution = reader.convolution(1, kChannels);
  for (int i = 0; i < kLayers; ++i) s.layers[static_cast<size_t>(i)] = reader.lstm(i);
  // The first two make the filters.
  const int linear = reader.count("MatMul") - 3;
  s.linear[0] = reader.linear(linear, kBoth, kHidden, "linear.0.bias");
  s.linear[1] = reader.linear(linear + 1, kHidden, kHidden, "linear.1.bias");
  s.classifier = reader.linear(linear + 2, kHidden, kSegmentClasses, "classifier.bias");
  if (!reader.ok()) return nullptr;
  return std::unique_ptr<Segmenter>(new Segmenter(std::move(state)));
}

std::vector<float> Segmenter::segment(std::span<const float> samples, std::span<const int64_t> offsets,
                                      Room& room) const {
  const State& s = *state_;
  const int windows = static_cast<int>(offsets.size());
  const int64_t rows = static_cast<int64_t>(kSegmentFrames) * windows;
  room.in.need(square(rows, kBoth));
  room.out.need(square(rows, kBoth));
  float* in = room.in.data();
  float* out = room.out.data();

  // Filtered frames of windows that overlap stand in one row, from the first one's offset on.
  size_t i = 0;
  while (i < offsets.size()) {
    size_t end = i + 1;
    while (end < offsets.size() && offsets[end] < offsets[end - 1] + kSegmentSamples &&
           (offsets[end] - offsets[i]) % kFilterStep == 0) {
      ++end;
    }
    const auto frames = static_cast<int>((offsets[end - 1] - offsets[i]) / kFilterStep) + kFiltered;
    room.filtered.need(square(frames, kFilters));
    s.cpu.multiply(samples.data() + offsets[i], kFilterStep, frames, s.filters.weights, room.filtered.data(),
                   kFilters, Then::store);
    for (size_t w = i; w < end; ++w) {
      const float* filtered =
          room.filtered.data() + square((offsets[w] - offsets[i]) / kFilterStep, kFilters);
      s.hear(samples.subspan(static_cast<size_t>(offsets[w]), kSegmentSamples), filtered, room,
             in + w * kChannels, windows);
    }
    i = end;
  }

  int inputs = kChannels;
  for (const std::array<Direction, 2>& layer : s.layers) {
    for (const bool backward : {false, true}) {
      s.run(layer[backward ? 1 : 0], backward, in, inputs, windows, room, out);
    }
    std::swap(in, out);
    inputs = kBoth;
  }
  for (const FloatMatrix& linear : s.linear) {
    s.cpu.multiply(in, inputs, static_cast<int>(rows), linear.weights, out, kHidden, Then::store);
    std::transform(out, out + square(rows, kHidden), out, leaky);
    std::swap(in, out);
    inputs = kHidden;
  }
  s.cpu.multiply(in, inputs, static_cast<int>(rows), s.classifier.weights, out, kSegmentClasses, Then::store);

  std::vector<float> result(square(rows, kSegmentClasses));
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t frame = row / windows;
    const int64_t window = row % windows;
    log_softmax(out + square(row, kSegmentClasses),
                result.data() + square(window * kSegmentFrames + frame, kSegmentClasses));
  }
  return result;
}

}  // namespace hansard::engine
