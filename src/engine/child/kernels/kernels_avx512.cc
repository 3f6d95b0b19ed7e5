// Compiled for AVX-512 alone: nothing here may be an inline function that other units have too, or the linker
// may take this one for all.
#include "engine/child/kernels/kernels.h"

#include <immintrin.h>

namespace hansard::engine::kernels {
namespace {

constexpr int kLanes = 16;         // floats of a register
constexpr float kEpsilon = 1e-5F;  // of layer normalisation
constexpr int kShift = 128;

__m512 at(const float* from) {
  return _mm512_loadu_ps(from);
}

__mmask16 first_lanes(int count) {
  const unsigned lanes = count <= 0 ? 0U : count >= kLanes ? kLanes : static_cast<unsigned>(count);
  return static_cast<__mmask16>((1U << lanes) - 1U);
}

__m512i four_bytes(const void* from) {
  int value;
  __builtin_memcpy(&value, from, sizeof value);
  return _mm512_set1_epi32(value);
}

// 2^x for x <= 0, to about 2e-6 of its value; 0 for what is too small.
__m512 exp2_of(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-126.0F));
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 part = _mm512_sub_ps(x, whole);
  __m512 y = _mm512_set1_ps(1.3333558e-3F);
  y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(9.6181291e-3F));
  y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(5.5504109e-2F));
  y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(2.4022651e-1F));
  y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(6.9314718e-1F));
  y = _mm512_fmadd_ps(y, part, _mm512_set1_ps(1.0F));
  const __m512i power = _mm512_slli_epi32(_mm512_cvtps_epi32(whole), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(y), power));
}

constexpr float kLog2E = 1.44269504F;

// x (1 + erf(x / sqrt 2)) / 2 with erf after Abramowitz and Stegun, 7.1.26.
__m512 gelu_of(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0F);
  const __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678F));
  const __m512 t = _mm512_rcp14_ps(_mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911F), one));
  __m512 y = _mm512_set1_ps(1.061405429F);
  y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(-1.453152027F));
  y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(1.421413741F));
  y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(-0.284496736F));
  y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(0.254829592F));
  y = _mm512_mul_ps(y, t);
  const __m512 bell = exp2_of(_mm512_mul_ps(_mm512_mul_ps(z, z), _mm512_set1_ps(-kLog2E)));
  const __m512 half_tail = _mm512_mul_ps(_mm512_mul_ps(y, bell), _mm512_set1_ps(0.5F));  // (1 - erf z) / 2
  // For x >= 0: x (1 - tail); below: x * tail.
  const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 factor = _mm512_mask_blend_ps(negative, _mm512_sub_ps(one, half_tail), half_tail);
  return _mm512_mul_ps(x, factor);
}

float largest_magnitude(const float* values, int count) {
  __m512 most = _mm512_setzero_ps();
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) most = _mm512_max_ps(most, _mm512_abs_ps(at(values + i)));
  if (i < count) {
    most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_maskz_loadu_ps(first_lanes(count - i), values + i)));
  }
  return _mm512_reduce_max_ps(most);
}

// values * scale rounded, and their sum. `count` is a multiple of 16.
int32_t to_int8(const float* values, int count, float scale, int8_t* out) {
  const __m512 factor = _mm512_set1_ps(scale);
  __m512i sum = _mm512_setzero_si512();
  for (int i = 0; i < count; i += kLanes) {
    const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(at(values + i), factor));
    sum = _mm512_add_epi32(sum, rounded);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm512_cvtsepi32_epi8(rounded));
  }
  return _mm512_reduce_add_epi32(sum);
}

void quantize_row(const float* in, int columns, int8_t* values, float& scale, int32_t& sum) {
  const float most = largest_magnitude(in, columns);
  scale = most / 127.0F;
  sum = to_int8(in, columns, most > 0 ? 127.0F / most : 0.0F, values);
}

