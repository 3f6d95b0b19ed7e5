#include "engine/child/whisper/alignment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "engine/child/kernels/kernels.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {
namespace {

constexpr int kWidth = strategy::kMedianWidth;
constexpr int kHalf = kWidth / 2;
static_assert(kWidth == 7, "median() sorts seven");

void order(float& a, float& b) {
  const float less = std::min(a, b);
  b = std::max(a, b);
  a = less;
}

// The middle one of seven, by exchanges that vectors do as well.
float median(std::array<float, kWidth> v) {
  order(v[0], v[5]), order(v[0], v[3]), order(v[1], v[6]), order(v[2], v[4]), order(v[0], v[1]),
      order(v[3], v[5]);
  order(v[2], v[6]), order(v[2], v[3]), order(v[3], v[6]), order(v[4], v[5]), order(v[1], v[4]),
      order(v[1], v[3]);
  order(v[3], v[4]);
  return v[3];
}

// Each number becomes the median of itself and its neighbours; the ends are mirrored. Adds them to `sum`.
void add_medians(const float* row, int count, std::vector<float>& mirrored, float* sum) {
  if (count <= kHalf) {
    for (int i = 0; i < count; ++i) sum[i] += row[i];
    return;
  }
  mirrored.resize(static_cast<size_t>(count) + 2 * kHalf);
  for (int i = 0; i < count + 2 * kHalf; ++i) {
    const int at = std::abs(i - kHalf);
    mirrored[static_cast<size_t>(i)] = row[at < count ? at : 2 * (count - 1) - at];
  }
  const float* m = mirrored.data();
  for (int i = 0; i < count; ++i)
    sum[i] += median({m[i], m[i + 1], m[i + 2], m[i + 3], m[i + 4], m[i + 5], m[i + 6]});
}

// Rows of one head: softmax of each, then each column to a mean of 0 and a deviation of 1.
void normalize(const kernels::Set& cpu, std::vector<float>& weights, int rows, int columns) {
  std::vector<float> means(static_cast<size_t>(columns));
  std::vector<float> squares(static_cast<size_t>(columns));
  for (int r = 0; r < rows; ++r) {
    float* row = weights.data() + static_cast<ptrdiff_t>(r) * columns;
    cpu.softmax(row, columns);
    for (size_t i = 0; i < means.size(); ++i) means[i] += row[i];
  }
  for (float& mean : means) mean /= static_cast<float>(rows);
  for (int r = 0; r < rows; ++r) {
    const float* row = weights.data() + static_cast<ptrdiff_t>(r) * columns;
    for (size_t i = 0; i < means.size(); ++i) squares[i] += (row[i] - means[i]) * (row[i] - means[i]);
  }
  for (float& square : squares) {
    const float deviation = std::sqrt(square / static_cast<float>(rows));
    square = deviation > 0 ? 1 / deviation : 0;
  }
  for (int r = 0; r < rows; ++r) {
    float* row = weights.data() + static_cast<ptrdiff_t>(r) * columns;
    for (size_t i = 0; i < means.size(); ++i) row[i] = (row[i] - means[i]) * squares[i];
  }
}

}  // namespace

std::vector<int> cheapest_way(const std::vector<float>& costs, int rows, int columns) {
  constexpr float kNever = std::numeric_limits<float>::infinity();
  enum Step : uint8_t { both, down, right };
  const auto width = static_cast<size_t>(columns);
  std::vector<Step> steps(static_cast<size_t>(rows) * width);
  std::vector<float> above(width + 1, kNever);
  above[0] = 0;
  std::vector<float> here(width + 1);
  for (int r = 0; r < rows; ++r) {
    here[0] = kNever;
    for (size_t c = 0; c < width; ++c) {
      Step step = right;
      float least = here[c];
      if (above[c] < above[c + 1] && above[c] < here[c]) {
        step = both;
        least = above[c];
      } else if (above[c + 1] < above[c] && above[c + 1] < here[c]) {
        step = down;
        least = above[c + 1];
      }
      steps[static_cast<size_t>(r) * width + c] = step;
      here[c + 1] = least + costs[static_cast<size_t>(r) * width + c];
    }
    above.swap(here);
  }
  std::vector<int> first(static_cast<size_t>(rows));
  int r = rows - 1;
  int c = columns - 1;
  while (r >= 0) {
    first[static_cast<size_t>(r)] = std::max(c, 0);
    const Step step = r == 0   ? right
                      : c <= 0 ? down
                               : steps[static_cast<size_t>(r) * width + static_cast<size_t>(c)];
    if (r == 0) {
      first[0] = 0;
      break;
    }
    if (step != right) --r;
    if (step != down) --c;
  }
  return first;
}

std::vector<int> first_positions(const kernels::Set& cpu, const Attention& attention, int positions) {
  const int columns = std::clamp(positions, 1, attention.positions);
  const int rows = static_cast<int>(attention.rows.size());
  const int text_rows = rows - attention.first_text;
  std::vector<float> sums(static_cast<size_t>(text_rows) * static_cast<size_t>(columns));
  std::vector<float> weights(static_cast<size_t>(rows) * static_cast<size_t>(columns));
  std::vector<float> mirrored;
  for (int head = 0; head < attention.heads; ++head) {
    for (int r = 0; r < rows; ++r) {
      const uint16_t* scores =
          attention.rows[static_cast<size_t>(r)].data() + static_cast<ptrdiff_t>(head) * attention.positions;
      cpu.widen(scores, static_cast<size_t>(columns), weights.data() + static_cast<ptrdiff_t>(r) * columns);
    }
    normalize(cpu, weights, rows, columns);
    for (int r = 0; r < text_rows; ++r) {
      add_medians(weights.data() + static_cast<ptrdiff_t>(r + attention.first_text) * columns, columns,
                  mirrored, sums.data() + static_cast<ptrdiff_t>(r) * columns);
    }
  }
  for (float& sum : sums) sum = -sum / static_cast<float>(attention.heads);
  return cheapest_way(sums, text_rows, columns);
}

}  // namespace hansard::engine::whisper
