#include "engine/child/diarize/diarizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "base/parallel.h"
#include "engine/child/diarize/clustering.h"
#include "engine/child/diarize/fbank.h"
#include "engine/child/diarize/networks.h"
#include "engine/child/diarize/voices.h"

namespace hansard::engine {
namespace {

// Seconds between windows: 1 s costs twice as much and gains nothing, 5 s loses.
constexpr int64_t kHopSamples = 2 * kSampleRate;
// Windows that are segmented together, at most: kernels take as many rows at once.
constexpr size_t kBatchWindows = 12;
// The network hears too little of overlaps and of quiet voices: less weight for "nobody", more for two at
// once.
constexpr float kNobodyBias = -0.5F;
constexpr float kOverlapBias = 0.7F;
// In the middle of what voice activity calls speech, "nobody" must be a hundred times as likely: of voices
// far from the microphone, voice activity hears more. From -4 to -6 little changes; silence stays silence.
constexpr float kNobodyBiasInSpeech = -5.0F;
// Regions of speech are padded by so much: nearer to their ends there may be a pause.
constexpr int64_t kSpeechMargin = kSampleRate * 4 / 10;
// Below this, overlapped speech is better than none for an embedding.
constexpr float kLeastCleanS = 0.4F;
constexpr double kTrainingBridgeS = 0.3;
constexpr double kTrainingLongestS = 10;
constexpr double kAssignmentBridgeS = 0.1;
constexpr double kAssignmentLongestS = 3;
// Pauses of a speaker up to this long do not end a turn.
constexpr double kTurnBridgeS = 0.5;
constexpr std::array<uint8_t, kSegmentClasses> kClassSpeakers{0, 1, 2, 4, 3, 5, 6};

// Calls work(i, thread) for i in [0, count), on `threads` threads. The error of the lowest i that has one is
// returned.
Result<void> parallel(int64_t count, int threads,
                      const std::function<Result<void>(int64_t i, int thread)>& work) {
  std::vector<Result<void>> results(static_cast<size_t>(count));
  in_parallel(count, threads,
              [&](int64_t i, int thread) { results[static_cast<size_t>(i)] = work(i, thread); });
  for (Result<void>& result : results) {
    if (!result) return result;
  }
  return {};
}

// What voice activity says of a frame.
enum class Heard : uint8_t { no_speech, edge_of_speech, speech };

std::array<Heard, kSegmentFrames> heard_in(int64_t window_start, std::span<const Piece> speech) {
  std::array<Heard, kSegmentFrames> heard{};
  size_t region = 0;
  for (size_t frame = 0; frame < heard.size(); ++frame) {
    const auto at =
        window_start +
        static_cast<int64_t>((static_cast<double>(frame) * kFrameStep + kFrameCenter) * kSampleRate);
    while (region < speech.size() && speech[region].end <= at) ++region;
    if (region == speech.size() || at < speech[region].start) continue;
    const bool inside = at - speech[region].start >= kSpeechMargin && speech[region].end - at > kSpeechMargin;
    heard[frame] = inside ? Heard::speech : Heard::edge_of_speech;
  }
  return heard;
}

// Nobody is active where there is no speech: a tone is no voice.
Activity activity_of(std::span<const float> log_probabilities,
                     const std::array<Heard, kSegmentFrames>& heard) {
  Activity activity{};
  for (size_t frame = 0; frame < activity.size(); ++frame) {
    if (heard[frame] == Heard::no_speech) continue;
    std::array<float, kSegmentClasses> scores;
    std::copy_n(log_probabilities.begin() + static_cast<std::ptrdiff_t>(frame * kSegmentClasses),
                kSegmentClasses, scores.begin());
    scores[0] += heard[frame] == Heard::speech ? kNobodyBiasInSpeech : kNobodyBias;
    for (size_t c = 4; c < scores.size(); ++c) scores[c] += kOverlapBias;
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    activity[frame] = kClassSpeakers[static_cast<size_t>(best)];
  }
  return activity;
}

bool overlapped(uint8_t speakers) {
  return (speakers & (speakers - 1)) != 0;
}

// The trunk's columns of the last blocks: memory stays the same however long the recording is.
class Columns {
 public:
  // Columns of a block; empty where nobody speaks in it.
  void put(int64_t block, std::vector<float> columns) { blocks_[block] = std::move(columns); }
  void drop_before(int64_t block) { blocks_.erase(blocks_.begin(), blocks_.lower_bound(block)); }

