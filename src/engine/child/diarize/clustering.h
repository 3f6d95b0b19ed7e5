// From voices to speakers: clusters of training units, and each assignment unit's cluster. The choices that
// were measured stand together in ClusteringChoices.
#pragma once

#include <span>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "engine/child/diarize/voices.h"
#include "engine/types.h"

namespace hansard::engine {

struct ClusteringChoices {
  // Clusters are merged while their average distance (between embeddings of length 1) is less: a cosine of
  // 0.45. At 1.03 single speakers begin to fall apart, at 1.2 two become one.
  float distance = 1.05F;
  // Units with so much speech of one voice are learnt from; where there are none, the next shorter ones.
  std::array<float, 4> training_clean_s{0.8F, 0.5F, 0.3F, 0.0F};
  // More units than this are thinned out: memory and time of clustering grow with their square (32 MB, 1 s).
  size_t training_units = 4000;
  // A cluster with less speech of its own than this is an accident of one odd sound, and goes to the nearest:
  // so many seconds, or this share of all speech if that is less. Short recordings have brief speakers.
  double least_s = 2.0;
  double least_share = 0.005;
  // Windows overlap, so a speaker is heard in several: a cluster found in less than this share of the windows
  // over it is how one window was cut, and goes to the nearest. Without this, short units would be speakers.
  double least_windows = 0.4;
  // A unit with less clean speech than this leans on the voice of its local speaker over the whole window.
  float trusted_clean_s = 2.0F;
  // Added for the cluster that fits the unit's local speaker best when every local speaker gets another one.
  float match_bonus = 0.2F;
};

// Average-linkage clustering of rows of length 1 (distance: Euclidean). `parent` of a merge is its place in
// the list.
struct Merge {
  int left = 0;  // a leaf 0..n-1, or n + the place of an earlier merge
  int right = 0;
  float distance = 0;
};
// n - 1 merges by growing distance. O(n^2) time, n^2 / 2 floats. Nearest-neighbour chain (Murtagh 1983).
Result<std::vector<Merge>> average_linkage(std::span<const Embedding> rows, std::stop_token stop);

// Cluster of each leaf, 0.., numbered by first leaf, when the first `merge_count` merges are done.
std::vector<int> cut_tree(std::span<const Merge> merges, size_t leaf_count, size_t merge_count);

struct Clusters {
  std::vector<Embedding> centroids;  // of length 1
};

// Errors: canceled.
Result<Clusters> find_clusters(const Voices& voices, const SpeakerCount& speakers,
                               const ClusteringChoices& choices, std::stop_token stop);

// The cluster of every assignment unit; there must be at least one cluster.
std::vector<int> assign(const Voices& voices, const Clusters& clusters, const ClusteringChoices& choices);

// Assigns each row (at most 3) another column so that the sum is largest; -1 for rows that get none because
// there are more rows than columns. `scores` is [rows][columns].
std::vector<int> best_matching(std::span<const float> scores, size_t rows, size_t columns);

}  // namespace hansard::engine