void normalize_row(const float* in, int columns, const float* gamma, const float* beta, float* out) {
  __m512 sum = _mm512_setzero_ps();
  for (int i = 0; i < columns; i += kLanes) sum = _mm512_add_ps(sum, at(in + i));
  const float mean = _mm512_reduce_add_ps(sum) / static_cast<float>(columns);
  const __m512 middle = _mm512_set1_ps(mean);
  __m512 squares = _mm512_setzero_ps();
  for (int i = 0; i < columns; i += kLanes) {
    const __m512 off = _mm512_sub_ps(at(in + i), middle);
    squares = _mm512_fmadd_ps(off, off, squares);
  }
  const float variance = _mm512_reduce_add_ps(squares) / static_cast<float>(columns);
  const __m512 factor = _mm512_set1_ps(1.0F / __builtin_sqrtf(variance + kEpsilon));
  for (int i = 0; i < columns; i += kLanes) {
    const __m512 unit = _mm512_mul_ps(_mm512_sub_ps(at(in + i), middle), factor);
    _mm512_storeu_ps(out + i, _mm512_fmadd_ps(unit, at(gamma + i), at(beta + i)));
  }
}

template <Then then>
void put(float* out, __m512 value, __mmask16 lanes) {
  if constexpr (then == Then::add) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(lanes, out));
  if constexpr (then == Then::gelu) value = gelu_of(value);
  _mm512_mask_storeu_ps(out, lanes, value);
}

// Products of kRows rows of signed bytes with a panel of unsigned ones.
template <int kRows>
void dot_panel(const int8_t* rows, ptrdiff_t stride, const uint8_t* panel, int groups,
               __m512i (&sums)[kRows][2]) {
  for (int m = 0; m < kRows; ++m) sums[m][0] = sums[m][1] = _mm512_setzero_si512();
  for (int k = 0; k < groups; ++k) {
    const __m512i left = _mm512_loadu_si512(panel);
    const __m512i right = _mm512_loadu_si512(panel + 64);
    panel += 128;
#pragma unroll
    for (int m = 0; m < kRows; ++m) {
      const __m512i four = four_bytes(rows + m * stride + 4 * k);
      sums[m][0] = _mm512_dpbusd_epi32(sums[m][0], left, four);
      sums[m][1] = _mm512_dpbusd_epi32(sums[m][1], right, four);
    }
  }
}

// The last rows of a matrix, fewer than kMost + 1.
template <int kMost, typename Tile>
void last_tile(int rows, int row, const Tile& tile) {
  if constexpr (kMost > 0) {
    if (rows == kMost) return tile.template run<kMost>(row);
    last_tile<kMost - 1>(rows, row, tile);
  }
}

// Calls tile.run<n>(row) over `rows` in tiles of kTileRows, and one of what is left.
template <typename Tile>
void by_tiles(int rows, const Tile& tile) {
  int row = 0;
  for (; rows - row >= kTileRows; row += kTileRows) tile.template run<kTileRows>(row);
  last_tile<kTileRows - 1>(rows - row, row, tile);
}

// Calls `call` with what `then` says as a template's argument.
template <typename Call>
void with(Then then, const Call& call) {
  switch (then) {
    case Then::store:
      return call.template operator()<Then::store>();
    case Then::add:
      return call.template operator()<Then::add>();
    case Then::gelu:
      return call.template operator()<Then::gelu>();
  }
}

