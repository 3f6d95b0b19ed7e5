// Silero's voice activity network (v6, 16 kHz) by our own kernels: a spectrum, four convolutions over the few
// columns of a frame, an LSTM and one output. All but the LSTM sees each frame by itself, so frames can be
// heard in any order and by several threads.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "engine/child/kernels/buffer.h"
#include "engine/child/kernels/matrices.h"

namespace hansard::engine {

class VoiceNetwork {
 public:
  static constexpr int kFrameSamples = 512;
  static constexpr int kContextSamples = 64;  // before a frame, that it is heard with
  static constexpr int kUnits = 128;
  static constexpr int kGates = 4 * kUnits;

  // Room to hear in, for one thread.
  struct Room {
    kernels::Buffer<float> frames, spectrum;
    std::array<kernels::Buffer<float>, 4>
        layers;  // what each convolution reads, with columns of zeros on both sides
    kernels::Buffer<float> heard;
  };

  // Where the LSTM stands between two frames.
  struct State {
    alignas(64) std::array<float, kUnits> hidden{};
    alignas(64) std::array<float, kUnits> cells{};
  };

  // Null where `onnx` holds another network than this one.
  static std::unique_ptr<VoiceNetwork> load(std::string_view onnx, const kernels::Set& cpu);

  // What goes into the LSTM [count][kGates] of `count` frames; `samples` begin with the context of the first.
  void hear(const float* samples, int count, Room& room, float* gates) const;
  // How likely there is speech in each of `count` frames; `gates` are changed.
  void judge(float* gates, int count, State& state, float* out) const;

 private:
  explicit VoiceNetwork(const kernels::Set& cpu) : cpu_(cpu) {}
  void hear_some(const float* samples, int count, Room& room, float* gates) const;

  const kernels::Set& cpu_;
  kernels::FloatMatrix spectrum_;
  std::array<kernels::FloatMatrix, 4> convolutions_;
  kernels::FloatMatrix in_, again_;
  std::array<float, kUnits> output_{};
  float output_bias_ = 0;
};

}  // namespace hansard::engine
