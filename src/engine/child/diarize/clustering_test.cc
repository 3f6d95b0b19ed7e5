#include "engine/child/diarize/clustering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace hansard::engine {
namespace {

Embedding random_direction(std::mt19937& random) {
  std::normal_distribution<float> normal;
  Embedding e;
  float length = 0;
  for (float& v : e) {
    v = normal(random);
    length += v * v;
  }
  for (float& v : e) v /= std::sqrt(length);
  return e;
}

Embedding near(const Embedding& center, float spread, std::mt19937& random) {
  Embedding e = random_direction(random);
  for (size_t i = 0; i < e.size(); ++i) e[i] = center[i] + spread * e[i];
  return e;
}

// So many people, each speaking alone for one window after the other.
Voices conversation(int speakers, int windows, std::mt19937& random) {
  std::vector<Embedding> centers;
  for (int k = 0; k < speakers; ++k) centers.push_back(random_direction(random));
  Voices voices;
  voices.hop = 2 * 16000;
  voices.sample_count = kSegmentSamples + (windows - 1) * voices.hop;
  for (int w = 0; w < windows; ++w) {
    VoiceWindow window;
    window.start = w * voices.hop;
    std::fill(window.activity.begin() + 10, window.activity.end() - 10, uint8_t{1});
    const Embedding voice = near(centers[static_cast<size_t>(w % speakers)], 0.4F, random);
    window.speakers[0] = {9, true, true, voice};
    for (Unit unit : cut_units(window.activity, static_cast<uint32_t>(w), 0.3, 10)) {
      unit.clean_s = 9;
      unit.embedded = true;
      unit.embedding = voice;
      voices.training.push_back(unit);
      voices.assignment.push_back(unit);
    }
    voices.windows.push_back(window);
  }
  return voices;
}

size_t count(const Voices& voices, const SpeakerCount& speakers) {
  return find_clusters(voices, speakers, {}, {}).value().centroids.size();
}

// Merges the two clusters with the least average distance, looked for anew each time.
std::vector<float> naive_heights(const std::vector<Embedding>& rows) {
  std::vector<std::vector<size_t>> clusters;
  for (size_t i = 0; i < rows.size(); ++i) clusters.push_back({i});
  const auto distance = [&](size_t a, size_t b) {
    float sum = 0;
    for (size_t k = 0; k < rows[a].size(); ++k) sum += (rows[a][k] - rows[b][k]) * (rows[a][k] - rows[b][k]);
    return std::sqrt(sum);
  };
  std::vector<float> heights;
  while (clusters.size() > 1) {
    float best = 1e9F;
    size_t one = 0, other = 1;
    for (size_t a = 0; a < clusters.size(); ++a) {
      for (size_t b = a + 1; b < clusters.size(); ++b) {
        float sum = 0;
        for (const size_t i : clusters[a]) {
          for (const size_t j : clusters[b]) sum += distance(i, j);
        }
        sum /= static_cast<float>(clusters[a].size() * clusters[b].size());
        if (sum < best) {
          best = sum;
          one = a;
          other = b;
        }
      }
    }
    clusters[one].insert(clusters[one].end(), clusters[other].begin(), clusters[other].end());
    clusters.erase(clusters.begin() + static_cast<std::ptrdiff_t>(other));
    heights.push_back(best);
  }
  return heights;
}

TEST(Linkage, IsThatOfTheDefinition) {
  std::mt19937 random(1);
  for (const int n : {1, 2, 3, 17, 40}) {
    std::vector<Embedding> rows;
    for (int i = 0; i < n; ++i) rows.push_back(random_direction(random));
    const std::vector<Merge> merges = average_linkage(rows, {}).value();
    const std::vector<float> heights = naive_heights(rows);
    ASSERT_EQ(merges.size(), heights.size());
    for (size_t i = 0; i < merges.size(); ++i) EXPECT_NEAR(merges[i].distance, heights[i], 1e-4);
    const std::vector<int> all = cut_tree(merges, rows.size(), merges.size());
    EXPECT_EQ(*std::max_element(all.begin(), all.end()), 0);
    const std::vector<int> none = cut_tree(merges, rows.size(), 0);
    EXPECT_EQ(*std::max_element(none.begin(), none.end()), n - 1);
  }
}

TEST(Matching, IsTheBestOfAll) {
  std::mt19937 random(2);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (int round = 0; round < 300; ++round) {
    const size_t rows = 1 + random() % 3;
    const size_t columns = 1 + random() % 6;
    std::vector<float> scores(rows * columns);
    for (float& score : scores) score = uniform(random);
    const std::vector<int> matching = best_matching(scores, rows, columns);
    const auto sum_of = [&](const std::vector<int>& of) {
      float sum = 0;
      for (size_t row = 0; row < rows; ++row) {
        if (of[row] >= 0) sum += scores[row * columns + static_cast<size_t>(of[row])];
      }
      return sum;
    };
    // Every way to give rows different columns, by permutations of columns padded with "none".
    std::vector<int> order(std::max(rows, columns));
    std::iota(order.begin(), order.end(), 0);
    float best = -1e9F;
    do {
      std::vector<int> of(rows);
      for (size_t row = 0; row < rows; ++row)
        of[row] = order[row] < static_cast<int>(columns) ? order[row] : -1;
      best = std::max(best, sum_of(of));
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_NEAR(sum_of(matching), best, 1e-5);
  }
}

TEST(Clusters, AreAsManyAsThereAreVoices) {
  std::mt19937 random(3);
  for (const int speakers : {1, 2, 3, 7})
    EXPECT_EQ(count(conversation(speakers, 60, random), {}), static_cast<size_t>(speakers));
}

TEST(Clusters, AreAsManyAsAskedFor) {
  std::mt19937 random(4);
  const Voices voices = conversation(3, 60, random);
  EXPECT_EQ(count(voices, {.exact = 3}), 3U);
  EXPECT_EQ(count(voices, {.exact = 2}), 2U);
  EXPECT_EQ(count(voices, {.exact = 5}), 5U);
  EXPECT_EQ(count(voices, {.least = 4}), 4U);
  EXPECT_EQ(count(voices, {.most = 2}), 2U);
  EXPECT_EQ(count(voices, {.least = 2, .most = 4}), 3U);
}

TEST(Clusters, AreFewerWhereThereAreNoMoreVoices) {
  std::mt19937 random(5);
  EXPECT_EQ(count(conversation(1, 2, random), {.exact = 5}), 2U);
  EXPECT_EQ(count(conversation(1, 1, random), {.exact = 2}), 1U);
  EXPECT_EQ(count(Voices{}, {.exact = 2}), 0U);
}

TEST(Clusters, OneOddSoundIsNoSpeaker) {
  std::mt19937 random(6);
  Voices voices = conversation(1, 300, random);
  voices.training[100].embedding = random_direction(random);
  voices.training[100].clean_s = 1.5;
  EXPECT_EQ(count(voices, {}), 1U);
}

// A short word of another voice in the middle of a recording of half a minute, as so many of the five windows
// over it cut it.
size_t count_with_word_heard_by(int windows, std::mt19937& random) {
  Voices voices = conversation(1, 11, random);
  const Embedding other = random_direction(random);
  for (int w = 3; w < 3 + windows; ++w) {
    Unit word = voices.training[static_cast<size_t>(w)];
    const int64_t second = 14 - 2 * w;  // of the window
    word.first = static_cast<uint16_t>(second * 59);
    word.last = static_cast<uint16_t>(second * 59 + 55);
    word.clean_s = 0.9F;
    word.embedding = near(other, 0.2F, random);
    voices.training.push_back(word);
  }
  return count(voices, {});
}

TEST(Clusters, AreFoundByMoreThanOneWindow) {
  std::mt19937 random(9);
  EXPECT_EQ(count_with_word_heard_by(1, random), 1U);
  EXPECT_EQ(count_with_word_heard_by(2, random), 2U);
  EXPECT_EQ(count_with_word_heard_by(4, random), 2U);
}

// The first two seconds lie in one window only: it is all of the windows over them.
TEST(Clusters, MayBeFoundByTheOnlyWindow) {
  std::mt19937 random(10);
  Voices voices = conversation(1, 11, random);
  Unit word = voices.training.front();
  word.first = 20;
  word.last = 90;
  word.clean_s = 1;
  word.embedding = random_direction(random);
  voices.training.push_back(word);
  EXPECT_EQ(count(voices, {}), 2U);
}

// Ten hours: what is clustered is bounded, so time and memory are too.
TEST(Clusters, OfTenHoursTakeSeconds) {
  std::mt19937 random(7);
  const Voices voices = conversation(4, 18'000, random);
  EXPECT_EQ(count(voices, {}), 4U);
}

TEST(Clusters, CanBeCanceled) {
  std::mt19937 random(8);
  const Voices voices = conversation(2, 60, random);
  std::stop_source stop;
  stop.request_stop();
  const auto clusters = find_clusters(voices, {}, {}, stop.get_token());
  ASSERT_FALSE(clusters);
  EXPECT_EQ(clusters.error().code, ErrorCode::canceled);
}

}  // namespace
}  // namespace hansard::engine