template <Then then>
struct Int8Tile {
  const Rows& in;
  const Weights& weights;
  int output;
  int count;
  float* out;
  ptrdiff_t stride;
  template <int kRows>
  void run(int row) const {
    __m512i sums[kRows][2];
    dot_panel<kRows>(in.values + static_cast<ptrdiff_t>(row) * in.columns, in.columns,
                     weights.values + static_cast<ptrdiff_t>(output) * weights.inputs, weights.inputs / 4,
                     sums);
    for (int half = 0; half < 2; ++half) {
      const int rest = count - half * kLanes;
      if (rest <= 0) return;
      const __m512 scales = at(weights.scales + output + half * kLanes);
      const __m512 bias = at(weights.bias + output + half * kLanes);
      for (int m = 0; m < kRows; ++m) {
        const __m512i exact = _mm512_sub_epi32(sums[m][half], _mm512_set1_epi32(kShift * in.sums[row + m]));
        const __m512 scale = _mm512_mul_ps(scales, _mm512_set1_ps(in.scales[row + m]));
        put<then>(out + (row + m) * stride + half * kLanes,
                  _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact), scale, bias), first_lanes(rest));
      }
    }
  }
};

template <Then then>
struct FloatTile {
  const float* in;
  ptrdiff_t in_stride;
  const FloatWeights& weights;
  int output;
  float* out;
  ptrdiff_t stride;
  template <int kRows>
  void run(int row) const {
    const float* rows = in + row * in_stride;
    const float* panel = weights.values + static_cast<ptrdiff_t>(output) * weights.inputs;
    __m512 sums[kRows][2];
    for (int m = 0; m < kRows; ++m) {
      sums[m][0] = at(weights.bias + output);
      sums[m][1] = at(weights.bias + output + kLanes);
    }
    for (int k = 0; k < weights.inputs; ++k) {
      const __m512 left = at(panel);
      const __m512 right = at(panel + kLanes);
      panel += kPanel;
#pragma unroll
      for (int m = 0; m < kRows; ++m) {
        const __m512 one = _mm512_set1_ps(rows[m * in_stride + k]);
        sums[m][0] = _mm512_fmadd_ps(left, one, sums[m][0]);
        sums[m][1] = _mm512_fmadd_ps(right, one, sums[m][1]);
      }
    }
    for (int half = 0; half < 2; ++half) {
      const int rest = weights.outputs - output - half * kLanes;
      if (rest <= 0) return;
      for (int m = 0; m < kRows; ++m) {
        put<then>(out + (row + m) * stride + output + half * kLanes, sums[m][half], first_lanes(rest));
      }
    }
  }
};

// ---- attention

// Scores of some queries with all keys.
struct ScoreTile {
  const int8_t* queries;  // [rows][kHeadSize]
  const float* query_scales;
  const int32_t* query_sums;
  const Keys& keys;
  int padded_count;
  float* scores;
  template <int kRows>
  void run(int row) const {
    for (int key = 0; key < padded_count; key += kPanel) {
      __m512i sums[kRows][2];
      dot_panel<kRows>(queries + row * kHeadSize, kHeadSize,
                       keys.values + static_cast<ptrdiff_t>(key) * kHeadSize, kHeadSize / 4, sums);
      const __m512 left = at(keys.scales + key);
      const __m512 right = at(keys.scales + key + kLanes);
      for (int m = 0; m < kRows; ++m) {
        const __m512 scale = _mm512_set1_ps(query_scales[row + m]);
        const __m512i off = _mm512_set1_epi32(kShift * query_sums[row + m]);
        float* to = scores + static_cast<ptrdiff_t>(row + m) * padded_count + key;
        _mm512_storeu_ps(to, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(sums[m][0], off)),
                                           _mm512_mul_ps(scale, left)));
        _mm512_storeu_ps(to + kLanes, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(sums[m][1], off)),
                                                    _mm512_mul_ps(scale, right)));
      }
    }
  }
};

constexpr float kWeightSteps = 32767.0F;  // of the largest weight: 15 bits

