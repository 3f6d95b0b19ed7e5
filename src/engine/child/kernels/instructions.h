// The kernels for each set of instructions; the processor must have them.
#pragma once

#include "engine/child/kernels/kernels.h"

namespace hansard::engine::kernels {

const Set& avx512_vnni();
const Set& avx_vnni();
const Set& avx2();

}  // namespace hansard::engine::kernels
