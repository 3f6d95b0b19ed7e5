#include "engine/types.h"

namespace hansard::engine {

int64_t Window::sample_count() const {
  int64_t count = 0;
  for (const Piece& piece : pieces) count += piece.end - piece.start;
  return count;
}

}  // namespace hansard::engine
