#include "engine/child/diarize/networks.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include <fmt/format.h>
#include <onnxruntime_cxx_api.h>

namespace hansard::engine {
namespace {

constexpr size_t kStatisticsSize = 2 * kColumnSize;

Ort::Env& environment() {
  static Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "diarize");
  return env;
}

// The caller spreads windows and blocks over threads: that shares nothing, where threads inside of one call
// wait for each other at every layer.
Ort::SessionOptions session_options() {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  return options;
}

bool multiplies_int8_fast() {
  return __builtin_cpu_supports("avx512vnni") != 0 || __builtin_cpu_supports("avxvnni") != 0;
}

class OnnxNetworks final : public Networks {
 public:
  // `segmentation` is ONNX Runtime's where there is no `segmenter`.
  OnnxNetworks(std::unique_ptr<Segmenter> segmenter, const std::string& segmentation,
               const std::string& trunk, std::vector<float> projection)
      : segmenter_(std::move(segmenter)),
        trunk_(environment(), trunk.data(), trunk.size(), session_options()),
        projection_(std::move(projection)) {
    if (segmenter_ == nullptr) {
      segmentation_.emplace(environment(), segmentation.data(), segmentation.size(), session_options());
    }
  }

  Result<std::vector<float>> segment(std::span<const float> samples, std::span<const int64_t> offsets,
                                     Segmenter::Room& room) override {
    if (segmenter_ == nullptr) return segment_with_onnx(samples, offsets);
    try {
      return segmenter_->segment(samples, offsets, room);
    } catch (const std::bad_alloc&) {
      return fail(ErrorCode::out_of_memory, "There is not enough memory for telling speakers apart.");
    }
  }

  Result<std::vector<float>> trunk(std::span<const float> frames) override {
    const auto count = static_cast<int64_t>(frames.size() / kFbankInput);
    const auto columns = static_cast<size_t>((count + 7) / 8);
    const std::array<int64_t, 3> shape{1, count, kFbankInput};
    const std::vector<float> rows = TRY(run(trunk_, "fbank", frames, shape, columns * kColumnSize));
    // Pooling walks over time with all of a column's numbers at once.
    std::vector<float> result(rows.size());
    for (size_t row = 0; row < kColumnSize; ++row) {
      for (size_t column = 0; column < columns; ++column) {
        result[column * kColumnSize + row] = rows[row * columns + column];
      }
    }
    return result;
  }

  std::vector<float> project(std::span<const float> statistics) const override {
    const size_t count = statistics.size() / kStatisticsSize;
    std::vector<float> result(count * kEmbeddingSize);
    const float* bias = projection_.data() + kEmbeddingSize * kStatisticsSize;
    for (size_t row = 0; row < kEmbeddingSize; ++row) {
      const float* weights = projection_.data() + row * kStatisticsSize;
      for (size_t n = 0; n < count; ++n) {
        result[n * kEmbeddingSize + row] = bias[row] + dot(weights, statistics.data() + n * kStatisticsSize);
      }
    }
    return result;
  }

 private:
  static constexpr int64_t kFbankInput = 80;

  Result<std::vector<float>> segment_with_onnx(std::span<const float> samples,
                                               std::span<const int64_t> offsets) {
    std::vector<float> windows;
    for (const int64_t offset : offsets) {
      const auto window = samples.subspan(static_cast<size_t>(offset), kSegmentSamples);
      windows.insert(windows.end(), window.begin(), window.end());
    }
    const std::array<int64_t, 3> shape{std::ssize(offsets), 1, kSegmentSamples};
    return run(*segmentation_, "waveforms", windows, shape,
               offsets.size() * kSegmentFrames * kSegmentClasses);
  }

  // Sixteen sums side by side: the order of additions is fixed, and the compiler can use wide registers.
  static float dot(const float* a, const float* b) {
    std::array<float, 16> sums{};
    for (size_t i = 0; i < kStatisticsSize; i += 16) {
      for (size_t j = 0; j < 16; ++j) sums[j] += a[i + j] * b[i + j];
    }
    float sum = 0;
    for (const float part : sums) sum += part;
    return sum;
  }

  Result<std::vector<float>> run(Ort::Session& session, const char* input, std::span<const float> data,
                                 std::span<const int64_t> shape, size_t expected_size) {
    try {
      Ort::AllocatorWithDefaultOptions allocator;
      const Ort::AllocatedStringPtr output = session.GetOutputNameAllocated(0, allocator);
      const char* output_name = output.get();
      const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
      const Ort::Value in = Ort::Value::CreateTensor<float>(memory, const_cast<float*>(data.data()),
                                                            data.size(), shape.data(), shape.size());
      const std::vector<Ort::Value> out =
          session.Run(Ort::RunOptions{nullptr}, &input, &in, 1, &output_name, 1);
      if (out[0].GetTensorTypeAndShapeInfo().GetElementCount() != expected_size) {
        return fail(ErrorCode::internal, "a diarization model gave a result of another shape");
      }
      const float* numbers = out[0].GetTensorData<float>();
      return std::vector<float>(numbers, numbers + expected_size);
    } catch (const Ort::Exception& error) {
      return fail(ErrorCode::internal, "a diarization model failed", error.what());
    }
  }

  std::unique_ptr<Segmenter> segmenter_;
  std::optional<Ort::Session> segmentation_;
  Ort::Session trunk_;
  std::vector<float> projection_;  // [256][5120], then 256 biases
};

}  // namespace

Result<std::unique_ptr<Networks>> Networks::load(const ModelFiles& files, const kernels::Set* cpu) {
  const std::string segmentation = TRY(files.read("segmentation.onnx"));
  const std::string trunk = TRY(files.read(multiplies_int8_fast() ? "trunk-int8.onnx" : "trunk-float.onnx"));
  const std::string bytes = TRY(files.read("projection.bin"));
  std::vector<float> projection(kEmbeddingSize * (kStatisticsSize + 1));
  if (bytes.size() != projection.size() * sizeof(float)) {
    return fail(
        ErrorCode::model_corrupt,
        fmt::format(
            "projection.bin of model {} has the wrong size; repair it with: hansard models install {}",
            files.id, files.id));
  }
  std::memcpy(projection.data(), bytes.data(), bytes.size());
  try {
    return std::make_unique<OnnxNetworks>(cpu != nullptr ? Segmenter::load(segmentation, *cpu) : nullptr,
                                          segmentation, trunk, std::move(projection));
  } catch (const Ort::Exception& error) {
    return fail(
        ErrorCode::model_corrupt,
        fmt::format("model {} is damaged; repair it with: hansard models install {}", files.id, files.id),
        error.what());
  }
}

}  // namespace hansard::engine
