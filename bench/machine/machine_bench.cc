// What this machine can do at most: multiply-adds in int8, bfloat16 and float32 with all operands in
// registers, and bytes read from memory and from the last cache. One line of JSON on standard output;
// bench/limit sets it beside what the models need.
//
//   machine-bench THREADS
#include <immintrin.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace {

using Clock = std::chrono::steady_clock;

// Enough sums that none waits for the one before it, and few enough that AVX2's 16 registers hold them.
constexpr int kSums = 12;
constexpr int64_t kRepeats = 3'000'000;
constexpr int kRuns = 60;  // short ones, and the best counts: others may want the cores too
constexpr size_t kMemoryBytes = size_t{256} << 20;
constexpr size_t kCacheBytes = size_t{4} << 20;

// What a kernel has summed ends here, so that it has to be summed.
volatile int64_t sink;

// Each kernel does `repeats` rounds of kSums operations on vectors. How many multiply-adds one of these is,
// is told with the kernel.
using Kernel = void (*)(int64_t repeats);

struct Rated {
  std::string_view instructions;  // empty: this processor has none
  int multiply_adds = 0;          // of one operation
  Kernel kernel = nullptr;
};

// The body of all kernels; a lambda would not have the function's instructions.
// NOLINTBEGIN(cppcoreguidelines-macro-usage)
#define SUM_UP(Vector, zero, operation)                                           \
  Vector sums[kSums];                                                             \
  for (Vector & sum : sums) sum = zero;                                           \
  for (int64_t n = 0; n < repeats; ++n) {                                         \
    _Pragma("clang loop unroll(full)") for (Vector & sum : sums) sum = operation; \
  }                                                                               \
  for (Vector & sum : sums) sink = sink + reinterpret_cast<const int64_t&>(sum)
// NOLINTEND(cppcoreguidelines-macro-usage)

[[gnu::target("avx512f,avx512vnni")]] void int8_avx512(int64_t repeats) {
  const __m512i a = _mm512_set1_epi8(3);
  const __m512i b = _mm512_set1_epi8(5);
  SUM_UP(__m512i, _mm512_setzero_si512(), _mm512_dpbusd_epi32(sum, a, b));
}

[[gnu::target("avx2,avxvnni")]] void int8_avx_vnni(int64_t repeats) {
  const __m256i a = _mm256_set1_epi8(3);
  const __m256i b = _mm256_set1_epi8(5);
  SUM_UP(__m256i, _mm256_setzero_si256(), _mm256_dpbusd_avx_epi32(sum, a, b));
}

// As without VNNI: products of pairs, sums of pairs, and then the sum. The first factor changes with the sum,
// or all but the last step would be done once.
[[gnu::target("avx2")]] void int8_avx2(int64_t repeats) {
  const __m256i b = _mm256_set1_epi8(5);
  const __m256i ones = _mm256_set1_epi16(1);
  SUM_UP(__m256i, _mm256_setzero_si256(),
         _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(sum, b), ones)));
}

[[gnu::target("avx512f,avx512bf16")]] void bf16_avx512(int64_t repeats) {
  const __m512 ones = _mm512_set1_ps(1);
  const auto a = _mm512_cvtne2ps_pbh(ones, ones);
  SUM_UP(__m512, _mm512_setzero_ps(), _mm512_dpbf16_ps(sum, a, a));
}

[[gnu::target("avx512f")]] void fp32_avx512(int64_t repeats) {
  const __m512 a = _mm512_set1_ps(0.5F);
  SUM_UP(__m512, _mm512_setzero_ps(), _mm512_fmadd_ps(sum, a, a));
}

[[gnu::target("avx2,fma")]] void fp32_avx2(int64_t repeats) {
  const __m256 a = _mm256_set1_ps(0.5F);
  SUM_UP(__m256, _mm256_setzero_ps(), _mm256_fmadd_ps(sum, a, a));
}

Rated best_int8() {
  if (__builtin_cpu_supports("avx512vnni") != 0) return {"AVX-512 VNNI", 64, int8_avx512};
  if (__builtin_cpu_supports("avxvnni") != 0) return {"AVX VNNI", 32, int8_avx_vnni};
  if (__builtin_cpu_supports("avx2") != 0) return {"AVX2", 32, int8_avx2};
  return {};
}

Rated best_bf16() {
  if (__builtin_cpu_supports("avx512bf16") != 0) return {"AVX-512 BF16", 32, bf16_avx512};
  return {};
}

Rated best_fp32() {
  if (__builtin_cpu_supports("avx512f") != 0) return {"AVX-512", 16, fp32_avx512};
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0)
    return {"AVX2", 8, fp32_avx2};
  return {};
}

// Seconds that all threads together need, who begin at the same time: `work` is told which of them it is.
template <typename Work>
double seconds_of(int threads, const Work& work) {
  Clock::time_point began;
  std::barrier start(threads, [&]() noexcept { began = Clock::now(); });
  std::vector<std::jthread> all;
  for (int thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] {
      start.arrive_and_wait();
      work(thread);
    });
  }
  all.clear();
  return std::chrono::duration<double>(Clock::now() - began).count();
}

// Multiply-adds a second, in thousand millions; 0 without such instructions.
double rate(const Rated& rated, int threads) {
  if (rated.kernel == nullptr) return 0;
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const double took_s = seconds_of(threads, [&](int /*thread*/) { rated.kernel(kRepeats); });
    best =
        std::max(best, static_cast<double>(kRepeats) * kSums * rated.multiply_adds * threads / took_s / 1e9);
  }
  return best;
}

void read_all(const uint64_t* data, size_t count) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane) sums[lane] += data[i + lane];
  }
  for (const uint64_t sum : sums) sink = sink + static_cast<int64_t>(sum);
}

// Gigabytes a second out of so many bytes for each thread, read again and again.
double bandwidth(size_t bytes, int threads) {
  const size_t count = bytes / sizeof(uint64_t);
  const size_t passes = kMemoryBytes / bytes;
  std::vector<std::vector<uint64_t>> data(static_cast<size_t>(threads), std::vector<uint64_t>(count, 1));
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const double took_s = seconds_of(threads, [&](int thread) {
      for (size_t pass = 0; pass < passes; ++pass) read_all(data[static_cast<size_t>(thread)].data(), count);
    });
    best = std::max(best, static_cast<double>(passes * bytes * static_cast<size_t>(threads)) / took_s / 1e9);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1) {
    fmt::print(stderr, "usage: machine-bench THREADS\n");
    return 2;
  }
  fmt::print(R"({{"threads": {})", threads);
  for (const auto& [name, rated] :
       {std::pair{"int8", best_int8()}, {"bf16", best_bf16()}, {"fp32", best_fp32()}}) {
    fmt::print(R"(, "{}": {{"instructions": "{}", "giga_multiply_adds": {:.1f}}})", name, rated.instructions,
               rate(rated, threads));
  }
  fmt::print(R"(, "memory_gb": {:.1f}, "cache_gb": {:.1f}}})"
             "\n",
             bandwidth(kMemoryBytes, threads), bandwidth(kCacheBytes, threads));
  return 0;
}