// Softmax without its division: high and low bytes of each weight in 15 bits of the largest. Returns the sum.
int64_t weigh(const float* scores, int count, int padded_count, uint8_t* high, uint8_t* low) {
  __m512 most = _mm512_set1_ps(-3e38F);
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) most = _mm512_max_ps(most, at(scores + i));
  if (i < count) {
    most = _mm512_mask_max_ps(most, first_lanes(count - i), most, at(scores + i));
  }
  const float top = _mm512_reduce_max_ps(most) * kLog2E;
  const __m512 shift = _mm512_set1_ps(-top);
  const __m512 steps = _mm512_set1_ps(kWeightSteps);
  __m512i sum = _mm512_setzero_si512();
  for (i = 0; i < padded_count; i += kLanes) {
    const __m512 power = exp2_of(_mm512_fmadd_ps(at(scores + i), _mm512_set1_ps(kLog2E), shift));
    __m512i weight = _mm512_cvtps_epi32(_mm512_mul_ps(power, steps));
    if (i + kLanes > count) weight = _mm512_maskz_mov_epi32(i < count ? first_lanes(count - i) : 0, weight);
    sum = _mm512_add_epi32(sum, weight);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(high + i),
                     _mm512_cvtepi32_epi8(_mm512_srli_epi32(weight, 8)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(low + i), _mm512_cvtepi32_epi8(weight));
  }
  return _mm512_reduce_add_epi32(sum);
}

template <int kRows>
void mix(const uint8_t* high, const uint8_t* low, ptrdiff_t stride, const float* factors,
         const Values& values, int padded_count, float* out, ptrdiff_t out_stride) {
  __m512i highs[kRows][4];
  __m512i lows[kRows][4];
  for (int m = 0; m < kRows; ++m) {
    for (int n = 0; n < 4; ++n) highs[m][n] = lows[m][n] = _mm512_setzero_si512();
  }
  const int8_t* from = values.values;
  for (int k = 0; k < padded_count; k += 4) {
    const __m512i four[4] = {_mm512_loadu_si512(from), _mm512_loadu_si512(from + 64),
                             _mm512_loadu_si512(from + 128), _mm512_loadu_si512(from + 192)};
    from += 256;
#pragma unroll
    for (int m = 0; m < kRows; ++m) {
      const __m512i large = four_bytes(high + m * stride + k);
      const __m512i small = four_bytes(low + m * stride + k);
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        highs[m][n] = _mm512_dpbusd_epi32(highs[m][n], large, four[n]);
        lows[m][n] = _mm512_dpbusd_epi32(lows[m][n], small, four[n]);
      }
    }
  }
  for (int m = 0; m < kRows; ++m) {
    const __m512 factor = _mm512_set1_ps(factors[m]);
    for (int n = 0; n < 4; ++n) {
      const __m512 all = _mm512_fmadd_ps(_mm512_cvtepi32_ps(highs[m][n]), _mm512_set1_ps(256.0F),
                                         _mm512_cvtepi32_ps(lows[m][n]));
      _mm512_storeu_ps(out + m * out_stride + n * kLanes,
                       _mm512_mul_ps(all, _mm512_mul_ps(factor, at(values.scales + n * kLanes))));
    }
  }
}

}  // namespace

void quantize(const float* in, int rows, const Rows& out) {
  for (int i = 0; i < rows; ++i) {
    const ptrdiff_t at_row = static_cast<ptrdiff_t>(i) * out.columns;
    quantize_row(in + at_row, out.columns, out.values + at_row, out.scales[i], out.sums[i]);
  }
}

void normalize(const float* in, int rows, int columns, const float* gamma, const float* beta, float* out) {
  for (int i = 0; i < rows; ++i) {
    const ptrdiff_t at_row = static_cast<ptrdiff_t>(i) * columns;
    normalize_row(in + at_row, columns, gamma, beta, out + at_row);
  }
}

void normalize(const float* in, int rows, const float* gamma, const float* beta, const Rows& out) {
  alignas(64) float row[kMostColumns];
  for (int i = 0; i < rows; ++i) {
    const ptrdiff_t at_row = static_cast<ptrdiff_t>(i) * out.columns;
    normalize_row(in + at_row, out.columns, gamma, beta, row);
    quantize_row(row, out.columns, out.values + at_row, out.scales[i], out.sums[i]);
  }
}

