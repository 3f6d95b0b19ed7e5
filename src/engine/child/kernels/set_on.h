// The kernels, written once over what a processor's registers can do: R tells that, and is a type of the unit
// that is compiled for the processor, so that nothing made here is taken for another's. For the same reason
// nothing here may call an inline function that other units have too.
//
// Bytes are multiplied as R does it: R::kPack inputs meet as many weights in each lane of 32 bits. Either
// four signed bytes meet weights shifted by 128 (vpdpbusd multiplies unsigned by signed bytes), and a row's
// sum times 128 is taken off again; or two meet two in 16 bits each, which is exact without a shift.
#pragma once

#include "engine/child/kernels/kernels.h"

namespace hansard::engine::kernels {

template <typename R>
class SetOn final : public Set {
  using Floats = typename R::Floats;
  using Ints = typename R::Ints;
  using Mask = typename R::Mask;

  static constexpr int kLanes = R::kLanes;
  static constexpr int kPack = R::kPack;
  static constexpr bool kBytes = kPack == 4;  // inputs are bytes
  static constexpr int kShift = kBytes ? 128 : 0;
  static constexpr int kInput = 4 / kPack;           // bytes of an input
  static constexpr int kAtOnce = 2;                  // registers of outputs that are summed at once
  static constexpr int kOutputs = kAtOnce * kLanes;  // their outputs
  static constexpr int kRegister = kLanes * kPack;   // bytes of weights for a register
  static constexpr float kEpsilon = 1e-5F;           // of layer normalisation
  static constexpr float kLog2E = 1.44269504F;
  // Of the largest weight of attention: 15 bits in two bytes, or as many as kMostKeys of them times 127 leave
  // in 32 bits.
  static constexpr float kWeightSteps = kBytes ? 32767.0F : 8191.0F;
  static_assert(kPanel % kOutputs == 0 && kHeadSize % kOutputs == 0 && kTileRows >= R::kTileRows);

  // ---- numbers

  static Floats all(float value) { return R::all(value); }

  // 2^x for x <= 0, to about 2e-6 of its value; 0 for what is too small.
  static Floats exp2_of(Floats x) {
    x = R::max(x, all(-126.0F));
    const Floats whole = R::nearest(x);
    const Floats part = R::sub(x, whole);
    Floats y = all(1.3333558e-3F);
    y = R::fmadd(y, part, all(9.6181291e-3F));
    y = R::fmadd(y, part, all(5.5504109e-2F));
    y = R::fmadd(y, part, all(2.4022651e-1F));
    y = R::fmadd(y, part, all(6.9314718e-1F));
    y = R::fmadd(y, part, all(1.0F));
    return R::times_power_of_2(y, R::to_ints(whole));
  }

  // x (1 + erf(x / sqrt 2)) / 2 with erf after Abramowitz and Stegun, 7.1.26.
  static Floats gelu_of(Floats x) {
    const Floats one = all(1.0F);
    const Floats z = R::mul(R::abs(x), all(0.70710678F));
    const Floats t = R::reciprocal(R::fmadd(z, all(0.3275911F), one));
    Floats y = all(1.061405429F);
    y = R::fmadd(y, t, all(-1.453152027F));
    y = R::fmadd(y, t, all(1.421413741F));
    y = R::fmadd(y, t, all(-0.284496736F));
    y = R::fmadd(y, t, all(0.254829592F));
    y = R::mul(y, t);
    const Floats bell = exp2_of(R::mul(R::mul(z, z), all(-kLog2E)));
    const Floats half_tail = R::mul(R::mul(y, bell), all(0.5F));  // (1 - erf z) / 2
    // For x >= 0: x (1 - tail); below: x * tail.
    return R::mul(x, R::select(R::less(x, R::zero()), half_tail, R::sub(one, half_tail)));
  }

  // 1 / (1 + e^-x).
  static Floats sigmoid_of(Floats x) {
    const Floats power = exp2_of(R::mul(R::abs(x), all(-kLog2E)));
    const Floats one = all(1.0F);
    return R::div(R::select(R::less(x, R::zero()), power, one), R::add(one, power));
  }