  // The 2560 numbers of a column, or null where there are none.
  const float* at(int64_t column) const {
    const auto found = blocks_.find(column / kBlockColumns);
    if (found == blocks_.end()) return nullptr;
    const auto offset = static_cast<size_t>(column % kBlockColumns) * kColumnSize;
    return offset < found->second.size() ? found->second.data() + offset : nullptr;
  }

 private:
  std::map<int64_t, std::vector<float>> blocks_;
};

int64_t first_column(double seconds) {
  return std::max<int64_t>(0, static_cast<int64_t>(std::ceil((seconds - kColumnCenter) / kColumnStep)));
}

// Columns of a window at whose nearest frame `wanted` says yes.
template <typename Wanted>
std::vector<const float*> columns_where(const Columns& columns, const VoiceWindow& window, int first,
                                        int last, const Wanted& wanted) {
  const double start_s = static_cast<double>(window.start) / kSampleRate;
  const int64_t from = first_column(start_s + first * kFrameStep);
  const int64_t to = first_column(start_s + last * kFrameStep + 2 * kFrameCenter);
  std::vector<const float*> result;
  for (int64_t column = from; column < to; ++column) {
    const double at_s = static_cast<double>(column) * kColumnStep + kColumnCenter - start_s;
    const auto frame = static_cast<int64_t>(std::lround((at_s - kFrameCenter) / kFrameStep));
    if (!wanted(static_cast<size_t>(std::clamp<int64_t>(frame, 0, kSegmentFrames - 1)))) continue;
    if (const float* values = columns.at(column)) result.push_back(values);
  }
  return result;
}

// Means and standard deviations over columns, as the network's own pooling computes them.
void pool(const std::vector<const float*>& columns, float* means, float* deviations) {
  std::fill_n(means, kColumnSize, 0.0F);
  std::fill_n(deviations, kColumnSize, 0.0F);
  const auto count = static_cast<float>(columns.size());
  for (const float* column : columns) {
    for (size_t i = 0; i < kColumnSize; ++i) means[i] += column[i];
  }
  for (size_t i = 0; i < kColumnSize; ++i) means[i] /= count;
  for (const float* column : columns) {
    for (size_t i = 0; i < kColumnSize; ++i) {
      const float difference = column[i] - means[i];
      deviations[i] += difference * difference;
    }
  }
  const float degrees = count - 1 + 1e-8F;
  for (size_t i = 0; i < kColumnSize; ++i) deviations[i] = std::sqrt(deviations[i] / degrees);
}

// All that one window gives: its local speakers and its units, embedded.
struct WindowUnits {
  std::vector<Unit> training;
  std::vector<Unit> assignment;
};

class WindowEmbedder {
 public:
  WindowEmbedder(const Networks& networks, const Columns& columns) : networks_(networks), columns_(columns) {}

  WindowUnits embed(VoiceWindow& window, uint32_t index) {
    WindowUnits units{cut_units(window.activity, index, kTrainingBridgeS, kTrainingLongestS),
                      cut_units(window.activity, index, kAssignmentBridgeS, kAssignmentLongestS)};
    for (size_t s = 0; s < kLocalSpeakers; ++s) {
      LocalSpeaker& speaker = window.speakers[s];
      speaker.active = std::any_of(window.activity.begin(), window.activity.end(),
                                   [&](uint8_t active) { return ((active >> s) & 1) != 0; });
      if (speaker.active) {
        speaker.embedded = want(window, s, 0, kSegmentFrames, 1, speaker.clean_s, speaker.embedding);
      }
    }
    for (std::vector<Unit>* list : {&units.training, &units.assignment}) {
      for (Unit& unit : *list) {
        unit.embedded = want(window, unit.speaker, unit.first, unit.last, 2, unit.clean_s, unit.embedding);
      }
    }
    finish();
    return units;
  }

