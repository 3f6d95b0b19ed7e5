// Each kernel against the same in plain float.
#include "engine/child/kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "engine/child/kernels/buffer.h"
#include "engine/child/kernels/matrices.h"

namespace hansard::engine::kernels {

const Set& avx_vnni_in_avx512();  // of avx_vnni_for_tests.cc

namespace {

using Matrix = std::vector<float>;  // row-major

class Kernels : public testing::TestWithParam<const Set*> {
 protected:
  const Set& cpu_ = *GetParam();

  Matrix random(int rows, int columns, float scale = 1) {
    std::normal_distribution<float> values(0, scale);
    Matrix matrix(static_cast<size_t>(rows * columns));
    for (float& value : matrix) value = values(engine_);
    return matrix;
  }

  std::mt19937 engine_{7};
};

// a [rows][inner] times b [columns][inner], transposed.
Matrix product(const Matrix& a, const Matrix& b, int rows, int columns, int inner) {
  Matrix out(static_cast<size_t>(rows * columns));
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      double sum = 0;
      for (int k = 0; k < inner; ++k) {
        sum += static_cast<double>(a[static_cast<size_t>(i * inner + k)]) *
               static_cast<double>(b[static_cast<size_t>(j * inner + k)]);
      }
      out[static_cast<size_t>(i * columns + j)] = static_cast<float>(sum);
    }
  }
  return out;
}

// The root of the mean square of the difference, by that of what is expected.
double relative_error(const Matrix& found, const Matrix& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double error = 0;
  double size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(static_cast<double>(found[i] - expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(error / size);
}

struct Quantized : RowsRoom {
  Quantized(int count, int columns) : rows(RowsRoom::rows(count, columns)) {}
  Rows rows;
};

double gelu(double x) {
  return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
}

TEST_P(Kernels, ProductsOfEachCountOfRowsAreRight) {
  constexpr int kInputs = 192;
  constexpr int kOutputs = 75;
  const Matrix weights = random(kOutputs, kInputs);
  const Matrix bias = random(1, kOutputs, 10);
  const auto matrix = packed<ByteMatrix>(cpu_, weights, bias, kOutputs, kInputs);
  for (int rows = 1; rows <= 2 * kTileRows + 1; ++rows) {
    const Matrix in = random(rows, kInputs, 3);
    const Quantized quantized(rows, kInputs);
    cpu_.quantize(in.data(), rows, quantized.rows);
    Matrix expected = product(in, weights, rows, kOutputs, kInputs);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += bias[i % kOutputs];
    Matrix found(expected.size(), 1.0F);
    cpu_.multiply(quantized.rows, rows, matrix.weights, 0, kOutputs, found.data(), kOutputs, Then::store);
    EXPECT_LT(relative_error(found, expected), 0.02) << rows;
    const Matrix once = found;
    cpu_.multiply(quantized.rows, rows, matrix.weights, 0, kOutputs, found.data(), kOutputs, Then::add);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_FLOAT_EQ(found[i], 2 * once[i]);
    cpu_.multiply(quantized.rows, rows, matrix.weights, 0, kOutputs, found.data(), kOutputs, Then::gelu);
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], gelu(static_cast<double>(once[i])),
                  1e-4 * (1 + std::abs(static_cast<double>(once[i]))));
    }
  }
}

TEST_P(Kernels, ARowComesOutTheSameWhateverIsBesideIt) {
  constexpr int kInputs = 128;
  constexpr int kOutputs = 64;
  const auto matrix = packed<ByteMatrix>(cpu_, random(kOutputs, kInputs), {}, kOutputs, kInputs);
  const Matrix in = random(13, kInputs);
  const Quantized all(13, kInputs);
  cpu_.quantize(in.data(), 13, all.rows);
  Matrix together(13 * kOutputs);
  cpu_.multiply(all.rows, 13, matrix.weights, 0, kOutputs, together.data(), kOutputs, Then::store);
  for (int row = 0; row < 13; ++row) {
    const Quantized one(1, kInputs);
    cpu_.quantize(in.data() + row * kInputs, 1, one.rows);
    Matrix alone(kOutputs);
    cpu_.multiply(one.rows, 1, matrix.weights, 0, kOutputs, alone.data(), kOutputs, Then::store);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + row * kOutputs)) << row;
  }
}