  static Floats tanh_of(Floats x) {
    const Floats power = exp2_of(R::mul(R::abs(x), all(-2 * kLog2E)));
    const Floats one = all(1.0F);
    const Floats size = R::div(R::sub(one, power), R::add(one, power));
    return R::select(R::less(x, R::zero()), R::sub(R::zero(), size), size);
  }

  static float largest_magnitude(const float* values, int count) {
    Floats most = R::zero();
    int i = 0;
    for (; i + kLanes <= count; i += kLanes) most = R::max(most, R::abs(R::load(values + i)));
    if (i < count) most = R::max(most, R::abs(R::load(values + i, R::first(count - i))));
    return R::largest(most);
  }

  static void quantize_row(const float* in, int columns, uint8_t* values, float& scale, int32_t& sum) {
    const float most = largest_magnitude(in, columns);
    scale = most / 127.0F;
    const Floats factor = all(most > 0 ? 127.0F / most : 0.0F);
    Ints sums = R::no_ints();
    for (int i = 0; i < columns; i += kLanes) {
      const Ints rounded = R::to_ints(R::mul(R::load(in + i), factor));
      sums = R::add(sums, rounded);
      R::store_inputs(values + i * kInput, rounded);
    }
    sum = R::sum(sums);
  }

  // A row of weights into its place in a panel, as bytes that are signed or shifted to be unsigned; zeros
  // where there is none. Returns its scale.
  static float pack_row(const float* row, int count, uint8_t* place) {
    const float most = row != nullptr ? largest_magnitude(row, count) : 0.0F;
    const Floats factor = all(most > 0 ? 127.0F / most : 0.0F);
    for (int k = 0; k < count; k += kLanes) {
      const Floats some = row != nullptr ? R::load(row + k, R::first(count - k)) : R::zero();
      alignas(16) uint8_t bytes[kLanes];
      R::store_bytes(bytes, R::add(R::to_ints(R::mul(some, factor)), R::all_ints(kShift)));
      for (int i = 0; i < kLanes && k + i < count; i += kPack) {
        __builtin_memcpy(place + (k + i) * kPanel, bytes + i, kPack);
      }
    }
    return most / 127.0F;
  }

  static void normalize_row(const float* in, int columns, const float* gamma, const float* beta, float* out) {
    Floats sum = R::zero();
    for (int i = 0; i < columns; i += kLanes) sum = R::add(sum, R::load(in + i));
    const Floats middle = all(R::sum(sum) / static_cast<float>(columns));
    Floats squares = R::zero();
    for (int i = 0; i < columns; i += kLanes) {
      const Floats off = R::sub(R::load(in + i), middle);
      squares = R::fmadd(off, off, squares);
    }
    const float variance = R::sum(squares) / static_cast<float>(columns);
    const Floats factor = all(1.0F / __builtin_sqrtf(variance + kEpsilon));
    for (int i = 0; i < columns; i += kLanes) {
      const Floats unit = R::mul(R::sub(R::load(in + i), middle), factor);
      R::store(out + i, R::fmadd(unit, R::load(gamma + i), R::load(beta + i)));
    }
  }

  // ---- tiles

  // Calls tile.run<n>(row) for the last rows of a matrix, kMost at most.
  template <int kMost, typename Tile>
  static void last_tile(int rows, int row, const Tile& tile) {
    if constexpr (kMost > 0) {
      if (rows == kMost) return tile.template run<kMost>(row);
      last_tile<kMost - 1>(rows, row, tile);
    }
  }

  // Calls tile.run<n>(row) over `rows` in tiles of kMost, and one of what is left.
  template <int kMost, typename Tile>
  static void by_tiles(int rows, const Tile& tile) {
    int row = 0;
    for (; rows - row >= kMost; row += kMost) tile.template run<kMost>(row);
    last_tile<kMost - 1>(rows - row, row, tile);
  }

  // Calls `call` with what `then` says as a template's argument.
  template <typename Call>
  static void with(Then then, const Call& call) {
    switch (then) {
      case Then::store:
        return call.template operator()<Then::store>();
      case Then::add:
        return call.template operator()<Then::add>();
      case Then::gelu:
        return call.template operator()<Then::gelu>();
    }
  }