 private:
  // Pools one stretch of a local speaker and notes where its embedding belongs; false where it is too short.
  bool want(const VoiceWindow& window, size_t speaker, int first, int last, size_t least_columns,
            float& clean_s, KeptEmbedding& target) {
    int clean_frames = 0;
    for (int i = first; i < last; ++i) clean_frames += clean(window, speaker, i) ? 1 : 0;
    clean_s = static_cast<float>(clean_frames * kFrameStep);
    const auto in_unit = [&](size_t frame) {
      return static_cast<int>(frame) >= first && static_cast<int>(frame) < last &&
             ((window.activity[frame] >> speaker) & 1) != 0;
    };
    std::vector<const float*> chosen;
    if (clean_s >= kLeastCleanS) {
      chosen = columns_where(columns_, window, first, last, [&](size_t frame) {
        return in_unit(frame) && !overlapped(window.activity[frame]);
      });
    }
    if (chosen.size() < least_columns) chosen = columns_where(columns_, window, first, last, in_unit);
    if (chosen.size() < least_columns) return false;
    statistics_.resize(statistics_.size() + 2 * kColumnSize);
    float* place = statistics_.data() + statistics_.size() - 2 * kColumnSize;
    pool(chosen, place, place + kColumnSize);
    targets_.push_back(&target);
    return true;
  }

  static bool clean(const VoiceWindow& window, size_t speaker, int frame) {
    return window.activity[static_cast<size_t>(frame)] == (1U << speaker);
  }

  // The last layer for all of the window at once: its matrix is read once.
  void finish() {
    const std::vector<float> embeddings = networks_.project(statistics_);
    for (size_t i = 0; i < targets_.size(); ++i) {
      Embedding embedding;
      std::copy_n(embeddings.begin() + static_cast<std::ptrdiff_t>(i * kEmbeddingSize), kEmbeddingSize,
                  embedding.begin());
      *targets_[i] = embedding;
    }
  }

  const Networks& networks_;
  const Columns& columns_;
  std::vector<float> statistics_;
  std::vector<KeptEmbedding*> targets_;
};

class VoiceHearing final : public Diarizer {
 public:
  VoiceHearing(std::unique_ptr<Networks> networks, int threads)
      : networks_(std::move(networks)), threads_(threads) {}

  Result<std::string> voices(const Pcm& pcm, std::span<const Piece> speech, const OnFraction& on_fraction,
                             std::stop_token stop) override {
    Voices voices;
    voices.sample_count = pcm.sample_count();
    voices.hop = kHopSamples;
    if (pcm.sample_count() < kFbankWindow) return to_bytes(voices);
    for (const int64_t start : window_starts(pcm.sample_count(), kHopSamples)) {
      VoiceWindow window;
      window.start = start;
      voices.windows.push_back(window);
    }
    TRY(segment(pcm, speech, voices, on_fraction, stop));
    TRY(embed(pcm, voices, on_fraction, stop));
    return to_bytes(voices);
  }

 private:
  static constexpr double kSegmentShare = 0.55;  // of the time

  // Batches do not depend on each other; a window without any speech is not looked at.
  Result<void> segment(const Pcm& pcm, std::span<const Piece> speech, Voices& voices,
                       const OnFraction& on_fraction, std::stop_token stop) {
    std::vector<size_t> wanted;
    for (size_t i = 0; i < voices.windows.size(); ++i) {
      const int64_t start = voices.windows[i].start;
      const auto heard = std::partition_point(speech.begin(), speech.end(),
                                              [&](const Piece& piece) { return piece.end <= start; });
      if (heard != speech.end() && heard->start < start + kSegmentSamples) wanted.push_back(i);
    }
    const std::vector<std::span<const size_t>> batches = batches_of(wanted, voices);
    std::vector<Segmenter::Room> rooms(static_cast<size_t>(threads_));
    std::mutex progress_mutex;
    int64_t done = 0;
    return parallel(std::ssize(batches), threads_, [&](int64_t index, int thread) -> Result<void> {
      if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
      const std::span<const size_t> batch = batches[static_cast<size_t>(index)];
      const int64_t start = voices.windows[batch.front()].start;
      std::vector<int64_t> offsets;
      for (const size_t i : batch) offsets.push_back(voices.windows[i].start - start);
      std::vector<float> samples(static_cast<size_t>(offsets.back() + kSegmentSamples));
      TRY(pcm.read(start, samples));
      const std::vector<float> scores =
          TRY(networks_->segment(samples, offsets, rooms[static_cast<size_t>(thread)]));
      constexpr size_t kScores = static_cast<size_t>(kSegmentFrames) * kSegmentClasses;
      for (size_t i = 0; i < batch.size(); ++i) {
        VoiceWindow& window = voices.windows[batch[i]];
        window.activity =
            activity_of(std::span(scores).subspan(i * kScores, kScores), heard_in(window.start, speech));
      }
      const std::lock_guard lock(progress_mutex);
      on_fraction(kSegmentShare * static_cast<double>(++done) / static_cast<double>(batches.size()));
      return {};
    });
  }

