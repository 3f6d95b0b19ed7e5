#include "engine/child/whisper/model.h"

#include <algorithm>
#include <chrono>
#include <new>

#include <fmt/format.h>

#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {

Result<std::unique_ptr<Model>> Model::load(const ModelFiles& files, const Tokenizer& tokenizer, Device device,
                                           ComputeType compute_type, int threads) {
  for (const char* name : {"model.bin", "config.json"}) {
    if (files.fd(name) >= 0) continue;
    return fail(ErrorCode::model_corrupt, fmt::format("The model {} has no file {}.", files.id, name));
  }
  const kernels::Set* set = kernels::best();
  if (device == Device::cpu && compute_type == ComputeType::int8 && set != nullptr) {
    std::unique_ptr<Model> model = TRY(load_with_kernels(files, tokenizer, threads, *set));
    if (model != nullptr) return model;
  }
  return load_with_ctranslate2(files, device, compute_type, threads);
}

template <typename Work>
auto Model::timed(std::string_view step, const Work& work) {
  const auto began = std::chrono::steady_clock::now();
  auto result = work();
  effort_.seconds[std::string(step)] +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return result;
}

Result<std::vector<EncodingPtr>> Model::encode(std::span<const Features> windows) {
  effort_.counts["windows"] += std::ssize(windows);
  return timed("encode", [&] { return do_encode(windows); });
}

Result<std::vector<Hypothesis>> Model::generate(std::span<const EncodingPtr> windows,
                                                std::span<const std::vector<int>> prompts,
                                                const Search& search) {
  auto found = timed(search.beam_size > 1 ? "decode with a beam" : "decode",
                     [&] { return do_generate(windows, prompts, search); });
  // The end of a text is a token, too.
  if (found) {
    for (const Hypothesis& text : *found) effort_.counts["tokens"] += std::ssize(text.tokens) + 1;
  }
  return found;
}

Result<std::vector<std::vector<TokenTime>>> Model::align(std::span<const Alignment> windows) {
  return timed("align", [&] { return do_align(windows); });
}

Result<std::vector<Model::Languages>> Model::detect_language(std::span<const EncodingPtr> windows) {
  return timed("language", [&] { return do_detect_language(windows); });
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