  // The first `count` lanes of what is put out.
  template <Then then>
  static void put(float* out, Floats value, int count) {
    const bool all_lanes = count >= kLanes;
    const Mask lanes = R::first(count);
    if constexpr (then == Then::add) value = R::add(value, all_lanes ? R::load(out) : R::load(out, lanes));
    if constexpr (then == Then::gelu) value = gelu_of(value);
    if (all_lanes) {
      R::store(out, value);
    } else {
      R::store(out, value, lanes);
    }
  }

  // What meets one lane of weights, in every lane.
  static Ints all_groups(const uint8_t* from) {
    int group;
    __builtin_memcpy(&group, from, sizeof group);
    return R::all_ints(group);
  }

  // Products of kRows rows, `stride` bytes apart, with kOutputs outputs of a panel, whose groups of kPack
  // inputs are `step` bytes apart.
  template <int kRows>
  static void dot(const uint8_t* rows, ptrdiff_t stride, const uint8_t* panel, ptrdiff_t step, int groups,
                  Ints (&sums)[kRows][kAtOnce]) {
    for (int m = 0; m < kRows; ++m) sums[m][0] = sums[m][1] = R::no_ints();
    for (int k = 0; k < groups; ++k) {
      const Ints left = R::load_weights(panel);
      const Ints right = R::load_weights(panel + kRegister);
      panel += step;
#pragma unroll
      for (int m = 0; m < kRows; ++m) {
        const Ints group = all_groups(rows + m * stride + 4 * k);
        sums[m][0] = R::dot(sums[m][0], left, group);
        sums[m][1] = R::dot(sums[m][1], right, group);
      }
    }
  }

  static Floats without_shift(Ints sum, int32_t of_row) {
    if constexpr (kShift == 0) return R::to_floats(sum);
    return R::to_floats(R::sub(sum, R::all_ints(kShift * of_row)));
  }

