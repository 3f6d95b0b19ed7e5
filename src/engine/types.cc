#include "engine/types.h"

namespace hansard::engine {

int64_t Window::sample_count() const {
  int64_t count = 0;
  for (const Piece& piece : pieces) count += piece.end - piece.start;
  return count;
}

Effort& Effort::operator+=(const Effort& other) {
  for (const auto& [step, took] : other.seconds) seconds[step] += took;
  for (const auto& [what, count] : other.counts) counts[what] += count;
  return *this;
}

}  // namespace hansard::engine
