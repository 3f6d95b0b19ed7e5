// Weights and quantized rows that own their memory, and how weights that are stored in other orders are put
// into rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/child/kernels/buffer.h"
#include "engine/child/kernels/kernels.h"

namespace hansard::engine::kernels {

// Not packed yet; without a bias.
struct ByteMatrix {
  ByteMatrix() = default;
  ByteMatrix(int outputs, int inputs)
      : values(static_cast<size_t>(padded(outputs, kPanel)) * static_cast<size_t>(inputs)),
        scales(static_cast<size_t>(padded(outputs, kPanel))),
        bias(scales.size()),
        weights{values.data(), scales.data(), bias.data(), outputs, inputs} {
    std::fill_n(bias.data(), bias.size(), 0.0F);
  }

  Buffer<uint8_t> values;
  Buffer<float> scales;
  Buffer<float> bias;
  Weights weights;
};

struct FloatMatrix {
  FloatMatrix() = default;
  FloatMatrix(int outputs, int inputs)
      : values(static_cast<size_t>(padded(outputs, kPanel)) * static_cast<size_t>(inputs)),
        bias(static_cast<size_t>(padded(outputs, kPanel))),
        weights{values.data(), bias.data(), outputs, inputs} {
    std::fill_n(bias.data(), bias.size(), 0.0F);
  }

  Buffer<float> values;
  Buffer<float> bias;
  FloatWeights weights;
};

// Room for quantized rows, which grows with what it is used for.
struct RowsRoom {
  Rows rows(int count, int columns) {
    values.need(static_cast<size_t>(count) * static_cast<size_t>(columns) * kInputBytes);
    scales.need(static_cast<size_t>(count));
    sums.need(static_cast<size_t>(count));
    return {values.data(), scales.data(), sums.data(), columns};
  }

  Buffer<uint8_t> values;
  Buffer<float> scales;
  Buffer<int32_t> sums;
};

// Packs all rows [outputs][inputs] and the bias, if there is one.
template <typename Matrix>
Matrix packed(const Set& cpu, std::span<const float> rows, std::span<const float> bias, int outputs,
              int inputs) {
  Matrix matrix(outputs, inputs);
  std::copy(bias.begin(), bias.end(), matrix.bias.data());
  for (int first = 0; first < outputs; first += kPanel) {
    cpu.pack(rows.data() + static_cast<ptrdiff_t>(first) * inputs, first, std::min(kPanel, outputs - first),
             matrix.weights);
  }
  return matrix;
}

// A convolution's [outputs][channels][taps] as [outputs][taps][channels]: as rows of frames lie.
inline std::vector<float> taps_first(std::span<const float> stored, size_t channels, size_t taps) {
  std::vector<float> rows(stored.size());
  for (size_t i = 0; i < stored.size(); ++i) {
    const size_t output = i / (channels * taps);
    rows[output * channels * taps + i % taps * channels + i / taps % channels] = stored[i];
  }
  return rows;
}

}  // namespace hansard::engine::kernels