  template <Then then>
  struct ByteTile {
    const Rows& in;
    const Weights& weights;
    int output;
    int count;
    float* out;
    ptrdiff_t stride;
    template <int kRows>
    void run(int row) const {
      const uint8_t* rows = in.values + static_cast<ptrdiff_t>(row) * in.columns * kInput;
      const uint8_t* panel = weights.values + static_cast<ptrdiff_t>(output) * weights.inputs;
      for (int n = 0; n < kPanel && n < count; n += kOutputs) {
        Ints sums[kRows][kAtOnce];
        dot<kRows>(rows, in.columns * kInput, panel + n * kPack, kPanel * kPack, weights.inputs / kPack,
                   sums);
        for (int part = 0; part < kAtOnce; ++part) {
          const int to = n + part * kLanes;
          if (to >= count) return;
          const Floats scales = R::load(weights.scales + output + to);
          const Floats bias = R::load(weights.bias + output + to);
          for (int m = 0; m < kRows; ++m) {
            const Floats scale = R::mul(scales, all(in.scales[row + m]));
            put<then>(out + (row + m) * stride + to,
                      R::fmadd(without_shift(sums[m][part], in.sums[row + m]), scale, bias), count - to);
          }
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
      for (int n = output; n < output + kPanel && n < weights.outputs; n += kOutputs) {
        const float* panel = weights.values + static_cast<ptrdiff_t>(output) * weights.inputs + (n - output);
        Floats sums[kRows][kAtOnce];
        for (int m = 0; m < kRows; ++m) {
          for (int part = 0; part < kAtOnce; ++part)
            sums[m][part] = R::load(weights.bias + n + part * kLanes);
        }
        for (int k = 0; k < weights.inputs; ++k) {
          const Floats left = R::load(panel);
          const Floats right = R::load(panel + kLanes);
          panel += kPanel;
#pragma unroll
          for (int m = 0; m < kRows; ++m) {
            const Floats one = all(rows[m * in_stride + k]);
            sums[m][0] = R::fmadd(left, one, sums[m][0]);
            sums[m][1] = R::fmadd(right, one, sums[m][1]);
          }
        }
        for (int part = 0; part < kAtOnce; ++part) {
          const int to = n + part * kLanes;
          for (int m = 0; m < kRows && to < weights.outputs; ++m) {
            put<then>(out + (row + m) * stride + to, sums[m][part], weights.outputs - to);
          }
        }
      }
    }
  };

  // ---- attention

  // Scores of some queries with all keys.
  struct ScoreTile {
    const uint8_t* queries;  // [rows][kHeadSize]
    const float* query_scales;
    const int32_t* query_sums;
    const Keys& keys;
    int whole;
    float* scores;
    template <int kRows>
    void run(int row) const {
      for (int key = 0; key < whole; key += kOutputs) {
        Ints sums[kRows][kAtOnce];
        const int in_panel = key % kPanel;
        dot<kRows>(queries + row * kHeadSize * kInput, kHeadSize * kInput,
                   keys.values + static_cast<ptrdiff_t>(key - in_panel) * kHeadSize + in_panel * kPack,
                   kPanel * kPack, kHeadSize / kPack, sums);
        for (int part = 0; part < kAtOnce; ++part) {
          const Floats scales = R::load(keys.scales + key + part * kLanes);
          for (int m = 0; m < kRows; ++m) {
            R::store(scores + static_cast<ptrdiff_t>(row + m) * whole + key + part * kLanes,
                     R::mul(without_shift(sums[m][part], query_sums[row + m]),
                            R::mul(all(query_scales[row + m]), scales)));
          }
        }
      }
    }
  };

  // Where the weights of a row of attention stand: in one row of 16 bits, or their high bytes in one row and
  // their low bytes in another.
  struct WeightRows {
    uint8_t* values;
    int whole;
    uint8_t* row(int m) const { return values + static_cast<ptrdiff_t>(m) * whole * kInput; }
    uint8_t* low_row(int m) const { return row(kTileRows + m); }
  };

  // Softmax without its division: each weight in steps of the largest. Returns their sum.
  static float weigh(const float* scores, int count, const WeightRows& weights, int m) {
    Floats most = all(-3e38F);
    int i = 0;
    for (; i + kLanes <= count; i += kLanes) most = R::max(most, R::load(scores + i));
    if (i < count) most = R::select(R::first(count - i), R::max(most, R::load(scores + i)), most);
    const Floats shift = all(-R::largest(most) * kLog2E);
    const Floats steps = all(kWeightSteps);
    Ints sum = R::no_ints();
    for (i = 0; i < weights.whole; i += kLanes) {
      const Floats power = exp2_of(R::fmadd(R::load(scores + i), all(kLog2E), shift));
      Ints weight = R::to_ints(R::mul(power, steps));
      if (i + kLanes > count) weight = R::keep(R::first(count - i), weight);
      sum = R::add(sum, weight);
      if constexpr (kBytes) {
        R::store_bytes(weights.row(m) + i, R::template right<8>(weight));
        R::store_bytes(weights.low_row(m) + i, weight);
      } else {
        R::store_inputs(weights.row(m) + i * kInput, weight);
      }
    }
    return static_cast<float>(R::sum(sum));
  }

  // Sums of the values by the weights of some rows.
  struct MixTile {
    static constexpr int kRegisters = kBytes ? R::kMixRegisters : kAtOnce;
    static constexpr int kMost = kBytes ? 3 : R::kTileRows;
    const WeightRows& weights;
    const float* factors;
    const Values& values;
    float* out;
    ptrdiff_t stride;

    template <int kRows>
    void run(int row) const {
      for (int n = 0; n < kHeadSize; n += kRegisters * kLanes) {
        if constexpr (kBytes) {
          by_bytes<kRows>(row, n);
        } else {
          Ints sums[kRows][kAtOnce];
          dot<kRows>(weights.row(row), static_cast<ptrdiff_t>(weights.whole) * kInput,
                     values.values + n * kPack, kHeadSize * kPack, weights.whole / kPack, sums);
          for (int m = 0; m < kRows; ++m) {
            for (int part = 0; part < kAtOnce; ++part) {
              write(row + m, n + part * kLanes, R::to_floats(sums[m][part]));
            }
          }
        }
      }
    }

    template <int kRows>
    void by_bytes(int row, int n) const {
      Ints highs[kRows][kRegisters];
      Ints lows[kRows][kRegisters];
      for (int m = 0; m < kRows; ++m) {
        for (int part = 0; part < kRegisters; ++part) highs[m][part] = lows[m][part] = R::no_ints();
      }
      const uint8_t* high = weights.row(row);
      const uint8_t* low = weights.low_row(row);
      const uint8_t* from = values.values + n * kPack;
      for (int k = 0; k < weights.whole; k += kPack) {
        Ints some[kRegisters];
        for (int part = 0; part < kRegisters; ++part) some[part] = R::load_weights(from + part * kRegister);
        from += kHeadSize * kPack;
#pragma unroll
        for (int m = 0; m < kRows; ++m) {
          const Ints large = all_groups(high + m * weights.whole + k);
          const Ints small = all_groups(low + m * weights.whole + k);
#pragma unroll
          for (int part = 0; part < kRegisters; ++part) {
            highs[m][part] = R::dot(highs[m][part], large, some[part]);
            lows[m][part] = R::dot(lows[m][part], small, some[part]);
          }
        }
      }
      for (int m = 0; m < kRows; ++m) {
        for (int part = 0; part < kRegisters; ++part) {
          write(row + m, n + part * kLanes,
                R::fmadd(R::to_floats(highs[m][part]), all(256.0F), R::to_floats(lows[m][part])));
        }
      }
    }

    void write(int m, int n, Floats sum) const {
      R::store(out + m * stride + n, R::mul(sum, R::mul(all(factors[m]), R::load(values.scales + n))));
    }
  };

  static void store_group(uint8_t* to, Ints group) {
    if constexpr (kBytes) {
      R::store_ints(to, group);
    } else {
      R::store_pairs(to, group);
    }
  }

 public:
  const char* instructions() const override { return R::kName; }

  // ---- matrices

  void pack(const float* rows, int first, int count, Weights& weights) const override {
    const int inputs = weights.inputs;
    uint8_t* panel = weights.values + static_cast<ptrdiff_t>(first) * inputs;
    for (int n = 0; n < kPanel; ++n) {
      const float* row = n < count ? rows + static_cast<ptrdiff_t>(n) * inputs : nullptr;
      weights.scales[first + n] = pack_row(row, inputs, panel + n * kPack);
    }
  }

  void unpack(const Weights& weights, int output, float* row) const override {
    const int first = output / kPanel * kPanel;
    const uint8_t* panel =
        weights.values + static_cast<ptrdiff_t>(first) * weights.inputs + (output - first) * kPack;
    const float scale = weights.scales[output];
    for (int k = 0; k < weights.inputs; ++k) {
      const uint8_t byte = panel[(k / kPack) * kPack * kPanel + k % kPack];
      const int value = kShift > 0 ? byte - kShift : static_cast<int8_t>(byte);
      row[k] = static_cast<float>(value) * scale;
    }
  }

  void pack(const float* rows, int first, int count, FloatWeights& weights) const override {
    float* panel = weights.values + static_cast<ptrdiff_t>(first) * weights.inputs;
    for (int n = 0; n < kPanel; ++n) {
      for (int k = 0; k < weights.inputs; ++k) {
        panel[k * kPanel + n] = n < count ? rows[static_cast<ptrdiff_t>(n) * weights.inputs + k] : 0.0F;
      }
    }
  }

  void quantize(const float* in, int rows, const Rows& out) const override {
    for (int i = 0; i < rows; ++i) {
      const ptrdiff_t at_row = static_cast<ptrdiff_t>(i) * out.columns;
      quantize_row(in + at_row, out.columns, out.values + at_row * kInput, out.scales[i], out.sums[i]);
    }
  }

  void normalize(const float* in, int rows, const float* gamma, const float* beta,
                 const Rows& out) const override {
    alignas(64) float row[kMostColumns];
    for (int i = 0; i < rows; ++i) {
      const ptrdiff_t at_row = static_cast<ptrdiff_t>(i) * out.columns;
      normalize_row(in + at_row, out.columns, gamma, beta, row);
      quantize_row(row, out.columns, out.values + at_row * kInput, out.scales[i], out.sums[i]);
    }
  }

  void multiply(const Rows& in, int rows, const Weights& weights, int first, int count, float* out,
                ptrdiff_t out_stride, Then then) const override {
    with(then, [&]<Then kThen>() {
      for (int i = 0; i < count; i += kPanel) {
        const int some = count - i < kPanel ? count - i : kPanel;
        by_tiles<R::kTileRows>(rows, ByteTile<kThen>{in, weights, first + i, some, out + i, out_stride});
      }
    });
  }

  void multiply(const float* in, ptrdiff_t in_stride, int rows, const FloatWeights& weights, float* out,
                ptrdiff_t out_stride, Then then) const override {
    with(then, [&]<Then kThen>() {
      for (int i = 0; i < weights.outputs; i += kPanel) {
        by_tiles<R::kTileRows>(rows, FloatTile<kThen>{in, in_stride, weights, i, out, out_stride});
      }
    });
  }

  // ---- attention

  void pack(const float* rows, ptrdiff_t stride, int count, const Keys& keys) const override {
    const int whole = padded(count, kPanel);
    for (int key = 0; key < whole; ++key) {
      uint8_t* panel = keys.values + static_cast<ptrdiff_t>(key / kPanel) * kPanel * kHeadSize;
      const float* row = key < count ? rows + key * stride : nullptr;
      keys.scales[key] = pack_row(row, kHeadSize, panel + (key % kPanel) * kPack);
    }
  }

  void pack(const float* rows, ptrdiff_t stride, int count, const Values& values) const override {
    const int whole = padded(count, kPanel);
    for (int n = 0; n < kHeadSize; n += kLanes) {
      Floats most = R::zero();
      for (int key = 0; key < count; ++key) most = R::max(most, R::abs(R::load(rows + key * stride + n)));
      R::store(values.scales + n, R::mul(most, all(1.0F / 127.0F)));
      const Floats factor =
          R::select(R::less(R::zero(), most), R::div(all(127.0F), R::max(most, all(1e-30F))), R::zero());
      for (int key = 0; key < whole; key += kPack) {
        Ints group = R::no_ints();
        for (int b = 0; b < kPack && key + b < count; ++b) {
          const Ints rounded = R::to_ints(R::mul(R::load(rows + (key + b) * stride + n), factor));
          group = R::merge(group, R::left(R::keep_byte(rounded), 8 * b));
        }
        store_group(values.values + static_cast<ptrdiff_t>(key) * kHeadSize + n * kPack, group);
      }
    }
  }

  void attend(const float* queries, ptrdiff_t stride, int rows, const Keys& keys, const Values& values,
              int count, const AttentionRoom& room, float* out, ptrdiff_t out_stride) const override {
    const int whole = padded(count, kPanel);
    alignas(64) uint8_t inputs[kTileRows * kHeadSize * kInput];
    float scales[kTileRows];
    int32_t sums[kTileRows];
    for (int m = 0; m < rows; ++m) {
      quantize_row(queries + m * stride, kHeadSize, inputs + m * kHeadSize * kInput, scales[m], sums[m]);
      scales[m] *= 0.125F;  // 1 / sqrt(kHeadSize)
    }
    by_tiles<R::kTileRows>(rows, ScoreTile{inputs, scales, sums, keys, whole, room.scores});
    const WeightRows weights{room.weights, whole};
    float factors[kTileRows];
    for (int m = 0; m < rows; ++m) {
      factors[m] = 1.0F / weigh(room.scores + static_cast<ptrdiff_t>(m) * whole, count, weights, m);
    }
    by_tiles<MixTile::kMost>(rows, MixTile{weights, factors, values, out, out_stride});
  }

  void attend(const float* query, int heads, const float* const* keys, const float* const* values, int count,
              float* scores, float* out) const override {
    constexpr int kParts = kHeadSize / kLanes;
    for (int head = 0; head < heads; ++head) {
      const ptrdiff_t offset = static_cast<ptrdiff_t>(head) * kHeadSize;
      Floats part[kParts];
      for (int n = 0; n < kParts; ++n) part[n] = R::mul(R::load(query + offset + n * kLanes), all(0.125F));
      for (int i = 0; i < count; ++i) {
        Floats sum = R::mul(part[0], R::load(keys[i] + offset));
        for (int n = 1; n < kParts; ++n) sum = R::fmadd(part[n], R::load(keys[i] + offset + n * kLanes), sum);
        scores[i] = R::sum(sum);
      }
      softmax(scores, count);
      Floats mixed[kParts];
      for (Floats& sum : mixed) sum = R::zero();
      for (int i = 0; i < count; ++i) {
        const Floats weight = all(scores[i]);
        for (int n = 0; n < kParts; ++n) {
          mixed[n] = R::fmadd(weight, R::load(values[i] + offset + n * kLanes), mixed[n]);
        }
      }
      for (int n = 0; n < kParts; ++n) R::store(out + offset + n * kLanes, mixed[n]);
    }
  }

  // ---- vectors

  Largest largest(const float* values, int count) const override {
    const Floats least = all(-__builtin_inff());
    Floats most = least;
    Ints where = R::no_ints();
    Ints here = R::counting();
    for (int i = 0; i < count; i += kLanes) {
      const Floats some = i + kLanes <= count ? R::load(values + i)
                                              : R::select(R::first(count - i),
                                                          R::load(values + i, R::first(count - i)), least);
      const Mask more = R::less(most, some);
      most = R::select(more, some, most);
      where = R::select(more, here, where);
      here = R::add(here, R::all_ints(kLanes));
    }
    alignas(64) float tops[kLanes];
    alignas(64) int32_t places[kLanes];
    R::store(tops, most);
    R::store_ints(places, where);
    Largest best{places[0], tops[0]};
    for (int i = 1; i < kLanes; ++i) {
      if (tops[i] > best.value || (tops[i] == best.value && places[i] < best.index))
        best = {places[i], tops[i]};
    }
    return best;
  }

  float log_sum_exp(const float* values, int count) const override {
    const float top = largest(values, count).value;
    const Floats shift = all(-top * kLog2E);
    Floats sum = R::zero();
    for (int i = 0; i < count; i += kLanes) {
      const Mask lanes = R::first(count - i);
      const Floats power = exp2_of(R::fmadd(R::load(values + i, lanes), all(kLog2E), shift));
      sum = R::add(sum, R::select(lanes, power, R::zero()));
    }
    return top + __builtin_logf(R::sum(sum));
  }

  void softmax(float* values, int count) const override {
    const Floats shift = all(-largest(values, count).value * kLog2E);
    Floats sum = R::zero();
    for (int i = 0; i < count; i += kLanes) {
      const Mask lanes = R::first(count - i);
      const Floats power = exp2_of(R::fmadd(R::load(values + i, lanes), all(kLog2E), shift));
      sum = R::add(sum, R::select(lanes, power, R::zero()));
      R::store(values + i, power, lanes);
    }
    const Floats factor = all(1.0F / R::sum(sum));
    for (int i = 0; i < count; i += kLanes) {
      const Mask lanes = R::first(count - i);
      R::store(values + i, R::mul(R::load(values + i, lanes), factor), lanes);
    }
  }

  void lstm_step(const float* gates, int units, float* cells, float* hidden) const override {
    for (int i = 0; i < units; i += kLanes) {
      const Floats input = sigmoid_of(R::load(gates + i));
      const Floats output = sigmoid_of(R::load(gates + units + i));
      const Floats forget = sigmoid_of(R::load(gates + 2 * units + i));
      const Floats candidate = tanh_of(R::load(gates + 3 * units + i));
      const Floats cell = R::fmadd(forget, R::load(cells + i), R::mul(input, candidate));
      R::store(cells + i, cell);
      R::store(hidden + i, R::mul(output, tanh_of(cell)));
    }
  }

  void widen(const uint16_t* halves, size_t count, float* out) const override {
    size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) R::store(out + i, R::load_halves(halves + i));
    if (i == count) return;
    uint16_t last[kLanes] = {};
    __builtin_memcpy(last, halves + i, (count - i) * sizeof *halves);
    R::store(out + i, R::load_halves(last), R::first(static_cast<int>(count - i)));
  }

  void narrow(const float* values, size_t count, uint16_t* out) const override {
    size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) R::store_halves(out + i, R::load(values + i));
    if (i == count) return;
    uint16_t last[kLanes];
    R::store_halves(last, R::load(values + i, R::first(static_cast<int>(count - i))));
    __builtin_memcpy(out + i, last, (count - i) * sizeof *out);
  }
};

}  // namespace hansard::engine::kernels
