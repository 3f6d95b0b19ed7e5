// The kernels of avx_vnni.cc by the instruction that AVX-512 has for the same products: processors that have
// this one are common where tests run, those with AVX-VNNI are not.
#include "engine/child/kernels/registers256.h"
#include "engine/child/kernels/set_on.h"

namespace hansard::engine::kernels {
namespace {

struct Unit;

struct AvxVnniInAvx512 : ByteRegisters256<Unit> {
  static constexpr const char* kName = "AVXVNNI_in_AVX512";

  static Ints dot(Ints sums, Ints unsigned_bytes, Ints signed_bytes) {
    return _mm256_dpbusd_epi32(sums, unsigned_bytes, signed_bytes);
  }
};

}  // namespace

const Set& avx_vnni_in_avx512();
const Set& avx_vnni_in_avx512() {
  static constexpr SetOn<AvxVnniInAvx512> kSet;
  return kSet;
}

}  // namespace hansard::engine::kernels