TEST_P(Kernels, WeightsComeBackAsTheyWereButForTheirSteps) {
  const Matrix weights = random(40, 64);
  const auto matrix = packed<ByteMatrix>(cpu_, weights, {}, 40, 64);
  Matrix back(64);
  for (int output : {0, 31, 32, 39}) {
    cpu_.unpack(matrix.weights, output, back.data());
    for (size_t i = 0; i < back.size(); ++i) {
      EXPECT_NEAR(back[i], weights[static_cast<size_t>(output) * 64 + i],
                  matrix.scales[static_cast<size_t>(output)]);
    }
  }
}

TEST_P(Kernels, ConvolutionsReadRowsThatOverlap) {
  constexpr int kInputs = 48;
  constexpr int kOutputs = 50;
  constexpr int kStride = 16;
  constexpr int kRows = 29;
  const Matrix sound = random(1, kStride * kRows + kInputs);
  const Matrix weights = random(kOutputs, kInputs);
  const Matrix bias(kOutputs, 0.5F);
  const auto matrix = packed<FloatMatrix>(cpu_, weights, bias, kOutputs, kInputs);
  Matrix rows;
  for (int i = 0; i < kRows; ++i)
    rows.insert(rows.end(), sound.begin() + i * kStride, sound.begin() + i * kStride + kInputs);
  Matrix expected = product(rows, weights, kRows, kOutputs, kInputs);
  for (float& value : expected) value += 0.5F;
  Matrix found(expected.size());
  cpu_.multiply(sound.data(), kStride, kRows, matrix.weights, found.data(), kOutputs, Then::store);
  EXPECT_LT(relative_error(found, expected), 1e-5);
}

TEST_P(Kernels, RowsAreNormalised) {
  constexpr int kColumns = 96;
  const Matrix in = random(3, kColumns, 5);
  const Matrix gamma = random(1, kColumns);
  const Matrix beta = random(1, kColumns);
  const Quantized quantized(3, kColumns);
  cpu_.normalize(in.data(), 3, gamma.data(), beta.data(), quantized.rows);
  // Read through weights that change nothing.
  Matrix one(kColumns * kColumns);
  for (size_t i = 0; i < kColumns; ++i) one[i * kColumns + i] = 1;
  const auto unchanged = packed<ByteMatrix>(cpu_, one, {}, kColumns, kColumns);
  Matrix found(in.size());
  cpu_.multiply(quantized.rows, 3, unchanged.weights, 0, kColumns, found.data(), kColumns, Then::store);
  for (size_t row = 0; row < 3; ++row) {
    double mean = 0;
    double square = 0;
    for (size_t i = 0; i < kColumns; ++i) mean += static_cast<double>(in[row * kColumns + i]) / kColumns;
    for (size_t i = 0; i < kColumns; ++i)
      square += std::pow(static_cast<double>(in[row * kColumns + i]) - mean, 2) / kColumns;
    for (size_t i = 0; i < kColumns; ++i) {
      const double unit = (static_cast<double>(in[row * kColumns + i]) - mean) / std::sqrt(square + 1e-5);
      EXPECT_NEAR(found[row * kColumns + i],
                  unit * static_cast<double>(gamma[i]) + static_cast<double>(beta[i]), quantized.scales[row]);
    }
  }
}

