#include "engine/child/diarize/onnx_file.h"

#include <gtest/gtest.h>

#include "engine/child/speech/sound_for_tests.h"

namespace hansard::engine {
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

TEST(OnnxFileModel, HoldsTheSegmentationNetwork) {
  const ModelFiles files = testing::open_model("diarization-default", "diarization");
  const std::optional<OnnxGraph> graph = read_onnx(files.read("segmentation.onnx").value());
  ASSERT_TRUE(graph);
  int layers = 0;
  for (const OnnxNode& node : graph->nodes) {
    if (node.type != "LSTM") continue;
    const OnnxTensor& again = graph->tensors.at(node.inputs.at(2));
    EXPECT_EQ(again.shape, (std::vector<int64_t>{2, 512, 128}));
    EXPECT_EQ(again.values.size(), 2U * 512 * 128);
    ++layers;
  }
  EXPECT_EQ(layers, 4);
}

}  // namespace
}  // namespace hansard::engine
