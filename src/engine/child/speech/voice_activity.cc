#include <algorithm>
#include <array>
#include <mutex>

#include <fmt/format.h>
#include <onnxruntime_cxx_api.h>

#include "base/parallel.h"
#include "engine/child/speech/speech.h"
#include "engine/child/speech/voice_network.h"

namespace hansard::engine {
namespace {

// What the network was trained with: each frame is preceded by the last samples of the one before.
constexpr int64_t kContextSamples = 64;
constexpr int64_t kFrameInput = kContextSamples + kVoiceFrameSamples;
constexpr int64_t kStateSize = 128;
// Frames read and judged between two looks at `stop`: 8 s of sound, some 15 ms of computing.
constexpr int64_t kBlockFrames = 256;

Ort::Env& environment() {
  static Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "speech");
  return env;
}

Ort::SessionOptions session_options() {
  Ort::SessionOptions options;
  // Frames depend on each other and are small: more threads only wait for each other.
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  return options;
}

// The network by our own kernels.
class FastSilero final : public VoiceActivity {
 public:
  FastSilero(std::unique_ptr<VoiceNetwork> network, int threads)
      : network_(std::move(network)), blocks_(static_cast<size_t>(threads)) {}

  Result<std::vector<float>> probabilities(const Pcm& pcm, const OnFraction& on_fraction,
                                           std::stop_token stop) override {
    const int64_t frame_count = (pcm.sample_count() + kVoiceFrameSamples - 1) / kVoiceFrameSamples;
    const int64_t block_count = (frame_count + kBlockFrames - 1) / kBlockFrames;
    const auto frames_of = [&](int64_t block) {
      return static_cast<int>(std::min(kBlockFrames, frame_count - block * kBlockFrames));
    };
    std::vector<float> result(static_cast<size_t>(frame_count));
    VoiceNetwork::State state;
    for (int64_t first = 0; first < block_count; first += std::ssize(blocks_)) {
      if (stop.stop_requested()) return fail(ErrorCode::canceled, "Canceled.");
      const int64_t count = std::min(std::ssize(blocks_), block_count - first);
      std::vector<Result<void>> heard(static_cast<size_t>(count));
      in_parallel(count, static_cast<int>(count), [&](int64_t i, int) {
        heard[static_cast<size_t>(i)] =
            hear(pcm, first + i, frames_of(first + i), blocks_[static_cast<size_t>(i)]);
      });
      for (Result<void>& one : heard) TRY(std::move(one));
      for (int64_t i = 0; i < count; ++i) {
        network_->judge(blocks_[static_cast<size_t>(i)].gates.data(), frames_of(first + i), state,
                        result.data() + (first + i) * kBlockFrames);
      }
      if (on_fraction) on_fraction(static_cast<double>(first + count) / static_cast<double>(block_count));
    }
    return result;
  }

 private:
  static_assert(VoiceNetwork::kFrameSamples == kVoiceFrameSamples);

  struct Block {
    std::vector<float> samples;
    VoiceNetwork::Room room;
    kernels::Buffer<float> gates;
  };

  Result<void> hear(const Pcm& pcm, int64_t block, int frames, Block& to) const {
    to.samples.resize(VoiceNetwork::kContextSamples + static_cast<size_t>(frames) * kVoiceFrameSamples);
    TRY(pcm.read(block * kBlockFrames * kVoiceFrameSamples - VoiceNetwork::kContextSamples, to.samples));
    to.gates.need(static_cast<size_t>(kBlockFrames) * VoiceNetwork::kGates);
    network_->hear(to.samples.data(), frames, to.room, to.gates.data());
    return {};
  }

  std::unique_ptr<VoiceNetwork> network_;
  std::vector<Block> blocks_;  // heard at once
};

// Two exports of the network exist. One takes a block of frames and the two halves of the recurrent state;
// the other takes one frame, the state in one piece, and the sample rate. Both give the same numbers.
class Silero final : public VoiceActivity {
 public:
  explicit Silero(const std::string& bytes)
      : session_(environment(), bytes.data(), bytes.size(), session_options()) {
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetInputCount(); ++i) {
      if (std::string_view(session_.GetInputNameAllocated(i, allocator).get()) == "h") by_block_ = true;
    }
  }

  Result<std::vector<float>> probabilities(const Pcm& pcm, const OnFraction& on_fraction,
                                           std::stop_token stop) override {
    const int64_t frame_count = (pcm.sample_count() + kVoiceFrameSamples - 1) / kVoiceFrameSamples;
    std::vector<float> result(static_cast<size_t>(frame_count));
    state_.fill(0.0F);
    for (int64_t frame = 0; frame < frame_count; frame += kBlockFrames) {
      if (stop.stop_requested()) return fail(ErrorCode::canceled, "Canceled.");
      const int64_t count = std::min(kBlockFrames, frame_count - frame);
      TRY(read_frames(pcm, frame, count));
      try {
        judge(count, result.data() + frame);
      } catch (const Ort::Exception& error) {
        return fail(ErrorCode::internal, "Voice activity detection failed.", error.what());
      }
      if (on_fraction) on_fraction(static_cast<double>(frame + count) / static_cast<double>(frame_count));
    }
    return result;
  }

