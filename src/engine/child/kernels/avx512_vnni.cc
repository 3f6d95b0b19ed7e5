// Compiled for AVX-512 with VNNI alone.
#include <immintrin.h>

#include "engine/child/kernels/instructions.h"
#include "engine/child/kernels/set_on.h"

namespace hansard::engine::kernels {
namespace {

struct Registers {
  using Floats = __m512;
  using Ints = __m512i;
  using Mask = __mmask16;

  static constexpr const char* kName = "AVX512";
  static constexpr int kLanes = 16;
  static constexpr int kPack = 4;
  static constexpr int kTileRows = 12;
  static constexpr int kMixRegisters = 4;

  // Of lanes.
  static Mask first(int count) {
    const unsigned lanes = count <= 0 ? 0U : count >= kLanes ? kLanes : static_cast<unsigned>(count);
    return static_cast<Mask>((1U << lanes) - 1U);
  }

  static Floats zero() { return _mm512_setzero_ps(); }
  static Floats all(float value) { return _mm512_set1_ps(value); }
  static Floats load(const float* from) { return _mm512_loadu_ps(from); }
  static Floats load(const float* from, Mask lanes) { return _mm512_maskz_loadu_ps(lanes, from); }
  static void store(float* to, Floats a) { _mm512_storeu_ps(to, a); }
  static void store(float* to, Floats a, Mask lanes) { _mm512_mask_storeu_ps(to, lanes, a); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  static Floats fmadd(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats abs(Floats a) { return _mm512_abs_ps(a); }
  static Floats reciprocal(Floats a) { return _mm512_rcp14_ps(a); }
  static Floats nearest(Floats a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Floats times_power_of_2(Floats a, Ints power) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(power, 23)));
  }
  static Mask less(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static Floats select(Mask lanes, Floats yes, Floats no) { return _mm512_mask_blend_ps(lanes, no, yes); }
  static float sum(Floats a) { return _mm512_reduce_add_ps(a); }
  static float largest(Floats a) { return _mm512_reduce_max_ps(a); }
  static Floats load_halves(const uint16_t* from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static void store_halves(uint16_t* to, Floats a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }

  static Ints no_ints() { return _mm512_setzero_si512(); }
  static Ints all_ints(int value) { return _mm512_set1_epi32(value); }
  static Ints counting() { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
  static Ints to_ints(Floats a) { return _mm512_cvtps_epi32(a); }
  static Floats to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }
  static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  static Ints sub(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
  static Ints merge(Ints a, Ints b) { return _mm512_or_si512(a, b); }
  static Ints keep_byte(Ints a) { return _mm512_and_si512(a, _mm512_set1_epi32(0xFF)); }
  static Ints keep(Mask lanes, Ints a) { return _mm512_maskz_mov_epi32(lanes, a); }
  static Ints left(Ints a, int bits) { return _mm512_sllv_epi32(a, _mm512_set1_epi32(bits)); }
  template <int kBits>
  static Ints right(Ints a) {
    return _mm512_srli_epi32(a, kBits);
  }
  static Ints select(Mask lanes, Ints yes, Ints no) { return _mm512_mask_blend_epi32(lanes, no, yes); }
  static int32_t sum(Ints a) { return _mm512_reduce_add_epi32(a); }
  static void store_ints(void* to, Ints a) { _mm512_storeu_si512(to, a); }
  // The low byte of each lane.
  static void store_bytes(uint8_t* to, Ints a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(a));
  }

  // ---- products: inputs are bytes, signed but for weights of attention; four meet four in a lane

  static void store_inputs(uint8_t* to, Ints a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtsepi32_epi8(a));
  }
  static Ints load_weights(const uint8_t* from) { return _mm512_loadu_si512(from); }
  static Ints dot(Ints sums, Ints unsigned_bytes, Ints signed_bytes) {
    return _mm512_dpbusd_epi32(sums, unsigned_bytes, signed_bytes);
  }
};

}  // namespace

const Set& avx512_vnni() {
  static constexpr SetOn<Registers> kSet;
  return kSet;
}

}  // namespace hansard::engine::kernels
