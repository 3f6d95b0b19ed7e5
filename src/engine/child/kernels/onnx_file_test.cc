#include "engine/child/kernels/onnx_file.h"

#include <tuple>

#include <gtest/gtest.h>

namespace hansard::engine::kernels {
namespace {

// A model with a node that adds a tensor of two floats, written by hand: each field is its number and type,
// its length and its bytes.
std::string small_model() {
  const std::string two_floats("\x00\x00\x80\x3F\x00\x00\x00\xC0", 8);  // 1 and -2
  const std::string tensor = std::string("\x0A\x01\x02\x10\x01\x42\x01w\x4A\x08", 10) + two_floats;
  const std::string node =
      "\x0A\x01x\x0A\x01w\x12\x01y\x22\x03"
      "Add";
  const std::string graph = std::string("\x0A") + static_cast<char>(node.size()) + node + "\x2A" +
                            static_cast<char>(tensor.size()) + tensor;
  return std::string("\x08\x08\x3A", 3) + static_cast<char>(graph.size()) + graph;
}

TEST(OnnxFile, HasNodesAndTensors) {
  const std::optional<OnnxGraph> graph = read_onnx(small_model());
  ASSERT_TRUE(graph);
  ASSERT_EQ(graph->nodes.size(), 1U);
  EXPECT_EQ(graph->nodes[0].type, "Add");
  EXPECT_EQ(graph->nodes[0].inputs, (std::vector<std::string>{"x", "w"}));
  ASSERT_TRUE(graph->tensors.contains("w"));
  EXPECT_EQ(graph->tensors.at("w").shape, std::vector<int64_t>{2});
  EXPECT_EQ(graph->tensors.at("w").values, (std::vector<float>{1, -2}));
}

TEST(OnnxFile, IsRefusedWhereItEndsEarly) {
  const std::string model = small_model();
  for (size_t size = 0; size < model.size(); ++size) {
    EXPECT_FALSE(read_onnx(std::string_view(model).substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(read_onnx("a text"));
}

TEST(OnnxFile, MayHoldATensorWithoutNumbers) {
  // Type 1, name "e".
  const std::string whole(
      "\x3A\x0D\x0A\x02\x22\x00\x2A\x07\x10\x01\x42\x01"
      "e\x4A\x00",
      15);
  const std::optional<OnnxGraph> empty = read_onnx(whole);
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->tensors.at("e").values.empty());
}

TEST(OnnxWeights, AreRefusedWhereOneIsMissing) {
  const OnnxGraph graph = read_onnx(small_model()).value();
  OnnxWeights weights(graph);
  EXPECT_EQ(weights.count("Add"), 1);
  EXPECT_EQ(weights.input("Add", 0, 1, 2), (std::vector<float>{1, -2}));
  EXPECT_EQ(weights.named("w", 2), (std::vector<float>{1, -2}));
  EXPECT_TRUE(weights.ok());
  EXPECT_EQ(weights.input("Add", 0, 1, 3).size(), 3U);
  EXPECT_FALSE(weights.ok());
  for (const auto& [type, which, input] :
       {std::tuple("Add", 1, 1), std::tuple("Add", 0, 5), std::tuple("Mul", 0, 0)}) {
    OnnxWeights others(graph);
    (void)others.input(type, which, static_cast<size_t>(input), 2);
    EXPECT_FALSE(others.ok()) << type << which << input;
  }
}

}  // namespace
}  // namespace hansard::engine::kernels
