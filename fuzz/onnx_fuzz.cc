// A segmentation.onnx from anywhere: its nodes and tensors.

#include "engine/child/kernels/onnx_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)hansard::engine::kernels::read_onnx(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
