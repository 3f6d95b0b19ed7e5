#include "engine/child/diarize/clustering.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace hansard::engine {
namespace {

float dot(const Embedding& a, const Embedding& b) {
  std::array<float, 16> sums{};
  for (size_t i = 0; i < a.size(); i += 16) {
    for (size_t j = 0; j < 16; ++j) sums[j] += a[i + j] * b[i + j];
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0F);
}

Embedding normalized(const Embedding& embedding) {
  const float length = std::max(std::sqrt(dot(embedding, embedding)), 1e-12F);
  Embedding result;
  std::transform(embedding.begin(), embedding.end(), result.begin(), [&](float v) { return v / length; });
  return result;
}

// Distances between n points, each pair once.
class Distances {
 public:
  explicit Distances(size_t n) : n_(n), values_(n < 2 ? 0 : n * (n - 1) / 2) {}
  float& at(size_t i, size_t j) {
    if (i > j) std::swap(i, j);
    return values_[i * n_ - i * (i + 1) / 2 + (j - i - 1)];
  }

 private:
  size_t n_;
  std::vector<float> values_;
};

// What clusters are learnt from.
struct Training {
  std::vector<Embedding> raw;
  std::vector<Embedding> rows;  // of length 1
  std::vector<double> weights;  // seconds of speech, each moment counted once
  std::vector<uint32_t> windows;
  std::vector<size_t> windows_over;  // windows over the unit's middle
  size_t step = 1;                   // every so manyth unit was taken
};

// Windows over the middle of a unit, its own among them.
size_t count_windows_over(const Voices& voices, const Unit& unit) {
  const std::vector<VoiceWindow>& windows = voices.windows;
  const int64_t middle = windows[unit.window].start + (unit.first + unit.last) / 2 * kFrameStepSamples;
  const auto first_after = [&](int64_t sample) {
    return std::partition_point(windows.begin(), windows.end(),
                                [&](const VoiceWindow& window) { return window.start <= sample; });
  };
  return static_cast<size_t>(first_after(middle) - first_after(middle - kSegmentSamples));
}

Training gather_training(const Voices& voices, const ClusteringChoices& choices) {
  std::vector<const Unit*> chosen;
  for (const float clean_s : choices.training_clean_s) {
    for (const Unit& unit : voices.training) {
      if (unit.embedded && unit.clean_s >= clean_s) chosen.push_back(&unit);
    }
    if (!chosen.empty()) break;
  }
  const size_t most = std::max<size_t>(choices.training_units, 1);
  // Windows overlap: each moment is seen by several.
  const double coverage = std::min(1.0, static_cast<double>(voices.hop) / kSegmentSamples);
  Training training;
  training.step = std::max<size_t>((chosen.size() + most - 1) / most, 1);
  for (size_t i = 0; i < chosen.size(); i += training.step) {
    training.raw.push_back(chosen[i]->embedding);
    training.rows.push_back(normalized(chosen[i]->embedding));
    training.weights.push_back(std::max(0.1, static_cast<double>(chosen[i]->clean_s)) * coverage *
                               static_cast<double>(training.step));
    training.windows.push_back(chosen[i]->window);
    training.windows_over.push_back(count_windows_over(voices, *chosen[i]));
  }
  return training;
}

int cluster_count(std::span<const int> labels) {
  return labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
}

std::vector<double> cluster_weights(const Training& training, std::span<const int> labels) {
  std::vector<double> weights(static_cast<size_t>(cluster_count(labels)));
  for (size_t i = 0; i < labels.size(); ++i) weights[static_cast<size_t>(labels[i])] += training.weights[i];
  return weights;
}

// Means of the embeddings as they are, weighted by speech, then brought to length 1.
std::vector<Embedding> centroids_of(std::span<const Embedding> embeddings, const Training& training,
                                    std::span<const int> labels) {
  std::vector<std::array<double, kEmbeddingSize>> sums(static_cast<size_t>(cluster_count(labels)));
  for (size_t i = 0; i < labels.size(); ++i) {
    auto& sum = sums[static_cast<size_t>(labels[i])];
    for (size_t k = 0; k < sum.size(); ++k)
      sum[k] += training.weights[i] * static_cast<double>(embeddings[i][k]);
  }
  std::vector<Embedding> centroids;
  for (const auto& sum : sums) {
    Embedding mean;
    double length = 0;
    for (const double v : sum) length += v * v;
    length = std::max(std::sqrt(length), 1e-12);
    for (size_t k = 0; k < mean.size(); ++k) mean[k] = static_cast<float>(sum[k] / length);
    centroids.push_back(mean);
  }
  return centroids;
}

int nearest(std::span<const Embedding> centroids, const Embedding& row) {
  int best = 0;
  float best_score = -2;
  for (size_t k = 0; k < centroids.size(); ++k) {
    const float score = dot(centroids[k], row);
    if (score > best_score) {
      best_score = score;
      best = static_cast<int>(k);
    }
  }
  return best;
}

// Labels 0.. without holes, by first appearance.
void renumber(std::vector<int>& labels) {
  std::vector<int> names(static_cast<size_t>(cluster_count(labels)), -1);
  int next = 0;
  for (int& label : labels) {
    int& name = names[static_cast<size_t>(label)];
    if (name < 0) name = next++;
    label = name;
  }
}

// Which clusters were found in enough of the windows over them.
std::vector<bool> found_by_windows(const Training& training, std::span<const int> labels, double share) {
  struct Found {
    std::set<uint32_t> windows;
    size_t most = 0;
  };
  std::vector<Found> found(static_cast<size_t>(cluster_count(labels)));
  for (size_t i = 0; i < labels.size(); ++i) {
    Found& cluster = found[static_cast<size_t>(labels[i])];
    cluster.windows.insert(training.windows[i]);
    cluster.most = std::max(cluster.most, training.windows_over[i]);
  }
  std::vector<bool> enough;
  for (const Found& cluster : found) {
    enough.push_back(static_cast<double>(cluster.windows.size() * training.step) >=
                     share * static_cast<double>(cluster.most));
  }
  return enough;
}

// Gives clusters that are no speakers to the nearest one that is; all stay where none is.
void merge_accidents(const Training& training, std::vector<int>& labels, const ClusteringChoices& choices) {
  const std::vector<double> weights = cluster_weights(training, labels);
  const double all = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double least = std::min(choices.least_s, choices.least_share * all);
  std::vector<bool> kept = found_by_windows(training, labels, choices.least_windows);
  for (size_t k = 0; k < kept.size(); ++k) kept[k] = kept[k] && weights[k] >= least;
  const std::vector<Embedding> centroids = centroids_of(training.raw, training, labels);
  std::vector<Embedding> large;
  std::vector<int> large_names;
  for (size_t k = 0; k < kept.size(); ++k) {
    if (!kept[k]) continue;
    large.push_back(centroids[k]);
    large_names.push_back(static_cast<int>(k));
  }
  if (large.empty() || large.size() == kept.size()) return;
  for (int& label : labels) {
    const auto k = static_cast<size_t>(label);
    if (!kept[k]) label = large_names[static_cast<size_t>(nearest(large, centroids[k]))];
  }
  renumber(labels);
}

// Exactly `wanted` clusters: the tree cut where so many clusters hold real speech, everything else given to
// them.
std::vector<int> force_count(const Training& training, std::span<const Merge> merges, size_t wanted) {
  const size_t leaf_count = training.rows.size();
  wanted = std::min(wanted, leaf_count);
  const double all = std::accumulate(training.weights.begin(), training.weights.end(), 0.0);
  const double least = std::min(1.0, 0.02 * all);
  const size_t most_leaves = std::min(leaf_count, wanted * 8 + 20);
  for (size_t count = wanted; count <= most_leaves; ++count) {
    const std::vector<int> labels = cut_tree(merges, leaf_count, leaf_count - count);
    const std::vector<double> weights = cluster_weights(training, labels);
    std::vector<size_t> order(weights.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return weights[a] > weights[b]; });
    if (weights[order[wanted - 1]] < least) continue;
    const std::vector<Embedding> centroids = centroids_of(training.rows, training, labels);
    std::vector<Embedding> kept;
    for (size_t k = 0; k < wanted; ++k) kept.push_back(centroids[order[k]]);
    std::vector<int> result;
    for (const Embedding& row : training.rows) result.push_back(nearest(kept, row));
    renumber(result);
    return result;
  }
  return cut_tree(merges, leaf_count, leaf_count - wanted);
}

