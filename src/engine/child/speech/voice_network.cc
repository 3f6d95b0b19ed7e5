#include "engine/child/speech/voice_network.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "engine/child/kernels/onnx_file.h"

namespace hansard::engine {
namespace {

using kernels::FloatMatrix;
using kernels::packed;
using kernels::Then;

constexpr int kAtOnce = 96;  // frames whose layers lie in the cache together
constexpr int kTaps = 3;     // of a convolution

// The spectrum: of a frame with its context, and what follows mirrored at its end.
constexpr int kMirrored = 64;
constexpr int kHeard = VoiceNetwork::kContextSamples + VoiceNetwork::kFrameSamples;
constexpr int kWhole = kHeard + kMirrored;
constexpr int kWindow = 256;
constexpr int kHop = 128;
constexpr int kColumns = (kWhole - kWindow) / kHop + 1;
constexpr int kBins = kWindow / 2 + 1;

// A convolution over the columns of a frame, with a column of zeros on both sides.
struct Shape {
  int columns;  // that it reads
  int channels;
  int step;  // columns
  int outputs;
  constexpr int whole() const { return (columns + 2) * channels; }
  constexpr int columns_out() const { return (columns + 2 - kTaps) / step + 1; }
};
constexpr std::array<Shape, 4> kShapes{
    {{kColumns, kBins, 1, 128}, {kColumns, 128, 2, 64}, {2, 64, 2, 64}, {1, 64, 1, VoiceNetwork::kUnits}}};
static_assert(kShapes[0].columns_out() == kShapes[1].columns &&
              kShapes[1].columns_out() == kShapes[2].columns &&
              kShapes[2].columns_out() == kShapes[3].columns && kShapes[3].columns_out() == 1);

}  // namespace

std::unique_ptr<VoiceNetwork> VoiceNetwork::load(std::string_view onnx, const kernels::Set& cpu) {
  const std::optional<kernels::OnnxGraph> graph = kernels::read_onnx(onnx);
  if (!graph) return nullptr;
  kernels::OnnxWeights weights(*graph);
  if (weights.count("Conv") != 6 || weights.count("LSTM") != 1) return nullptr;
  std::unique_ptr<VoiceNetwork> made(new VoiceNetwork(cpu));
  made->spectrum_ =
      packed<FloatMatrix>(cpu, weights.input("Conv", 0, 1, 2 * kBins * kWindow), {}, 2 * kBins, kWindow);
  for (size_t i = 0; i < kShapes.size(); ++i) {
    const int which = 1 + static_cast<int>(i);
    const auto channels = static_cast<size_t>(kShapes[i].channels);
    const auto outputs = static_cast<size_t>(kShapes[i].outputs);
    const std::vector<float> stored = weights.input("Conv", which, 1, outputs * channels * kTaps);
    made->convolutions_[i] = packed<FloatMatrix>(cpu, kernels::taps_first(stored, channels, kTaps),
                                                 weights.input("Conv", which, 2, outputs), kShapes[i].outputs,
                                                 kTaps * kShapes[i].channels);
  }
  made->in_ = packed<FloatMatrix>(cpu, weights.input("LSTM", 0, 1, kGates * kUnits),
                                  weights.lstm_bias(0, 1, kGates), kGates, kUnits);
  made->again_ = packed<FloatMatrix>(cpu, weights.input("LSTM", 0, 2, kGates * kUnits), {}, kGates, kUnits);
  const std::vector<float> output = weights.input("Conv", 5, 1, kUnits);
  std::copy(output.begin(), output.end(), made->output_.begin());
  made->output_bias_ = weights.input("Conv", 5, 2, 1)[0];
  if (!weights.ok()) return nullptr;
  return made;
}

void VoiceNetwork::hear(const float* samples, int count, Room& room, float* gates) const {
  if (room.frames.size() == 0) {
    room.frames = kernels::Buffer<float>(static_cast<size_t>(kAtOnce) * kWhole);
    room.spectrum = kernels::Buffer<float>(static_cast<size_t>(kAtOnce) * 2 * kBins);
    room.heard = kernels::Buffer<float>(static_cast<size_t>(kAtOnce) * kUnits);
    for (size_t i = 0; i < kShapes.size(); ++i) {
      room.layers[i] = kernels::Buffer<float>(kAtOnce * static_cast<size_t>(kShapes[i].whole()));
      std::fill_n(room.layers[i].data(), room.layers[i].size(), 0.0F);  // columns on both sides stay so
    }
  }
  for (int first = 0; first < count; first += kAtOnce) {
    hear_some(samples + static_cast<ptrdiff_t>(first) * kFrameSamples, std::min(kAtOnce, count - first), room,
              gates + static_cast<ptrdiff_t>(first) * kGates);
  }
}

void VoiceNetwork::hear_some(const float* samples, int count, Room& room, float* gates) const {
  for (int i = 0; i < count; ++i) {
    const float* from = samples + static_cast<ptrdiff_t>(i) * kFrameSamples;
    float* frame = room.frames.data() + static_cast<ptrdiff_t>(i) * kWhole;
    std::copy_n(from, kHeard, frame);
    for (int k = 0; k < kMirrored; ++k) frame[kHeard + k] = frame[kHeard - 2 - k];
  }
  // One column of all frames after the other: they are as far apart in each.
  for (int column = 0; column < kColumns; ++column) {
    cpu_.multiply(room.frames.data() + static_cast<ptrdiff_t>(column) * kHop, kWhole, count,
                  spectrum_.weights, room.spectrum.data(), 2 * kBins, Then::store);
    for (int i = 0; i < count; ++i) {
      const float* real = room.spectrum.data() + static_cast<ptrdiff_t>(i) * 2 * kBins;
      const float* imaginary = real + kBins;
      float* to = room.layers[0].data() + static_cast<ptrdiff_t>(i) * kShapes[0].whole() +
                  static_cast<ptrdiff_t>(column + 1) * kBins;
      for (int k = 0; k < kBins; ++k) to[k] = std::sqrt(real[k] * real[k] + imaginary[k] * imaginary[k]);
    }
  }
  for (size_t layer = 0; layer < kShapes.size(); ++layer) {
    const Shape& shape = kShapes[layer];
    const bool last = layer + 1 == kShapes.size();
    float* out = last ? room.heard.data() : room.layers[layer + 1].data() + shape.outputs;
    const ptrdiff_t stride = last ? kUnits : kShapes[layer + 1].whole();
    for (int column = 0; column < shape.columns_out(); ++column) {
      float* to = out + static_cast<ptrdiff_t>(column) * shape.outputs;
      cpu_.multiply(room.layers[layer].data() + static_cast<ptrdiff_t>(column) * shape.step * shape.channels,
                    shape.whole(), count, convolutions_[layer].weights, to, stride, Then::store);
      for (int i = 0; i < count; ++i) {
        float* row = to + i * stride;
        for (int k = 0; k < shape.outputs; ++k) row[k] = std::max(row[k], 0.0F);
      }
    }
  }
  cpu_.multiply(room.heard.data(), kUnits, count, in_.weights, gates, kGates, Then::store);
}

void VoiceNetwork::judge(float* gates, int count, State& state, float* out) const {
  for (int i = 0; i < count; ++i) {
    float* mine = gates + static_cast<ptrdiff_t>(i) * kGates;
    cpu_.multiply(state.hidden.data(), kUnits, 1, again_.weights, mine, kGates, Then::add);
    cpu_.lstm_step(mine, kUnits, state.cells.data(), state.hidden.data());
    float sum = output_bias_;
    for (size_t k = 0; k < kUnits; ++k) sum += output_[k] * std::max(state.hidden[k], 0.0F);
    out[i] = 1 / (1 + std::exp(-sum));
  }
}

}  // namespace hansard::engine