void pack(const float* rows, int first, int count, Weights& weights) {
  const int inputs = weights.inputs;
  uint8_t* panel = weights.values + static_cast<ptrdiff_t>(first) * inputs;
  for (int n = 0; n < kPanel; ++n) {
    const float* row = rows + static_cast<ptrdiff_t>(n) * inputs;
    const float most = n < count ? largest_magnitude(row, inputs) : 0.0F;
    const __m512 factor = _mm512_set1_ps(most > 0 ? 127.0F / most : 0.0F);
    weights.scales[first + n] = most / 127.0F;
    for (int k = 0; k < inputs; k += kLanes) {
      const __m512 some =
          n < count ? _mm512_maskz_loadu_ps(first_lanes(inputs - k), row + k) : _mm512_setzero_ps();
      const __m512i rounded =
          _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(some, factor)), _mm512_set1_epi32(kShift));
      alignas(16) uint8_t bytes[kLanes];
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes), _mm512_cvtepi32_epi8(rounded));
      for (int i = 0; i < kLanes && k + i < inputs; i += 4) {
        __builtin_memcpy(panel + (k + i) * kPanel + n * 4, bytes + i, 4);
      }
    }
  }
}

void unpack(const Weights& weights, int output, float* row) {
  const int first = output / kPanel * kPanel;
  const uint8_t* panel =
      weights.values + static_cast<ptrdiff_t>(first) * weights.inputs + (output - first) * 4;
  const float scale = weights.scales[output];
  for (int k = 0; k < weights.inputs; ++k) {
    row[k] = static_cast<float>(static_cast<int>(panel[(k / 4) * 4 * kPanel + k % 4]) - kShift) * scale;
  }
}

void pack(const float* rows, int first, int count, FloatWeights& weights) {
  float* panel = weights.values + static_cast<ptrdiff_t>(first) * weights.inputs;
  for (int n = 0; n < kPanel; ++n) {
    for (int k = 0; k < weights.inputs; ++k) {
      panel[k * kPanel + n] = n < count ? rows[static_cast<ptrdiff_t>(n) * weights.inputs + k] : 0.0F;
    }
  }
}

void multiply(const Rows& in, int rows, const Weights& weights, int first, int count, float* out,
              ptrdiff_t out_stride, Then then) {
  with(then, [&]<Then kThen>() {
    for (int i = 0; i < count; i += kPanel) {
      const int some = count - i < kPanel ? count - i : kPanel;
      by_tiles(rows, Int8Tile<kThen>{in, weights, first + i, some, out + i, out_stride});
    }
  });
}

void multiply(const float* in, ptrdiff_t in_stride, int rows, const FloatWeights& weights, float* out,
              ptrdiff_t out_stride, Then then) {
  with(then, [&]<Then kThen>() {
    for (int i = 0; i < weights.outputs; i += kPanel) {
      by_tiles(rows, FloatTile<kThen>{in, in_stride, weights, i, out, out_stride});
    }
  });
}

void pack(const float* rows, ptrdiff_t stride, int count, const Keys& keys) {
  const int whole = padded(count, kPanel);
  for (int key = 0; key < whole; ++key) {
    int8_t bytes[kHeadSize] = {};
    keys.scales[key] = 0;
    int32_t sum = 0;
    if (key < count) quantize_row(rows + key * stride, kHeadSize, bytes, keys.scales[key], sum);
    uint8_t* panel =
        keys.values + static_cast<ptrdiff_t>(key / kPanel) * kPanel * kHeadSize + (key % kPanel) * 4;
    for (int k = 0; k < kHeadSize; k += 4) {
      for (int b = 0; b < 4; ++b) panel[k * kPanel + b] = static_cast<uint8_t>(bytes[k + b] + kShift);
    }
  }
}