// How many clusters are asked for where `found` is not one of the numbers allowed; 0 where it is.
size_t wanted_count(const SpeakerCount& speakers, size_t found) {
  const auto as_size = [](int n) { return static_cast<size_t>(n); };
  if (speakers.exact) return as_size(*speakers.exact) == found ? 0 : as_size(*speakers.exact);
  if (speakers.least && found < as_size(*speakers.least)) return as_size(*speakers.least);
  if (speakers.most && found > as_size(*speakers.most)) return as_size(*speakers.most);
  return 0;
}

}  // namespace

Result<std::vector<Merge>> average_linkage(std::span<const Embedding> rows, std::stop_token stop) {
  const size_t n = rows.size();
  Distances distances(n);
  for (size_t i = 0; i < n; ++i) {
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
    for (size_t j = i + 1; j < n; ++j) {
      distances.at(i, j) = std::sqrt(std::max(0.0F, 2 - 2 * dot(rows[i], rows[j])));
    }
  }
  std::vector<float> sizes(n, 1);  // 0: merged away
  std::vector<size_t> chain;
  struct Found {
    size_t kept, gone;
    float distance;
  };
  std::vector<Found> found;
  for (size_t start = 0; found.size() + 1 < n;) {
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
    if (chain.empty()) {
      while (sizes[start] == 0) ++start;
      chain.push_back(start);
    }
    for (;;) {
      const size_t last = chain.back();
      const size_t before = chain.size() > 1 ? chain[chain.size() - 2] : n;
      size_t best = before;
      float best_distance = before < n ? distances.at(last, before) : std::numeric_limits<float>::infinity();
      for (size_t i = 0; i < n; ++i) {
        if (i == last || sizes[i] == 0) continue;
        const float distance = distances.at(last, i);
        if (distance < best_distance) {
          best_distance = distance;
          best = i;
        }
      }
      if (best != before) {
        chain.push_back(best);
        continue;
      }
      chain.resize(chain.size() - 2);
      const size_t kept = std::min(last, best);
      const size_t gone = std::max(last, best);
      for (size_t i = 0; i < n; ++i) {
        if (sizes[i] == 0 || i == kept || i == gone) continue;
        distances.at(kept, i) = (sizes[kept] * distances.at(kept, i) + sizes[gone] * distances.at(gone, i)) /
                                (sizes[kept] + sizes[gone]);
      }
      sizes[kept] += sizes[gone];
      sizes[gone] = 0;
      found.push_back({kept, gone, best_distance});
      break;
    }
  }
  // The chain finds merges out of order; by distance they form the tree (average linkage never inverts).
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return a.distance < b.distance; });
  std::vector<int> name(n);
  std::iota(name.begin(), name.end(), 0);
  std::vector<Merge> merges;
  for (const Found& merge : found) {
    merges.push_back({name[merge.kept], name[merge.gone], merge.distance});
    name[merge.kept] = static_cast<int>(n + merges.size() - 1);
  }
  return merges;
}

