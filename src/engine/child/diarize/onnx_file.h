// What is in an ONNX file, as far as a network of our own is made of it: its nodes, and its tensors of
// floats.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hansard::engine {

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

}  // namespace hansard::engine
