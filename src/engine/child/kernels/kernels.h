// Arithmetic of networks on one thread: products of int8 matrices, attention in int8, and the passes
// between them, for processors with AVX-512 VNNI, AVX-VNNI or AVX2. Callers split the work over
// threads; a number of the result depends on its own row alone, so that it is the same however rows are
// split.
//
// Weights have one scale for each output, activations one for each row, as CTranslate2 has them; keys one for
// each key, values one for each of a head's dimensions. Weights of attention have more bits: with eight, what
// is spread thinly over many keys would be lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hansard::engine::kernels {

inline constexpr int kPanel = 32;          // outputs, or keys, of a panel
inline constexpr int kHeadSize = 64;       // dimensions of a head of attention
inline constexpr int kTileRows = 12;       // rows of queries that attention takes at once, at most
inline constexpr int kMostColumns = 2048;  // of rows that are normalised
inline constexpr int kMostKeys = 2048;     // of attention in int8
inline constexpr int kInputBytes = 2;      // of a quantized activation, at most

constexpr int padded(int count, int to) {
  return (count + to - 1) / to * to;
}

// What is packed and quantized is laid out as the processor's instructions take it: one set of kernels cannot
// read what another wrote.

// ---- matrices

// Weights [outputs][inputs], packed in panels of kPanel outputs. `inputs` is a multiple of 4. Outputs are
// padded to whole panels, with zeros.
struct Weights {
  uint8_t* values = nullptr;  // padded(outputs, kPanel) * inputs
  float* scales = nullptr;    // padded(outputs, kPanel)
  float* bias = nullptr;      // the same; zeros where there is none
  int outputs = 0;
  int inputs = 0;
};

// The same in float: panels [inputs][kPanel].
struct FloatWeights {
  float* values = nullptr;
  float* bias = nullptr;
  int outputs = 0;
  int inputs = 0;
};

// Quantized activations [rows][columns]; `columns` is a multiple of 16.
struct Rows {
  uint8_t* values = nullptr;  // kInputBytes each at most
  float* scales = nullptr;
  int32_t* sums = nullptr;
  int columns = 0;
};

enum class Then {
  store,
  add,   // to what is there
  gelu,  // exact to 1e-4
};

// ---- attention of one head

// `count` keys and values of kHeadSize, at most kMostKeys, padded to whole panels.
struct Keys {
  uint8_t* values = nullptr;  // head_bytes(count)
  float* scales = nullptr;    // of each key
};
struct Values {
  uint8_t* values = nullptr;  // head_bytes(count)
  float* scales = nullptr;    // of each dimension
};
constexpr size_t head_bytes(int count) {
  return static_cast<size_t>(padded(count, kPanel)) * kHeadSize;
}

// Room that attend() needs, for one thread.
struct AttentionRoom {
  float* scores = nullptr;     // [kTileRows][padded(count, kPanel)]
  uint8_t* weights = nullptr;  // [2][kTileRows][padded(count, kPanel)]
};

// ---- vectors

struct Largest {
  int index = 0;
  float value = 0;
};

// All kernels for one set of a processor's instructions.
class Set {
 public:
  virtual const char* instructions() const = 0;

  // Quantizes a panel's worth of rows; `rows` is row-major, `count` of them from `first` on exist.
  virtual void pack(const float* rows, int first, int count, Weights& weights) const = 0;
  virtual void pack(const float* rows, int first, int count, FloatWeights& weights) const = 0;
  // Row `output` as numbers again.
  virtual void unpack(const Weights& weights, int output, float* row) const = 0;
  virtual void quantize(const float* in, int rows, const Rows& out) const = 0;
  // The same after layer normalisation.
  virtual void normalize(const float* in, int rows, const float* gamma, const float* beta,
                         const Rows& out) const = 0;
  // out[row][i] = in * weights + bias for the outputs [first, first + count); `first` begins a panel.
  virtual void multiply(const Rows& in, int rows, const Weights& weights, int first, int count, float* out,
                        ptrdiff_t out_stride, Then then) const = 0;
  // Input rows may overlap: row i begins at in + i * in_stride.
  virtual void multiply(const float* in, ptrdiff_t in_stride, int rows, const FloatWeights& weights,
                        float* out, ptrdiff_t out_stride, Then then) const = 0;

  virtual void pack(const float* rows, ptrdiff_t stride, int count, const Keys& keys) const = 0;
  virtual void pack(const float* rows, ptrdiff_t stride, int count, const Values& values) const = 0;
  // out[row] = softmax(queries[row] * keys / 8) * values; at most kTileRows rows. The scores before the
  // softmax are in `room` afterwards.
  virtual void attend(const float* queries, ptrdiff_t stride, int rows, const Keys& keys,
                      const Values& values, int count, const AttentionRoom& room, float* out,
                      ptrdiff_t out_stride) const = 0;
  // All heads of one query, whose `count` keys and values are in float, each where it lies; `scores` has room
  // for count.
  virtual void attend(const float* query, int heads, const float* const* keys, const float* const* values,
                      int count, float* scores, float* out) const = 0;

  virtual Largest largest(const float* values, int count) const = 0;  // the first of equals
  virtual float log_sum_exp(const float* values, int count) const = 0;
  virtual void softmax(float* values, int count) const = 0;

  // One step of an LSTM: `gates` [4][units] hold what goes into the input, output, forget and candidate
  // gates, `cells` [units] are carried on, `hidden` [units] comes out. `units` is a multiple of 16.
  virtual void lstm_step(const float* gates, int units, float* cells, float* hidden) const = 0;

  // Between float and IEEE's half precision.
  virtual void widen(const uint16_t* halves, size_t count, float* out) const = 0;
  virtual void narrow(const float* values, size_t count, uint16_t* out) const = 0;

 protected:
  ~Set() = default;
};

// Those that this processor can run, the best first.
std::span<const Set* const> sets();
// The best of them, and no better than CTranslate2's switch CT2_FORCE_CPU_ISA says, where it is set; nothing
// where there is none.
const Set* best();

}  // namespace hansard::engine::kernels
