#include "engine/child/kernels/kernels.h"

#include <cstdlib>
#include <string_view>

namespace hansard::engine::kernels {

bool supported() {
  const char* taken_for = std::getenv("CT2_FORCE_CPU_ISA");
  if (taken_for != nullptr && std::string_view(taken_for) != "AVX512") return false;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

}  // namespace hansard::engine::kernels
