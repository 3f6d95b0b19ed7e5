#include "engine/child/whisper/transcriber.h"

#include <dlfcn.h>

#include <algorithm>
#include <optional>

#include <ctranslate2/devices.h>
#include <fmt/format.h>

#include "base/parallel.h"
#include "engine/child/whisper/encoder.h"
#include "engine/child/whisper/language_detector.h"
#include "engine/child/whisper/model.h"
#include "engine/child/whisper/prompt.h"
#include "engine/child/whisper/strategy.h"
#include "engine/child/whisper/tokenizer.h"
#include "engine/child/whisper/window_reader.h"

namespace hansard::engine {
namespace {

using namespace whisper;

class LocalTranscriber final : public Transcriber {
 public:
  LocalTranscriber(std::unique_ptr<Model> model, std::unique_ptr<Tokenizer> tokenizer, const Prompts& prompts,
                   const Resolved& resolved)
      : tokenizer_(std::move(tokenizer)),
        model_(std::move(model)),
        prompts_(prompts),
        encoder_(*model_),
        resolved_(resolved) {}

  Memory memory() const override {
    const ModelMemory memory = model_->memory();
    return {memory.lane_bytes * model_->lanes(), memory.window_bytes};
  }

  void rest() override {
    encoder_.forget();
    model_->rest();
  }
  Effort take_effort() override { return model_->take_effort(); }

  Device device() const override { return resolved_.device; }
  ComputeType compute_type() const override { return resolved_.compute_type; }

  Result<void> detect_languages(const Pcm& pcm, std::span<const Piece> regions, Plan& plan,
                                const OnFraction& on_fraction, std::stop_token stop) override {
    const std::string given = model_->multilingual() ? plan.language : "en";
    if (given.empty())
      return LanguageDetector(*model_, encoder_).detect(pcm, regions, plan, on_fraction, stop);
    if (!knows(plan.language)) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("The model does not know the language \"{}\".", plan.language));
    }
    plan.language = plan.windows.empty() ? "" : given;
    plan.language_probability = plan.windows.empty() ? 0 : 1;
    for (Window& window : plan.windows) window.language = given;
    return {};
  }

  Result<GroupText> transcribe(const Pcm& pcm, const Plan& plan, int group, const TranscribeOptions& options,
                               const OnFraction& on_fraction, std::stop_token stop) override {
    if (group < 0 || group >= std::ssize(plan.groups)) {
      return fail(ErrorCode::invalid_request, fmt::format("The plan has no group {}.", group));
    }
    const Group& range = plan.groups[static_cast<size_t>(group)];
    if (range.first_window < 0 || range.window_count < 0 ||
        range.first_window + range.window_count > std::ssize(plan.windows)) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("Group {} names windows that the plan has not.", group));
    }
    const auto windows =
        std::span(plan.windows)
            .subspan(static_cast<size_t>(range.first_window), static_cast<size_t>(range.window_count));
    for (const Window& window : windows) {
      if (window.sample_count() <= 0 || window.sample_count() > kWindowSamples) {
        return fail(ErrorCode::invalid_request, "A window of the plan is empty or longer than 30 seconds.");
      }
      if (!knows(window.language)) {
        return fail(ErrorCode::invalid_request,
                    fmt::format("The model does not know the language \"{}\".", window.language));
      }
    }
    const strategy::Care& care = strategy::care(options.preset);
    const int beam = options.beam_size > 0      ? options.beam_size
                     : plan.windows.size() == 1 ? care.beam_alone
                                                : care.beam;
    WindowReader reader(*model_, encoder_, prompts_, *tokenizer_);
    return GroupText{group, TRY(reader.read(pcm, windows, options, beam, on_fraction, stop))};
  }

 private:
  bool knows(const std::string& language) const {
    if (!model_->multilingual()) return language.empty() || language == "en";
    return tokenizer_->language(language).has_value();
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Model> model_;
  Prompts prompts_;
  Encoder encoder_;
  Resolved resolved_;
};

// Why models cannot run on a GPU; empty where they can. CTranslate2 finds the device by the driver alone, and
// loads cuBLAS when the first window is encoded: too late to take the processor instead.
std::string no_cuda_reason() {
  try {
    if (ctranslate2::get_device_count(ctranslate2::Device::CUDA) == 0) return "no CUDA device was found";
  } catch (const std::exception&) {
    return "no CUDA device was found";
  }
  if (::dlopen("libcublas.so.12", RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    return "there is a CUDA device, but not cuBLAS 12 (libcublas.so.12): install it, or put its folder into "
           "LD_LIBRARY_PATH";
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Transcriber>> Transcriber::load(const ModelFiles& files,
                                                       const EngineOptions& options) {
  const Resolved resolved = TRY(resolve(options));
  const int threads = resolved_threads(options.threads);
  const std::string vocabulary = TRY(files.read("tokenizer.json"));
  auto tokenizer = std::make_unique<Tokenizer>(TRY(Tokenizer::parse(vocabulary)));
  std::unique_ptr<Model> model =
      TRY(Model::load(files, *tokenizer, resolved.device, resolved.compute_type, threads));
  const Prompts prompts = TRY(Prompts::make(*tokenizer, model->multilingual()));
  return std::make_unique<LocalTranscriber>(std::move(model), std::move(tokenizer), prompts, resolved);
}

Result<Resolved> resolve(const EngineOptions& options) {
  Resolved resolved;
  const std::string missing = options.device == Device::cpu ? "" : no_cuda_reason();
  const bool cuda = options.device != Device::cpu && missing.empty();
  if (options.device == Device::cuda && !cuda) {
    return fail(ErrorCode::invalid_request,
                fmt::format("The device cuda cannot be used: {}. Or use the device cpu or auto.", missing));
  }
  resolved.device = cuda ? Device::cuda : Device::cpu;
  resolved.note = missing;
  resolved.compute_type = options.compute_type;
  if (resolved.compute_type == ComputeType::automatic) {
    resolved.compute_type = cuda ? ComputeType::float16 : ComputeType::int8;
  }
  if (resolved.compute_type == ComputeType::float16 && !cuda) {
    return fail(ErrorCode::invalid_request,
                "float16 needs a CUDA device. Use the compute type int8 or float32.");
  }
  return resolved;
}

}  // namespace hansard::engine
