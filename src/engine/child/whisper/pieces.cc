#include "engine/child/whisper/pieces.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/audio.h"

namespace hansard::engine::whisper {
namespace {

// At a joint with a gap, the pieces on both sides are padded by 0.4 s in which there is no speech.
constexpr double kJointPadSeconds = 0.4;

double seconds(int64_t samples) {
  return static_cast<double>(samples) / kSampleRate;
}
int64_t samples(double time_seconds) {
  return std::llround(time_seconds * kSampleRate);
}

}  // namespace

int64_t sample_count(std::span<const Piece> pieces) {
  int64_t count = 0;
  for (const Piece& piece : pieces) count += piece.end - piece.start;
  return count;
}

double seconds_of(std::span<const Piece> pieces) {
  return seconds(sample_count(pieces));
}

Span to_recording(std::span<const Piece> pieces, Span in_window) {
  double best_overlap = -1;
  double best_speech = -1;
  Span best{};
  double begin = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const double end = begin + seconds(pieces[i].end - pieces[i].start);
    const auto overlap = [&](double from, double to) {
      return std::min(to, in_window.end) - std::max(from, in_window.start);
    };
    const double all = overlap(begin, end);
    const double pad_before = i == 0 ? 0 : kJointPadSeconds;
    const double pad_after = i + 1 == pieces.size() ? 0 : kJointPadSeconds;
    const double speech = std::max(0.0, overlap(begin + pad_before, end - pad_after));
    // Where neither piece holds speech of it, the one that holds more; before all pieces or after them, the
    // nearest.
    if (speech > best_speech || (speech == best_speech && all > best_overlap)) {
      best_speech = speech;
      best_overlap = all;
      const double offset = seconds(pieces[i].start) - begin;
      best = {std::clamp(in_window.start, begin, end) + offset,
              std::clamp(in_window.end, begin, end) + offset};
    }
    begin = end;
  }
  return best;
}

std::vector<Piece> pieces_after(std::span<const Piece> pieces, double seconds_in) {
  int64_t skip = std::max<int64_t>(0, samples(seconds_in));
  std::vector<Piece> rest;
  for (Piece piece : pieces) {
    const int64_t length = piece.end - piece.start;
    const int64_t here = std::min(skip, length);
    skip -= here;
    piece.start += here;
    if (piece.start < piece.end) rest.push_back(piece);
  }
  return rest;
}

std::pair<std::vector<Piece>, std::vector<Piece>> halves(std::span<const Piece> pieces) {
  const int64_t total = sample_count(pieces);
  int64_t cut = total / 2;
  int64_t distance = total / 4;
  int64_t position = 0;
  for (const Piece& piece : pieces) {
    position += piece.end - piece.start;
    if (std::abs(position - total / 2) >= distance) continue;
    distance = std::abs(position - total / 2);
    cut = position;
  }
  std::vector<Piece> first;
  std::vector<Piece> second;
  for (const Piece& piece : pieces) {
    const int64_t here = std::clamp<int64_t>(cut, 0, piece.end - piece.start);
    if (here > 0) first.push_back({piece.start, piece.start + here});
    if (piece.start + here < piece.end) second.push_back({piece.start + here, piece.end});
    cut -= here;
  }
  return {std::move(first), std::move(second)};
}

}  // namespace hansard::engine::whisper
