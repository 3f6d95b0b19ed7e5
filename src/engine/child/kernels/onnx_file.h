// What is in an ONNX file, as far as a network of our own is made of it: its nodes, and its tensors of
// floats.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hansard::engine::kernels {

struct OnnxNode {
  std::string type;
  std::vector<std::string> inputs;
};

struct OnnxTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct OnnxGraph {
  std::vector<OnnxNode> nodes;  // as they are in the file: after those that they read from
  std::unordered_map<std::string, OnnxTensor> tensors;
};

// Nothing where `bytes` are no ONNX file, or a damaged one.
std::optional<OnnxGraph> read_onnx(std::string_view bytes);

// Takes weights out of a graph for a network whose shape is known; once one is missing or of another size,
// the graph is another network's.
class OnnxWeights {
 public:
  explicit OnnxWeights(const OnnxGraph& graph) : graph_(graph) {}

  bool ok() const { return ok_; }
  // Nodes of a type.
  int count(std::string_view type) const;
  // Input `input` of the `which`th node of a type: `size` numbers in any case.
  std::vector<float> input(std::string_view type, int which, size_t input, size_t size);
  // Of the `which`th LSTM, for each direction `gates` numbers: the bias of what comes in and that of what is
  // handed on, which are added.
  std::vector<float> lstm_bias(int which, size_t directions, size_t gates);
  // The tensor whose name ends so.
  std::vector<float> named(std::string_view end, size_t size);

 private:
  std::vector<float> sized(const OnnxTensor* tensor, size_t size);

  const OnnxGraph& graph_;
  bool ok_ = true;
};

}  // namespace hansard::engine::kernels