 private:
  Result<void> read_frames(const Pcm& pcm, int64_t first, int64_t count) {
    samples_.resize(static_cast<size_t>(kContextSamples + count * kVoiceFrameSamples));
    TRY(pcm.read(first * kVoiceFrameSamples - kContextSamples, samples_));
    frames_.resize(static_cast<size_t>(count * kFrameInput));
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(samples_.begin() + i * kVoiceFrameSamples, kFrameInput, frames_.begin() + i * kFrameInput);
    }
    return {};
  }

  void judge(int64_t count, float* out) {
    if (by_block_) {
      run_block(count, out);
    } else {
      for (int64_t i = 0; i < count; ++i) out[i] = run_frame(frames_.data() + i * kFrameInput);
    }
  }

  void run_block(int64_t count, float* out) {
    constexpr std::array<const char*, 3> kInputs = {"input", "h", "c"};
    constexpr std::array<const char*, 3> kOutputs = {"speech_probs", "hn", "cn"};
    const std::array<int64_t, 2> shape = {count, kFrameInput};
    const std::array<int64_t, 3> half_shape = {1, 1, kStateSize};
    const std::array<Ort::Value, 3> inputs = {
        tensor(frames_.data(), frames_.size(), shape),
        tensor(state_.data(), kStateSize, half_shape),
        tensor(state_.data() + kStateSize, kStateSize, half_shape),
    };
    const std::vector<Ort::Value> outputs =
        session_.Run(Ort::RunOptions{nullptr}, kInputs.data(), inputs.data(), inputs.size(), kOutputs.data(),
                     kOutputs.size());
    std::copy_n(outputs[0].GetTensorData<float>(), count, out);
    std::copy_n(outputs[1].GetTensorData<float>(), kStateSize, state_.begin());
    std::copy_n(outputs[2].GetTensorData<float>(), kStateSize, state_.begin() + kStateSize);
  }

  float run_frame(float* frame) {
    constexpr std::array<const char*, 3> kInputs = {"input", "state", "sr"};
    constexpr std::array<const char*, 2> kOutputs = {"output", "stateN"};
    const std::array<int64_t, 2> shape = {1, kFrameInput};
    const std::array<int64_t, 3> state_shape = {2, 1, kStateSize};
    int64_t rate = kSampleRate;
    const std::array<Ort::Value, 3> inputs = {
        tensor(frame, kFrameInput, shape),
        tensor(state_.data(), state_.size(), state_shape),
        Ort::Value::CreateTensor<int64_t>(memory_, &rate, 1, nullptr, 0),
    };
    const std::vector<Ort::Value> outputs =
        session_.Run(Ort::RunOptions{nullptr}, kInputs.data(), inputs.data(), inputs.size(), kOutputs.data(),
                     kOutputs.size());
    std::copy_n(outputs[1].GetTensorData<float>(), state_.size(), state_.begin());
    return *outputs[0].GetTensorData<float>();
  }

  template <size_t Rank>
  Ort::Value tensor(float* data, size_t size, const std::array<int64_t, Rank>& shape) {
    return Ort::Value::CreateTensor<float>(memory_, data, size, shape.data(), shape.size());
  }

  Ort::Session session_;
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  bool by_block_ = false;
  std::array<float, 2 * kStateSize> state_{};
  std::vector<float> samples_;
  std::vector<float> frames_;
};

}  // namespace

Result<std::unique_ptr<VoiceActivity>> VoiceActivity::load(const ModelFiles& files, int threads,
                                                           const kernels::Set* cpu) {
  const auto network = std::find_if(files.files.begin(), files.files.end(),
                                    [](const ModelFile& file) { return file.name.ends_with(".onnx"); });
  if (network == files.files.end()) {
    return fail(ErrorCode::model_corrupt, fmt::format("The model {} has no .onnx file.", files.id));
  }
  const std::string bytes = TRY(files.read(network->name));
  std::unique_ptr<VoiceNetwork> own = cpu != nullptr ? VoiceNetwork::load(bytes, *cpu) : nullptr;
  if (own != nullptr) {
    return std::make_unique<FastSilero>(std::move(own), resolved_threads(threads));
  }
  try {
    return std::make_unique<Silero>(bytes);
  } catch (const Ort::Exception& error) {
    return fail(ErrorCode::model_corrupt,
                fmt::format("The file {} of the model {} is damaged.", network->name, files.id),
                error.what());
  }
}

}  // namespace hansard::engine
