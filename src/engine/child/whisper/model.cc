#include "engine/child/whisper/model.h"

#include <algorithm>
#include <new>

#include <fmt/format.h>

#include "engine/child/kernels/kernels.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {

Result<std::unique_ptr<Model>> Model::load(const ModelFiles& files, const Tokenizer& tokenizer, Device device,
                                           ComputeType compute_type, int threads) {
  for (const char* name : {"model.bin", "config.json"}) {
    if (files.fd(name) >= 0) continue;
    return fail(ErrorCode::model_corrupt, fmt::format("The model {} has no file {}.", files.id, name));
  }
  if (device == Device::cpu && compute_type == ComputeType::int8 && kernels::supported()) {
    std::unique_ptr<Model> model = TRY(load_with_kernels(files, tokenizer, threads));
    if (model != nullptr) return model;
  }
  return load_with_ctranslate2(files, device, compute_type, threads);
}

std::vector<TokenTime> token_times(std::span<const int> first_positions, std::span<const float> probabilities,
                                   double seconds) {
  const auto time = [&](size_t i) {
    if (i >= first_positions.size() || first_positions[i] < 0) return seconds;
    return std::min(seconds, first_positions[i] * strategy::kAlignmentSeconds);
  };
  std::vector<TokenTime> times;
  for (size_t i = 0; i < probabilities.size(); ++i) times.push_back({time(i), time(i + 1), probabilities[i]});
  return times;
}

Error failure(std::string_view what, const std::exception& error) {
  const bool memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
                      std::string_view(error.what()).find("out of memory") != std::string_view::npos;
  if (memory)
    return {ErrorCode::out_of_memory, fmt::format("There is not enough memory for {}.", what), error.what()};
  return {ErrorCode::internal, fmt::format("The model failed at {}.", what), error.what()};
}

}  // namespace hansard::engine::whisper