  // Windows to be segmented together: what lies between them is read, too, so they overlap. As many batches
  // as give all threads the same to do.
  std::vector<std::span<const size_t>> batches_of(std::span<const size_t> wanted,
                                                  const Voices& voices) const {
    const auto threads = static_cast<size_t>(threads_);
    const size_t rounds =
        std::max<size_t>(1, (wanted.size() + threads * kBatchWindows - 1) / (threads * kBatchWindows));
    const size_t most = (wanted.size() + rounds * threads - 1) / (rounds * threads);
    std::vector<std::span<const size_t>> batches;
    size_t first = 0;
    for (size_t i = 1; i <= wanted.size(); ++i) {
      const bool apart =
          i == wanted.size() ||
          voices.windows[wanted[i]].start - voices.windows[wanted[i - 1]].start >= kSegmentSamples;
      if (!apart && i - first < most) continue;
      batches.push_back(wanted.subspan(first, i - first));
      first = i;
    }
    return batches;
  }

  // Blocks of the trunk in order, a few at a time; a window is embedded once the blocks under it are there.
  Result<void> embed(const Pcm& pcm, Voices& voices, const OnFraction& on_fraction, std::stop_token stop) {
    const int64_t frame_count = fbank_frame_count(pcm.sample_count());
    const int64_t block_count = (frame_count + kBlockFrames - 1) / kBlockFrames;
    const std::vector<bool> spoken = blocks_with_speech(voices, block_count);
    Columns columns;
    size_t next_window = 0;
    for (int64_t first = 0; first < block_count; first += threads_) {
      const int64_t count = std::min<int64_t>(threads_, block_count - first);
      std::vector<std::vector<float>> made(static_cast<size_t>(count));
      TRY(parallel(count, threads_, [&](int64_t i, int) -> Result<void> {
        if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
        if (!spoken[static_cast<size_t>(first + i)]) return {};
        made[static_cast<size_t>(i)] = TRY(trunk_block(pcm, first + i, frame_count));
        return {};
      }));
      for (int64_t i = 0; i < count; ++i) columns.put(first + i, std::move(made[static_cast<size_t>(i)]));
      const bool last = first + count == block_count;
      const double ready_s = static_cast<double>((first + count) * kBlockFrames) * kFbankHop / kSampleRate;
      size_t end = next_window;
      while (end < voices.windows.size() &&
             (last ||
              static_cast<double>(voices.windows[end].start + kSegmentSamples) / kSampleRate <= ready_s)) {
        ++end;
      }
      TRY(embed_windows(columns, voices, next_window, end));
      next_window = end;
      if (next_window < voices.windows.size()) {
        columns.drop_before(voices.windows[next_window].start / (kBlockFrames * kFbankHop));
      }
      on_fraction(kSegmentShare + (1 - kSegmentShare) * static_cast<double>(first + count) /
                                      static_cast<double>(block_count));
    }
    return {};
  }

