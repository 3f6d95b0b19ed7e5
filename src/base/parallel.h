// Work that several threads share.
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <future>
#include <vector>

namespace hansard {

// As many threads as asked for; asked for none, one for each physical core that this process may run on.
int resolved_threads(int asked);

// Calls work(i, thread) once for each i in [0, count), on `threads` threads at most, this one among them;
// `thread` counts them from 0. Results must go where i says, so that they do not depend on the number of
// threads. Ends when all have ended; throws what one of them threw.
template <std::integral Index, typename Work>
void in_parallel(Index count, int threads, const Work& work) {
  std::atomic<Index> next = 0;
  const auto run = [&](int thread) {
    for (Index i = next++; i < count; i = next++) work(i, thread);
  };
  std::vector<std::future<void>> others;  // their destructors wait
  for (int thread = 1; thread < std::min<Index>(threads, count); ++thread) {
    others.push_back(std::async(std::launch::async, run, thread));
  }
  run(0);
  for (std::future<void>& other : others) other.get();
}

}  // namespace hansard
