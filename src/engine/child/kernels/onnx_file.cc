#include "engine/child/kernels/onnx_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hansard::engine::kernels {
namespace {

// Fields of a message of Protocol Buffers, one after the other (protobuf.dev/programming-guides/encoding).
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  // The next field; false at the end, or where the message is damaged.
  bool next() {
    if (rest_.empty() || damaged_) return false;
    const uint64_t tag = varint();
    field_ = static_cast<int>(tag >> 3);
    number_ = 0;
    bytes_ = {};
    switch (tag & 7) {
      case 0:
        number_ = varint();
        break;
      case 1:
        bytes_ = take(8);
        break;
      case 2:
        bytes_ = take(varint());
        break;
      case 5:
        bytes_ = take(4);
        break;
      default:
        damaged_ = true;
    }
    return !damaged_;
  }

  int field() const { return field_; }
  uint64_t number() const { return number_; }
  std::string_view bytes() const { return bytes_; }
  std::string text() const { return std::string(bytes_); }
  bool damaged() const { return damaged_; }

  // What a packed field holds; a field that is not packed has one number.
  std::vector<int64_t> numbers() const {
    if (bytes_.empty()) return {static_cast<int64_t>(number_)};
    std::vector<int64_t> all;
    Message packed(bytes_);
    while (!packed.rest_.empty() && !packed.damaged_) all.push_back(static_cast<int64_t>(packed.varint()));
    return all;
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    damaged_ = true;
    return 0;
  }

  std::string_view take(uint64_t size) {
    if (size > rest_.size()) {
      damaged_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  int field_ = 0;
  uint64_t number_ = 0;
  std::string_view bytes_;
  bool damaged_ = false;
};

// Numbers of fields in onnx.proto.
constexpr int kModelGraph = 7;
constexpr int kGraphNode = 1;
constexpr int kGraphInitializer = 5;
constexpr int kNodeInput = 1;
constexpr int kNodeType = 4;
constexpr int kTensorShape = 1;
constexpr int kTensorType = 2;
constexpr int kTensorName = 8;
constexpr int kTensorBytes = 9;
constexpr uint64_t kFloat = 1;

bool read_node(std::string_view bytes, OnnxGraph& graph) {
  OnnxNode node;
  Message message(bytes);
  while (message.next()) {
    if (message.field() == kNodeInput) node.inputs.push_back(message.text());
    if (message.field() == kNodeType) node.type = message.text();
  }
  graph.nodes.push_back(std::move(node));
  return !message.damaged();
}

bool read_tensor(std::string_view bytes, OnnxGraph& graph) {
  OnnxTensor tensor;
  std::string name;
  uint64_t type = 0;
  std::string_view raw;
  Message message(bytes);
  while (message.next()) {
    if (message.field() == kTensorShape) {
      for (const int64_t size : message.numbers()) tensor.shape.push_back(size);
    }
    if (message.field() == kTensorType) type = message.number();
    if (message.field() == kTensorName) name = message.text();
    if (message.field() == kTensorBytes) raw = message.bytes();
  }
  if (message.damaged()) return false;
  if (type != kFloat || raw.size() % sizeof(float) != 0) return true;
  tensor.values.resize(raw.size() / sizeof(float));
  if (!raw.empty()) std::memcpy(tensor.values.data(), raw.data(), raw.size());
  graph.tensors.emplace(std::move(name), std::move(tensor));
  return true;
}

}  // namespace

std::optional<OnnxGraph> read_onnx(std::string_view bytes) {
  OnnxGraph graph;
  Message model(bytes);
  while (model.next()) {
    if (model.field() != kModelGraph) continue;
    Message parts(model.bytes());
    while (parts.next()) {
      if (parts.field() == kGraphNode && !read_node(parts.bytes(), graph)) return std::nullopt;
      if (parts.field() == kGraphInitializer && !read_tensor(parts.bytes(), graph)) return std::nullopt;
    }
    if (parts.damaged()) return std::nullopt;
  }
  if (model.damaged() || graph.nodes.empty()) return std::nullopt;
  return graph;
}

int OnnxWeights::count(std::string_view type) const {
  return static_cast<int>(std::count_if(graph_.nodes.begin(), graph_.nodes.end(),
                                        [&](const OnnxNode& node) { return node.type == type; }));
}

std::vector<float> OnnxWeights::input(std::string_view type, int which, size_t input, size_t size) {
  for (const OnnxNode& node : graph_.nodes) {
    if (node.type != type || which-- > 0) continue;
    const auto found =
        input < node.inputs.size() ? graph_.tensors.find(node.inputs[input]) : graph_.tensors.end();
    return sized(found != graph_.tensors.end() ? &found->second : nullptr, size);
  }
  return sized(nullptr, size);
}

std::vector<float> OnnxWeights::lstm_bias(int which, size_t directions, size_t gates) {
  const std::vector<float> both = input("LSTM", which, 3, 2 * directions * gates);
  std::vector<float> sums(directions * gates);
  for (size_t i = 0; i < sums.size(); ++i) {
    const size_t first = i / gates * 2 * gates + i % gates;
    sums[i] = both[first] + both[first + gates];
  }
  return sums;
}

std::vector<float> OnnxWeights::named(std::string_view end, size_t size) {
  for (const auto& [name, tensor] : graph_.tensors) {
    if (name.ends_with(end)) return sized(&tensor, size);
  }
  return sized(nullptr, size);
}

std::vector<float> OnnxWeights::sized(const OnnxTensor* tensor, size_t size) {
  if (tensor != nullptr && tensor->values.size() == size) return tensor->values;
  ok_ = false;
  return std::vector<float>(size);
}

}  // namespace hansard::engine::kernels