void pack(const float* rows, ptrdiff_t stride, int count, const Values& values) {
  const int whole = padded(count, kPanel);
  for (int n = 0; n < kHeadSize; n += kLanes) {
    __m512 most = _mm512_setzero_ps();
    for (int key = 0; key < count; ++key)
      most = _mm512_max_ps(most, _mm512_abs_ps(at(rows + key * stride + n)));
    _mm512_storeu_ps(values.scales + n, _mm512_mul_ps(most, _mm512_set1_ps(1.0F / 127.0F)));
    const __mmask16 some = _mm512_cmp_ps_mask(most, _mm512_setzero_ps(), _CMP_GT_OQ);
    const __m512 factor = _mm512_maskz_div_ps(some, _mm512_set1_ps(127.0F), most);
    for (int key = 0; key < whole; key += 4) {
      __m512i four = _mm512_setzero_si512();
      for (int b = 0; b < 4; ++b) {
        if (key + b >= count) break;
        const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(at(rows + (key + b) * stride + n), factor));
        const __m512i byte = _mm512_and_si512(rounded, _mm512_set1_epi32(0xFF));
        four = _mm512_or_si512(four, _mm512_sllv_epi32(byte, _mm512_set1_epi32(8 * b)));
      }
      _mm512_storeu_si512(values.values + static_cast<ptrdiff_t>(key) * kHeadSize + n * 4, four);
    }
  }
}

void attend(const float* queries, ptrdiff_t stride, int rows, const Keys& keys, const Values& values,
            int count, const AttentionRoom& room, float* out, ptrdiff_t out_stride) {
  const int whole = padded(count, kPanel);
  alignas(64) int8_t bytes[kTileRows * kHeadSize];
  float scales[kTileRows];
  int32_t sums[kTileRows];
  for (int m = 0; m < rows; ++m) {
    quantize_row(queries + m * stride, kHeadSize, bytes + m * kHeadSize, scales[m], sums[m]);
    scales[m] *= 0.125F;  // 1 / sqrt(kHeadSize)
  }
  by_tiles(rows, ScoreTile{bytes, scales, sums, keys, whole, room.scores});
  uint8_t* high = room.weights;
  uint8_t* low = room.weights + static_cast<ptrdiff_t>(kTileRows) * whole;
  float factors[kTileRows];
  for (int m = 0; m < rows; ++m) {
    const ptrdiff_t at_row = static_cast<ptrdiff_t>(m) * whole;
    factors[m] =
        1.0F / static_cast<float>(weigh(room.scores + at_row, count, whole, high + at_row, low + at_row));
  }
  int m = 0;
  for (; m + 3 <= rows; m += 3) {
    mix<3>(high + m * static_cast<ptrdiff_t>(whole), low + m * static_cast<ptrdiff_t>(whole), whole,
           factors + m, values, whole, out + m * out_stride, out_stride);
  }
  for (; m < rows; ++m) {
    mix<1>(high + m * static_cast<ptrdiff_t>(whole), low + m * static_cast<ptrdiff_t>(whole), whole,
           factors + m, values, whole, out + m * out_stride, out_stride);
  }
}

void attend(const float* query, int heads, const float* const* keys, const float* const* values, int count,
            float* scores, float* out) {
  for (int head = 0; head < heads; ++head) {
    const ptrdiff_t offset = static_cast<ptrdiff_t>(head) * kHeadSize;
    __m512 part[4];
    for (int n = 0; n < 4; ++n) {
      part[n] = _mm512_mul_ps(at(query + offset + n * kLanes), _mm512_set1_ps(0.125F));
    }
    for (int i = 0; i < count; ++i) {
      __m512 sum = _mm512_mul_ps(part[0], at(keys[i] + offset));
      for (int n = 1; n < 4; ++n) sum = _mm512_fmadd_ps(part[n], at(keys[i] + offset + n * kLanes), sum);
      scores[i] = _mm512_reduce_add_ps(sum);
    }
    softmax(scores, count);
    __m512 mixed[4] = {};
    for (int i = 0; i < count; ++i) {
      const __m512 weight = _mm512_set1_ps(scores[i]);
      for (int n = 0; n < 4; ++n) {
        mixed[n] = _mm512_fmadd_ps(weight, at(values[i] + offset + n * kLanes), mixed[n]);
      }
    }
    for (int n = 0; n < 4; ++n) _mm512_storeu_ps(out + offset + n * kLanes, mixed[n]);
  }
}

