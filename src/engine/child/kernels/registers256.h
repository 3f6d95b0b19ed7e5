// What registers of 256 bits can do, but for products of bytes: for processors with AVX2, FMA and F16C.
// `Unit` is a type of the unit that is compiled for the processor, so that nothing made here is taken for
// another's.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace hansard::engine::kernels {

template <typename Unit>
struct Registers256 {
  using Floats = __m256;
  using Ints = __m256i;
  using Mask = __m256i;

  static constexpr int kLanes = 8;
  // With two registers each, two of weights and one of inputs: all but one of those that there are.
  static constexpr int kTileRows = 6;
  static constexpr int kMixRegisters = 2;

  // Of lanes.
  static Mask first(int count) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), counting()); }

  static Floats zero() { return _mm256_setzero_ps(); }
  static Floats all(float value) { return _mm256_set1_ps(value); }
  static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  static Floats load(const float* from, Mask lanes) { return _mm256_maskload_ps(from, lanes); }
  static void store(float* to, Floats a) { _mm256_storeu_ps(to, a); }
  static void store(float* to, Floats a, Mask lanes) { _mm256_maskstore_ps(to, lanes, a); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
  static Floats fmadd(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats abs(Floats a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a); }
  static Floats reciprocal(Floats a) {
    const Floats about = _mm256_rcp_ps(a);  // 12 bits
    return _mm256_mul_ps(about, _mm256_fnmadd_ps(a, about, _mm256_set1_ps(2.0F)));
  }
  static Floats nearest(Floats a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static Floats times_power_of_2(Floats a, Ints power) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(power, 23)));
  }
  static Mask less(Floats a, Floats b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
  static Floats select(Mask lanes, Floats yes, Floats no) {
    return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(lanes));
  }
  static float sum(Floats a) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }
  static float largest(Floats a) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }
  static Floats load_halves(const uint16_t* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static void store_halves(uint16_t* to, Floats a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }

  static Ints no_ints() { return _mm256_setzero_si256(); }
  static Ints all_ints(int value) { return _mm256_set1_epi32(value); }
  static Ints counting() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
  static Ints to_ints(Floats a) { return _mm256_cvtps_epi32(a); }
  static Floats to_floats(Ints a) { return _mm256_cvtepi32_ps(a); }
  static Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  static Ints sub(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
  static Ints merge(Ints a, Ints b) { return _mm256_or_si256(a, b); }
  static Ints keep_byte(Ints a) { return _mm256_and_si256(a, _mm256_set1_epi32(0xFF)); }
  static Ints keep(Mask lanes, Ints a) { return _mm256_and_si256(lanes, a); }
  template <int kBits>
  static Ints right(Ints a) {
    return _mm256_srli_epi32(a, kBits);
  }
  static Ints left(Ints a, int bits) { return _mm256_sllv_epi32(a, _mm256_set1_epi32(bits)); }
  static Ints select(Mask lanes, Ints yes, Ints no) { return _mm256_blendv_epi8(no, yes, lanes); }
  static int32_t sum(Ints a) {
    __m128i four = _mm_add_epi32(low(a), high(a));
    four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 1)));
  }
  static void store_ints(void* to, Ints a) { _mm256_storeu_si256(static_cast<__m256i*>(to), a); }
  // The low byte of each lane.
  static void store_bytes(uint8_t* to, Ints a) {
    const __m128i pick = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i bytes = _mm_unpacklo_epi32(_mm_shuffle_epi8(low(a), pick), _mm_shuffle_epi8(high(a), pick));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), bytes);
  }
  static __m128i low(Ints a) { return _mm256_castsi256_si128(a); }
  static __m128i high(Ints a) { return _mm256_extracti128_si256(a, 1); }
};

// Inputs are bytes, four of which meet four in a lane.
template <typename Unit>
struct ByteRegisters256 : Registers256<Unit> {
  using Ints = __m256i;
  static constexpr int kPack = 4;

  static void store_inputs(uint8_t* to, Ints a) {
    const __m128i words = _mm_packs_epi32(Registers256<Unit>::low(a), Registers256<Unit>::high(a));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
  }
  static Ints load_weights(const uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
};

}  // namespace hansard::engine::kernels
