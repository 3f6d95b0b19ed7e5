// The tensors in a model.bin of CTranslate2 (its binary format 5 and 6), read one by one as they are needed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace hansard::engine::whisper {

class WeightsFile {
 public:
  // Reads the names and places of all tensors; `fd` stays the caller's and must outlive this. Errors:
  // model_corrupt.
  static Result<WeightsFile> open(int fd);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  // Empty where there is no such tensor.
  std::vector<int64_t> shape(std::string_view name) const;
  // A tensor's numbers, whatever type they are stored in: float32, float16, bfloat16, or int8 with a scale
  // for each row. Errors: model_corrupt where it is missing, cut off, of another type, or not `size` numbers.
  Result<std::vector<float>> read(std::string_view name, int64_t size) const;
  // Some rows of a matrix, from `first` on: as many as `rows` has room for.
  Result<void> read_rows(std::string_view name, int64_t first, int64_t columns, std::span<float> rows) const;

 private:
  struct Tensor {
    std::vector<int64_t> shape;
    int type = 0;
    int64_t size = 1;  // numbers
    int64_t offset = 0;
  };

  const Tensor* find(std::string_view name) const;
  Result<void> read(const Tensor& tensor, std::string_view name, int64_t first,
                    std::span<float> values) const;

  int fd_ = -1;
  std::unordered_map<std::string, Tensor> tensors_;
  std::unordered_map<std::string, std::string> aliases_;
};

}  // namespace hansard::engine::whisper