// Attention with some keys far ahead of the others, and with all alike: where weights are spread thin.
TEST_P(Kernels, AttentionIsThatOfFloat) {
  for (const float sharpness : {0.01F, 1.0F, 3.0F}) {
    for (const int count : {1, 5, 32, 250, 1500}) {
      const int rows = count % 11 + 1;
      const Matrix queries = random(rows, kHeadSize, sharpness);
      const Matrix keys = random(count, kHeadSize);
      Matrix values = random(count, kHeadSize);
      for (float& value : values) value += 1;
      const size_t whole = static_cast<size_t>(padded(count, kPanel));
      const Buffer<uint8_t> key_bytes(head_bytes(count));
      const Buffer<uint8_t> value_bytes(head_bytes(count));
      const Buffer<float> key_scales(whole), value_scales(kHeadSize), scores(whole * kTileRows);
      const Buffer<uint8_t> weights(2 * whole * kTileRows);
      const Keys packed_keys{key_bytes.data(), key_scales.data()};
      const Values packed_values{value_bytes.data(), value_scales.data()};
      cpu_.pack(keys.data(), kHeadSize, count, packed_keys);
      cpu_.pack(values.data(), kHeadSize, count, packed_values);
      Matrix found(queries.size());
      cpu_.attend(queries.data(), kHeadSize, rows, packed_keys, packed_values, count,
                  {scores.data(), weights.data()}, found.data(), kHeadSize);
      Matrix weight = product(queries, keys, rows, count, kHeadSize);
      for (int row = 0; row < rows; ++row) {
        float* of_row = weight.data() + row * count;
        for (int i = 0; i < count; ++i) {
          of_row[i] /= 8;
          EXPECT_NEAR(scores[static_cast<size_t>(row) * whole + static_cast<size_t>(i)], of_row[i],
                      0.05 * (1 + sharpness));
        }
        cpu_.softmax(of_row, count);
      }
      Matrix transposed(values.size());
      for (int i = 0; i < count; ++i) {
        for (int k = 0; k < kHeadSize; ++k) {
          transposed[static_cast<size_t>(k * count + i)] = values[static_cast<size_t>(i * kHeadSize + k)];
        }
      }
      EXPECT_LT(relative_error(found, product(weight, transposed, rows, kHeadSize, count)), 0.02)
          << count << " keys, " << sharpness;
      // In float, from where each key lies.
      std::vector<const float*> key_rows, value_rows;
      for (int i = 0; i < count; ++i) {
        key_rows.push_back(keys.data() + i * kHeadSize);
        value_rows.push_back(values.data() + i * kHeadSize);
      }
      Matrix exact(kHeadSize);
      cpu_.attend(queries.data(), 1, key_rows.data(), value_rows.data(), count, scores.data(), exact.data());
      EXPECT_LT(relative_error(exact, product(Matrix(weight.begin(), weight.begin() + count), transposed, 1,
                                              kHeadSize, count)),
                1e-4);
    }
  }
}

TEST_P(Kernels, VectorsAreSummedAndSearchedToTheirLastNumber) {
  for (const int count : {1, 15, 16, 17, 1000}) {
    Matrix values = random(1, count, 4);
    double sum = 0;
    for (const float value : values) sum += std::exp(static_cast<double>(value));
    EXPECT_NEAR(cpu_.log_sum_exp(values.data(), count), std::log(sum), 1e-4);
    const auto most = std::max_element(values.begin(), values.end());
    EXPECT_EQ(cpu_.largest(values.data(), count).index, most - values.begin());
    EXPECT_EQ(cpu_.largest(values.data(), count).value, *most);
    const Matrix before = values;
    cpu_.softmax(values.data(), count);
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(values[i], std::exp(static_cast<double>(before[i])) / sum, 1e-5);
    }
  }
  const Matrix equal(40, 2.0F);
  EXPECT_EQ(cpu_.largest(equal.data(), 40).index, 0);
}

TEST_P(Kernels, AnLstmStepsAsItsDefinitionSays) {
  constexpr size_t kUnits = 48;
  const Matrix gates = random(4, kUnits, 4);
  Matrix cells = random(1, kUnits, 2);
  const Matrix before = cells;
  Matrix hidden(kUnits);
  cpu_.lstm_step(gates.data(), kUnits, cells.data(), hidden.data());
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  for (size_t i = 0; i < kUnits; ++i) {
    const auto gate = [&](size_t which) { return static_cast<double>(gates[which * kUnits + i]); };
    const double cell =
        sigmoid(gate(2)) * static_cast<double>(before[i]) + sigmoid(gate(0)) * std::tanh(gate(3));
    EXPECT_NEAR(cells[i], cell, 1e-5);
    EXPECT_NEAR(hidden[i], sigmoid(gate(1)) * std::tanh(cell), 1e-5);
  }
}

TEST_P(Kernels, HalvesAreNearTheirNumbers) {
  const Matrix values = random(1, 37, 100);
  std::vector<uint16_t> halves(values.size());
  cpu_.narrow(values.data(), values.size(), halves.data());
  Matrix back(values.size());
  cpu_.widen(halves.data(), halves.size(), back.data());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(back[i], values[i], std::abs(values[i]) * 0x1p-11F);
}

// None where the processor has nothing that there are kernels for.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Kernels);
std::vector<const Set*> all_sets() {
  std::vector<const Set*> all(sets().begin(), sets().end());
#if defined(__x86_64__)
  const auto is_avx512 = [](const Set* set) { return std::string_view(set->instructions()) == "AVX512"; };
  if (std::any_of(all.begin(), all.end(), is_avx512)) all.push_back(&avx_vnni_in_avx512());
#endif
  return all;
}
INSTANTIATE_TEST_SUITE_P(By, Kernels, testing::ValuesIn(all_sets()),
                         [](const auto& info) { return info.param->instructions(); });

}  // namespace
}  // namespace hansard::engine::kernels