  static std::vector<bool> blocks_with_speech(const Voices& voices, int64_t block_count) {
    std::vector<bool> spoken(static_cast<size_t>(block_count));
    for (const VoiceWindow& window : voices.windows) {
      for (size_t frame = 0; frame < window.activity.size(); ++frame) {
        if (window.activity[frame] == 0) continue;
        const int64_t at = window.start + static_cast<int64_t>(frame) * kFrameStepSamples;
        // The frame's columns may lie in the block before or after.
        for (const int64_t near : {at, at + 2 * kFrameStepSamples + kFbankWindow}) {
          const int64_t block = near / (kBlockFrames * kFbankHop);
          if (block < block_count) spoken[static_cast<size_t>(block)] = true;
        }
      }
    }
    return spoken;
  }

  // A block's filter banks less their mean over the block and its neighbours, through the trunk.
  Result<std::vector<float>> trunk_block(const Pcm& pcm, int64_t block, int64_t frame_count) {
    const int64_t first = block * kBlockFrames;
    const int64_t last = std::min(first + kBlockFrames, frame_count);
    const int64_t from = std::max<int64_t>(0, first - kBlockFrames);
    const int64_t to = std::min(last + kBlockFrames, frame_count);
    const std::vector<float> frames = TRY(fbank(pcm, from, to - from));
    std::array<double, kFbankBins> sums{};
    for (size_t i = 0; i < frames.size(); ++i) sums[i % kFbankBins] += static_cast<double>(frames[i]);
    const auto begin = frames.begin() + (first - from) * kFbankBins;
    std::vector<float> own(begin, begin + (last - first) * kFbankBins);
    for (size_t i = 0; i < own.size(); ++i) {
      own[i] -= static_cast<float>(sums[i % kFbankBins] / static_cast<double>(to - from));
    }
    return networks_->trunk(own);
  }

  Result<void> embed_windows(const Columns& columns, Voices& voices, size_t first, size_t end) {
    std::vector<WindowUnits> units(end - first);
    TRY(parallel(static_cast<int64_t>(units.size()), threads_, [&](int64_t i, int) -> Result<void> {
      const size_t window = first + static_cast<size_t>(i);
      units[static_cast<size_t>(i)] =
          WindowEmbedder(*networks_, columns).embed(voices.windows[window], static_cast<uint32_t>(window));
      return {};
    }));
    for (const WindowUnits& of : units) {
      voices.training.insert(voices.training.end(), of.training.begin(), of.training.end());
      voices.assignment.insert(voices.assignment.end(), of.assignment.begin(), of.assignment.end());
    }
    return {};
  }

  std::unique_ptr<Networks> networks_;
  int threads_;
};

// ---- from units with speakers to turns

// Who speaks in each frame of the recording: votes of the windows over it.
struct Votes {
  size_t speakers = 0;
  std::vector<uint8_t> for_speaker;  // [frame][speaker]
  std::vector<uint16_t> active;      // [frame]: local speakers active, summed over windows
  std::vector<uint16_t> windows;     // [frame]: windows over it
};

int64_t global_frame(int64_t sample) {
  return static_cast<int64_t>(std::lround(static_cast<double>(sample) / kFrameStepSamples));
}

Votes count_votes(const Voices& voices, std::span<const int> clusters, size_t speaker_count) {
  Votes votes;
  votes.speakers = speaker_count;
  const auto frames = static_cast<size_t>(global_frame(voices.windows.back().start) + kSegmentFrames);
  votes.for_speaker.resize(frames * speaker_count);
  votes.active.resize(frames);
  votes.windows.resize(frames);
  size_t unit = 0;
  for (size_t w = 0; w < voices.windows.size(); ++w) {
    const Activity& activity = voices.windows[w].activity;
    const auto base = static_cast<size_t>(global_frame(voices.windows[w].start));
    for (size_t i = 0; i < activity.size(); ++i) {
      votes.active[base + i] = static_cast<uint16_t>(votes.active[base + i] + std::popcount(activity[i]));
      votes.windows[base + i] = static_cast<uint16_t>(votes.windows[base + i] + 1);
    }
    // Two local speakers of one window may turn out to be one person: that is one vote.
    std::vector<std::array<bool, kSegmentFrames>> voted(speaker_count, std::array<bool, kSegmentFrames>{});
    for (; unit < voices.assignment.size() && voices.assignment[unit].window == w; ++unit) {
      const Unit& of = voices.assignment[unit];
      auto& mine = voted[static_cast<size_t>(clusters[unit])];
      for (size_t i = of.first; i < of.last; ++i) mine[i] = mine[i] || ((activity[i] >> of.speaker) & 1) != 0;
    }
    for (size_t k = 0; k < speaker_count; ++k) {
      for (size_t i = 0; i < activity.size(); ++i) {
        uint8_t& count = votes.for_speaker[(base + i) * speaker_count + k];
        if (voted[k][i] && count < 255) ++count;
      }
    }
  }
  return votes;
}

// The speakers of each frame: as many as the windows saw on average, those with most votes.
std::vector<std::vector<bool>> decide(const Votes& votes) {
  std::vector<std::vector<bool>> active(votes.speakers, std::vector<bool>(votes.active.size()));
  std::vector<size_t> order(votes.speakers);
  for (size_t frame = 0; frame < votes.active.size(); ++frame) {
    if (votes.windows[frame] == 0) continue;
    const auto wanted = static_cast<size_t>(
        std::nearbyint(static_cast<double>(votes.active[frame]) / static_cast<double>(votes.windows[frame])));
    const uint8_t* row = votes.for_speaker.data() + frame * votes.speakers;
    for (size_t k = 0; k < order.size(); ++k) order[k] = k;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return row[a] > row[b]; });
    for (size_t k = 0; k < std::min(wanted, order.size()) && row[order[k]] > 0; ++k)
      active[order[k]][frame] = true;
  }
  return active;
}