std::vector<int> cut_tree(std::span<const Merge> merges, size_t leaf_count, size_t merge_count) {
  std::vector<int> parent(leaf_count + merges.size(), -1);
  for (size_t m = 0; m < merge_count; ++m) {
    parent[static_cast<size_t>(merges[m].left)] = static_cast<int>(leaf_count + m);
    parent[static_cast<size_t>(merges[m].right)] = static_cast<int>(leaf_count + m);
  }
  // A merge comes after what it merges, so roots can be handed down from the last to the first.
  std::vector<int> root(parent.size());
  for (size_t i = parent.size(); i-- > 0;)
    root[i] = parent[i] < 0 ? static_cast<int>(i) : root[static_cast<size_t>(parent[i])];
  std::vector<int> labels(root.begin(), root.begin() + static_cast<std::ptrdiff_t>(leaf_count));
  renumber(labels);
  return labels;
}

Result<Clusters> find_clusters(const Voices& voices, const SpeakerCount& speakers,
                               const ClusteringChoices& choices, std::stop_token stop) {
  const Training training = gather_training(voices, choices);
  if (training.rows.empty()) return Clusters{};
  const std::vector<Merge> merges = TRY(average_linkage(training.rows, stop));
  const auto close = static_cast<size_t>(std::count_if(
      merges.begin(), merges.end(), [&](const Merge& m) { return m.distance <= choices.distance; }));
  std::vector<int> labels = cut_tree(merges, training.rows.size(), close);
  merge_accidents(training, labels, choices);
  const size_t wanted = wanted_count(speakers, static_cast<size_t>(cluster_count(labels)));
  if (wanted > 0) labels = force_count(training, merges, wanted);
  return Clusters{centroids_of(training.raw, training, labels)};
}

