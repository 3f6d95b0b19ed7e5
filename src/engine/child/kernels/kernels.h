// Arithmetic of transformers on one thread, for processors with AVX-512 VNNI: products of int8 matrices,
// attention in int8, and the passes between them. Callers split the work over threads; a number of the result
// depends on its own row alone, so that it is the same however rows are split.
//
// Signed rows of activations meet weights shifted by 128 (vpdpbusd multiplies unsigned by signed bytes); a
// row's sum times 128 is taken off again. Weights have one scale for each output, activations one for each
// row, as CTranslate2 has them; keys one for each key, values one for each of a head's dimensions. Weights of
// attention have 15 bits, in two bytes: with eight, what is spread thinly over many keys would be lost.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hansard::engine::kernels {

// This processor has what all functions below need; without it they end the process. CTranslate2's switch
// CT2_FORCE_CPU_ISA, where it is set, has a say too.
bool supported();

inline constexpr int kPanel = 32;          // outputs, or keys, of a panel
inline constexpr int kHeadSize = 64;       // dimensions of a head of attention
inline constexpr int kTileRows = 12;       // rows that are multiplied at once
inline constexpr int kMostColumns = 2048;  // of rows that are normalised

constexpr int padded(int count, int to) {
  return (count + to - 1) / to * to;
}

// ---- matrices

// Weights [outputs][inputs], packed in panels [inputs / 4][kPanel][4]. `inputs` is a multiple of 4. Outputs
// are padded to whole panels, with zeros.
struct Weights {
  uint8_t* values = nullptr;  // padded(outputs, kPanel) * inputs
  float* scales = nullptr;    // padded(outputs, kPanel)
  float* bias = nullptr;      // the same; zeros where there is none
  int outputs = 0;
  int inputs = 0;
};
// Quantizes a panel's worth of rows; `rows` is row-major, `count` of them from `first` on exist.
void pack(const float* rows, int first, int count, Weights& weights);
// Row `output` as numbers again.
void unpack(const Weights& weights, int output, float* row);

// The same in float: panels [inputs][kPanel].
struct FloatWeights {
  float* values = nullptr;
  float* bias = nullptr;
  int outputs = 0;
  int inputs = 0;
};
void pack(const float* rows, int first, int count, FloatWeights& weights);

// Activations [rows][columns] in int8.
struct Rows {
  int8_t* values = nullptr;
  float* scales = nullptr;
  int32_t* sums = nullptr;
  int columns = 0;
};
void quantize(const float* in, int rows, const Rows& out);
// The same after layer normalisation.
void normalize(const float* in, int rows, const float* gamma, const float* beta, const Rows& out);
void normalize(const float* in, int rows, int columns, const float* gamma, const float* beta, float* out);

enum class Then {
  store,
  add,   // to what is there
  gelu,  // exact to 1e-4
};
// out[row][i] = in * weights + bias for the outputs [first, first + count); `first` begins a panel.
void multiply(const Rows& in, int rows, const Weights& weights, int first, int count, float* out,
              ptrdiff_t out_stride, Then then);
// Input rows may overlap: row i begins at in + i * in_stride.
void multiply(const float* in, ptrdiff_t in_stride, int rows, const FloatWeights& weights, float* out,
              ptrdiff_t out_stride, Then then);

// ---- attention of one head

// `count` keys and values of kHeadSize, padded to whole panels.
struct Keys {
  uint8_t* values = nullptr;  // panels [kHeadSize / 4][kPanel][4]
  float* scales = nullptr;    // of each key
};
struct Values {
  int8_t* values = nullptr;  // [padded / 4][kHeadSize][4]
  float* scales = nullptr;   // of each dimension
};
constexpr size_t head_bytes(int count) {
  return static_cast<size_t>(padded(count, kPanel)) * kHeadSize;
}
void pack(const float* rows, ptrdiff_t stride, int count, const Keys& keys);
void pack(const float* rows, ptrdiff_t stride, int count, const Values& values);

// Room that attend() needs, for one thread.
struct AttentionRoom {
  float* scores = nullptr;     // [kTileRows][padded(count, kPanel)]
  uint8_t* weights = nullptr;  // [2][kTileRows][padded(count, kPanel)]
};
// out[row] = softmax(queries[row] * keys / 8) * values; at most kTileRows rows. The scores before the softmax
// are in `room` afterwards.
void attend(const float* queries, ptrdiff_t stride, int rows, const Keys& keys, const Values& values,
            int count, const AttentionRoom& room, float* out, ptrdiff_t out_stride);
// All heads of one query, whose `count` keys and values are in float, each where it lies; `scores` has room
// for count.
void attend(const float* query, int heads, const float* const* keys, const float* const* values, int count,
            float* scores, float* out);

// ---- vectors

struct Largest {
  int index = 0;
  float value = 0;
};
Largest largest(const float* values, int count);  // the first of equals
float log_sum_exp(const float* values, int count);
void softmax(float* values, int count);

// Between float and IEEE's half precision.
void widen(const uint16_t* halves, size_t count, float* out);
void narrow(const float* values, size_t count, uint16_t* out);

}  // namespace hansard::engine::kernels