Largest largest(const float* values, int count) {
  __m512 most = _mm512_set1_ps(-__builtin_inff());
  __m512i where = _mm512_setzero_si512();
  __m512i here = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (int i = 0; i < count; i += kLanes) {
    const __m512 some =
        _mm512_mask_loadu_ps(_mm512_set1_ps(-__builtin_inff()), first_lanes(count - i), values + i);
    const __mmask16 more = _mm512_cmp_ps_mask(some, most, _CMP_GT_OQ);
    most = _mm512_mask_mov_ps(most, more, some);
    where = _mm512_mask_mov_epi32(where, more, here);
    here = _mm512_add_epi32(here, _mm512_set1_epi32(kLanes));
  }
  const float top = _mm512_reduce_max_ps(most);
  const __mmask16 equal = _mm512_cmp_ps_mask(most, _mm512_set1_ps(top), _CMP_EQ_OQ);
  return {_mm512_mask_reduce_min_epi32(equal, where), top};
}

float log_sum_exp(const float* values, int count) {
  const float top = largest(values, count).value;
  const __m512 shift = _mm512_set1_ps(-top * kLog2E);
  __m512 sum = _mm512_setzero_ps();
  for (int i = 0; i < count; i += kLanes) {
    const __mmask16 lanes = first_lanes(count - i);
    const __m512 some = _mm512_mask_loadu_ps(_mm512_set1_ps(-__builtin_inff()), lanes, values + i);
    const __m512 power = exp2_of(_mm512_fmadd_ps(some, _mm512_set1_ps(kLog2E), shift));
    sum = _mm512_mask_add_ps(sum, lanes, sum, power);
  }
  return top + __builtin_logf(_mm512_reduce_add_ps(sum));
}

void softmax(float* values, int count) {
  const float top = largest(values, count).value;
  const __m512 shift = _mm512_set1_ps(-top * kLog2E);
  __m512 sum = _mm512_setzero_ps();
  for (int i = 0; i < count; i += kLanes) {
    const __mmask16 lanes = first_lanes(count - i);
    const __m512 power =
        exp2_of(_mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, values + i), _mm512_set1_ps(kLog2E), shift));
    sum = _mm512_mask_add_ps(sum, lanes, sum, power);
    _mm512_mask_storeu_ps(values + i, lanes, power);
  }
  const __m512 factor = _mm512_set1_ps(1.0F / _mm512_reduce_add_ps(sum));
  for (int i = 0; i < count; i += kLanes) {
    const __mmask16 lanes = first_lanes(count - i);
    _mm512_mask_storeu_ps(values + i, lanes, _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, values + i), factor));
  }
}

void widen(const uint16_t* halves, size_t count, float* out) {
  for (size_t i = 0; i < count; i += kLanes) {
    const __mmask16 lanes = first_lanes(count - i < kLanes ? static_cast<int>(count - i) : kLanes);
    const __m256i some = _mm256_maskz_loadu_epi16(lanes, halves + i);
    _mm512_mask_storeu_ps(out + i, lanes, _mm512_cvtph_ps(some));
  }
}

void narrow(const float* values, size_t count, uint16_t* out) {
  for (size_t i = 0; i < count; i += kLanes) {
    const __mmask16 lanes = first_lanes(count - i < kLanes ? static_cast<int>(count - i) : kLanes);
    const __m512 some = _mm512_maskz_loadu_ps(lanes, values + i);
    _mm256_mask_storeu_epi16(out + i, lanes,
                             _mm512_cvtps_ph(some, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
}

}  // namespace hansard::engine::kernels