std::vector<int> best_matching(std::span<const float> scores, size_t rows, size_t columns) {
  const size_t assigned = std::min(rows, columns);
  // In a best matching a row has one of its `rows` best columns.
  std::vector<std::vector<int>> candidates(rows);
  for (size_t row = 0; row < rows; ++row) {
    std::vector<int> order(columns);
    std::iota(order.begin(), order.end(), 0);
    const auto score = [&](int column) { return scores[row * columns + static_cast<size_t>(column)]; };
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return score(a) > score(b); });
    order.resize(assigned);
    if (rows > columns) order.push_back(-1);
    candidates[row] = order;
  }
  std::vector<int> best(rows, -1);
  float best_sum = -std::numeric_limits<float>::infinity();
  std::vector<size_t> at(rows, 0);
  for (;;) {
    float sum = 0;
    size_t used = 0;
    bool distinct = true;
    std::vector<int> now(rows);
    for (size_t row = 0; row < rows; ++row) {
      now[row] = candidates[row][at[row]];
      if (now[row] < 0) continue;
      distinct = distinct && std::find(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(row),
                                       now[row]) == now.begin() + static_cast<std::ptrdiff_t>(row);
      sum += scores[row * columns + static_cast<size_t>(now[row])];
      ++used;
    }
    if (distinct && used == assigned && sum > best_sum) {
      best_sum = sum;
      best = now;
    }
    size_t row = 0;
    while (row < rows && ++at[row] == candidates[row].size()) at[row++] = 0;
    if (row == rows) return best;
  }
}

std::vector<int> assign(const Voices& voices, const Clusters& clusters, const ClusteringChoices& choices) {
  const size_t count = clusters.centroids.size();
  const auto scores_of = [&](const Embedding& embedding) {
    const Embedding row = normalized(embedding);
    std::vector<float> scores(count);
    for (size_t k = 0; k < count; ++k) scores[k] = dot(row, clusters.centroids[k]);
    return scores;
  };
  // For each window: how well each local speaker fits each cluster, and which one it would get.
  std::vector<std::array<std::vector<float>, kLocalSpeakers>> local(voices.windows.size());
  std::vector<std::array<int, kLocalSpeakers>> preferred(voices.windows.size());
  for (size_t w = 0; w < voices.windows.size(); ++w) {
    preferred[w].fill(-1);
    std::vector<float> matrix;
    std::vector<size_t> rows;
    for (size_t s = 0; s < kLocalSpeakers; ++s) {
      const LocalSpeaker& speaker = voices.windows[w].speakers[s];
      local[w][s] = speaker.embedded ? scores_of(speaker.embedding) : std::vector<float>(count, 0.0F);
      if (!speaker.active) continue;
      rows.push_back(s);
      matrix.insert(matrix.end(), local[w][s].begin(), local[w][s].end());
    }
    const std::vector<int> matching =
        rows.empty() ? std::vector<int>() : best_matching(matrix, rows.size(), count);
    for (size_t i = 0; i < rows.size(); ++i) preferred[w][rows[i]] = matching[i];
  }
  std::vector<int> result;
  for (const Unit& unit : voices.assignment) {
    const std::vector<float>& window_scores = local[unit.window][unit.speaker];
    const float trust = unit.embedded ? std::min(1.0F, unit.clean_s / choices.trusted_clean_s) : 0.0F;
    std::vector<float> scores = unit.embedded ? scores_of(unit.embedding) : window_scores;
    for (size_t k = 0; k < count; ++k) scores[k] = trust * scores[k] + (1 - trust) * window_scores[k];
    if (const int bonus = preferred[unit.window][unit.speaker]; bonus >= 0) {
      scores[static_cast<size_t>(bonus)] += choices.match_bonus;
    }
    result.push_back(static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
  }
  return result;
}

}  // namespace hansard::engine
