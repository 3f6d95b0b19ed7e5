#include "engine/child/kernels/kernels.h"

#include <cstdlib>
#include <string_view>
#include <vector>

#include "engine/child/kernels/instructions.h"

namespace hansard::engine::kernels {

std::span<const Set* const> sets() {
  static const std::vector<const Set*> all = [] {
    std::vector<const Set*> found;
#if defined(__x86_64__)
    const bool fused =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (fused && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni")) {
      found.push_back(&avx512_vnni());
    }
    if (fused && __builtin_cpu_supports("avxvnni")) found.push_back(&avx_vnni());
    if (fused) found.push_back(&avx2());
#endif
    return found;
  }();
  return all;
}

const Set* best() {
  static const Set* const chosen = []() -> const Set* {
    const char* forced = std::getenv("CT2_FORCE_CPU_ISA");
    const std::string_view at_most = forced == nullptr ? "AVX512" : forced;
    for (const Set* set : sets()) {
      if (at_most == "AVX512" || (at_most == "AVX2" && set->instructions() == at_most)) return set;
    }
    return nullptr;
  }();
  return chosen;
}

}  // namespace hansard::engine::kernels