std::vector<Turn> turns_of(const std::vector<bool>& active, int speaker, double duration_s) {
  std::vector<Turn> turns;
  for (size_t i = 0; i < active.size();) {
    if (!active[i]) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < active.size() && active[end]) ++end;
    const double start_s = i == 0 ? 0 : kFrameCenter + static_cast<double>(i) * kFrameStep;
    const double end_s = std::min(duration_s, kFrameCenter + static_cast<double>(end) * kFrameStep);
    if (!turns.empty() && start_s - turns.back().end <= kTurnBridgeS) {
      turns.back().end = end_s;
    } else if (start_s < end_s) {
      turns.push_back({start_s, end_s, speaker});
    }
    i = end;
  }
  return turns;
}

// Speakers are numbered by who is heard first.
void number_by_appearance(std::vector<Turn>& turns) {
  std::stable_sort(turns.begin(), turns.end(),
                   [](const Turn& a, const Turn& b) { return a.start < b.start; });
  std::map<int, int> names;
  for (Turn& turn : turns) {
    turn.speaker = names.emplace(turn.speaker, static_cast<int>(names.size())).first->second;
  }
}

}  // namespace

Result<std::unique_ptr<Diarizer>> Diarizer::load(const ModelFiles& files, int threads) {
  return std::make_unique<VoiceHearing>(TRY(Networks::load(files)), resolved_threads(threads));
}

Result<std::vector<Turn>> turns(std::string bytes, const SpeakerCount& speakers, std::stop_token stop) {
  const Voices voices = TRY(voices_from_bytes(bytes));
  std::string().swap(bytes);  // tens of megabytes for a long recording, and what follows takes as many
  const ClusteringChoices choices;
  Clusters clusters = TRY(find_clusters(voices, speakers, choices, stop));
  if (voices.assignment.empty()) return std::vector<Turn>();
  // Speech too short for any embedding is still somebody's.
  if (clusters.centroids.empty()) clusters.centroids.emplace_back();
  const std::vector<int> assigned = assign(voices, clusters, choices);
  const Votes votes = count_votes(voices, assigned, clusters.centroids.size());
  const double duration_s = static_cast<double>(voices.sample_count) / kSampleRate;
  std::vector<Turn> result;
  const std::vector<std::vector<bool>> active = decide(votes);
  for (size_t k = 0; k < active.size(); ++k) {
    const std::vector<Turn> own = turns_of(active[k], static_cast<int>(k), duration_s);
    result.insert(result.end(), own.begin(), own.end());
  }
  number_by_appearance(result);
  return result;
}

}  // namespace hansard::engine
