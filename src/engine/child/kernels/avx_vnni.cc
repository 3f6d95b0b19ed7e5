// Compiled for AVX2, FMA, F16C and AVX-VNNI alone: processors that have dot products of bytes, but no
// registers of 512 bits.
#include "engine/child/kernels/instructions.h"
#include "engine/child/kernels/registers256.h"
#include "engine/child/kernels/set_on.h"

namespace hansard::engine::kernels {
namespace {

struct Unit;

struct AvxVnni : ByteRegisters256<Unit> {
  static constexpr const char* kName = "AVXVNNI";

  static Ints dot(Ints sums, Ints unsigned_bytes, Ints signed_bytes) {
    return _mm256_dpbusd_avx_epi32(sums, unsigned_bytes, signed_bytes);
  }
};

}  // namespace

const Set& avx_vnni() {
  static constexpr SetOn<AvxVnni> kSet;
  return kSet;
}

}  // namespace hansard::engine::kernels
