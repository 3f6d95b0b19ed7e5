// A model.bin from anywhere: what is in it, and whether it is a model that can be loaded.

#include <sys/mman.h>

#include "base/file.h"
#include "engine/child/whisper/network.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hansard;
  using namespace hansard::engine::whisper;
  const UniqueFd file(::memfd_create("model.bin", 0));
  if (!write_all(file.get(), std::string_view(reinterpret_cast<const char*>(data), size))) return 0;
  const Result<WeightsFile> weights = WeightsFile::open(file.get());
  if (!weights) return 0;
  (void)Network::can_load(*weights);
  for (const char* name : {"encoder/conv1/weight", "decoder/embeddings/weight", "decoder/layer_norm/gamma"}) {
    (void)weights->read(name, 16);
  }
  return 0;
}
