#include "engine/child/whisper/alignment.h"

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "engine/child/kernels/kernels.h"

namespace hansard::engine::whisper {
namespace {

// The least sum over all ways, by trying each.
float least_sum(const std::vector<float>& costs, int rows, int columns) {
  const std::function<float(int, int)> from = [&](int r, int c) -> float {
    const float here = costs[static_cast<size_t>(r * columns + c)];
    if (r == rows - 1 && c == columns - 1) return here;
    float best = std::numeric_limits<float>::infinity();
    if (r + 1 < rows) best = std::min(best, from(r + 1, c));
    if (c + 1 < columns) best = std::min(best, from(r, c + 1));
    if (r + 1 < rows && c + 1 < columns) best = std::min(best, from(r + 1, c + 1));
    return here + best;
  };
  return from(0, 0);
}

// The sum of the cheapest way that enters rows where `first` says.
float sum_through(const std::vector<float>& costs, int rows, int columns, const std::vector<int>& first) {
  float best = 0;
  for (int r = 0; r < rows; ++r) {
    const auto row = static_cast<size_t>(r);
    const int begin = first[row];
    // A row is left straight down or aslant.
    int end = r + 1 < rows ? first[row + 1] : columns - 1;
    float sum = 0;
    float aslant = std::numeric_limits<float>::infinity();
    for (int c = begin; c <= end; ++c) {
      if (r + 1 < rows && c == end && c > begin) aslant = sum;
      sum += costs[row * static_cast<size_t>(columns) + static_cast<size_t>(c)];
    }
    best += std::min(sum, aslant);
  }
  return best;
}

TEST(CheapestWay, IsAsCheapAsTheBestOfAll) {
  std::mt19937 engine{3};
  std::uniform_real_distribution<float> values(-1, 1);
  for (int round = 0; round < 200; ++round) {
    const int rows = 1 + round % 5;
    const int columns = 1 + round % 7;
    std::vector<float> costs(static_cast<size_t>(rows * columns));
    for (float& cost : costs) cost = values(engine);
    const std::vector<int> first = cheapest_way(costs, rows, columns);
    ASSERT_EQ(std::ssize(first), rows);
    EXPECT_EQ(first[0], 0);
    EXPECT_TRUE(std::is_sorted(first.begin(), first.end()));
    EXPECT_NEAR(sum_through(costs, rows, columns, first), least_sum(costs, rows, columns), 1e-4);
  }
}

TEST(FirstPositions, FollowWhatWasLookedAt) {
  if (kernels::best() == nullptr) GTEST_SKIP() << "this processor has no AVX2";
  // Ten tokens, each looked for at its own ten positions by both heads; three rows before the text.
  Attention attention{.heads = 2, .positions = 120, .first_text = 3, .rows = {}, .probabilities = {}};
  for (int row = 0; row < 14; ++row) {
    std::vector<float> scores(2 * 120, 0.0F);
    for (int head = 0; head < 2; ++head) {
      for (int i = 0; i < 10 && row >= 3; ++i) {
        const int position = (row - 3) * 10 + i;
        if (position < 120) scores[static_cast<size_t>(head * 120 + position)] = 8;
      }
    }
    attention.rows.emplace_back(scores.size());
    kernels::best()->narrow(scores.data(), scores.size(), attention.rows.back().data());
  }
  const std::vector<int> first = first_positions(*kernels::best(), attention, 110);
  ASSERT_EQ(first.size(), 11U);
  for (int i = 0; i < 11; ++i) EXPECT_NEAR(first[static_cast<size_t>(i)], 10 * i, 1) << i;
}

}  // namespace
}  // namespace hansard::engine::whisper
