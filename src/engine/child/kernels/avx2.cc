// Compiled for AVX2, FMA and F16C alone.
#include "engine/child/kernels/instructions.h"
#include "engine/child/kernels/registers256.h"
#include "engine/child/kernels/set_on.h"

namespace hansard::engine::kernels {
namespace {

struct Unit;

// Inputs have 16 bits, so that nothing saturates; two meet two in a lane.
struct Avx2 : Registers256<Unit> {
  static constexpr const char* kName = "AVX2";
  static constexpr int kPack = 2;

  static void store_inputs(uint8_t* to, Ints a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packs_epi32(low(a), high(a)));
  }
  // The low 16 bits of each lane, the others being zero.
  static void store_pairs(uint8_t* to, Ints a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_packus_epi32(low(a), high(a)));
  }
  static Ints load_weights(const uint8_t* from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static Ints dot(Ints sums, Ints weights, Ints inputs) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(weights, inputs));
  }
};

}  // namespace

const Set& avx2() {
  static constexpr SetOn<Avx2> kSet;
  return kSet;
}

}  // namespace hansard::engine::kernels
