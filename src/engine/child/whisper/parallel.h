// Work that several threads share.
#pragma once

#include <algorithm>
#include <atomic>
#include <future>
#include <vector>

namespace hansard::engine::whisper {

// Calls work(i, thread) once for each i in [0, count), on `threads` threads at most, this one among them;
// `thread` counts them from 0. Ends when all have; throws what one of them threw.
template <typename Work>
void in_parallel(int count, int threads, const Work& work) {
  std::atomic<int> next = 0;
  const auto run = [&](int thread) {
    for (int i = next++; i < count; i = next++) work(i, thread);
  };
  std::vector<std::future<void>> others;  // their destructors wait
  for (int thread = 1; thread < std::min(threads, count); ++thread) {
    others.push_back(std::async(std::launch::async, run, thread));
  }
  run(0);
  for (std::future<void>& other : others) other.get();
}

}  // namespace hansard::engine::whisper
