#include "engine/child/whisper/network.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "base/parallel.h"
#include "engine/child/kernels/matrices.h"
#include "engine/child/whisper/log_mel.h"

namespace hansard::engine::whisper {
namespace {

using kernels::kHeadSize;
using kernels::kPanel;
using kernels::kTileRows;
using kernels::padded;
using kernels::Then;

// Rows of the encoder that go through the layers between two attentions together: their inner activations
// stay near the core.
constexpr int kBlockRows = 96;
constexpr int kKernelFrames = 3;  // of both convolutions

size_t square(int64_t rows, int64_t columns) {
  return static_cast<size_t>(rows * columns);
}

using Linear = kernels::ByteMatrix;
using Convolution = kernels::FloatMatrix;

struct Norm {
  std::vector<float> gamma;
  std::vector<float> beta;
};

struct EncoderLayer {
  Norm attention_norm, inner_norm;
  Linear in, out, up, down;
};

struct DecoderLayer {
  Norm self_norm, cross_norm, inner_norm;
  Linear in, out, query, cross, cross_out, up, down;
};

// Reads tensors by name; the first error is kept, and what comes after it is empty.
class Reader {
 public:
  Reader(const WeightsFile& file, const kernels::Set& cpu) : file_(file), cpu_(cpu) {}

  Result<void> done() const { return error_; }

  std::vector<float> numbers(const std::string& name, int64_t size) {
    if (!error_) return {};
    Result<std::vector<float>> values = file_.read(name, size);
    if (values) return std::move(*values);
    error_ = tl::unexpected<Error>(values.error());
    return {};
  }

  Norm norm(const std::string& name, int width) {
    return {numbers(name + "/gamma", width), numbers(name + "/beta", width)};
  }

  // Panel by panel: a matrix in float is several times as large as what is kept of it.
  Linear linear(const std::string& name, int outputs, int inputs) {
    Linear linear(outputs, inputs);
    read_bias(name, outputs, linear.bias);
    std::vector<float> panel(square(kPanel, inputs));
    for (int first = 0; error_ && first < outputs; first += kPanel) {
      const int count = std::min(kPanel, outputs - first);
      error_ =
          file_.read_rows(name + "/weight", first, inputs, std::span(panel).first(square(count, inputs)));
      if (error_) cpu_.pack(panel.data(), first, count, linear.weights);
    }
    return linear;
  }

  Convolution convolution(const std::string& name, int outputs, int channels) {
    const int inputs = kKernelFrames * channels;
    const std::vector<float> stored = numbers(name + "/weight", static_cast<int64_t>(outputs) * inputs);
    if (stored.empty()) return {};
    return kernels::packed<Convolution>(
        cpu_, kernels::taps_first(stored, static_cast<size_t>(channels), kKernelFrames),
        numbers(name + "/bias", outputs), outputs, inputs);
  }

 private:
  void read_bias(const std::string& name, int outputs, kernels::Buffer<float>& bias) {
    if (!file_.has(name + "/bias")) return;
    const std::vector<float> values = numbers(name + "/bias", outputs);
    std::copy(values.begin(), values.end(), bias.data());
  }

  const WeightsFile& file_;
  const kernels::Set& cpu_;
  Result<void> error_;
};

EncoderLayer read_encoder_layer(Reader& reader, const std::string& name, const NetworkSize& size) {
  const int width = size.width;
  return {.attention_norm = reader.norm(name + "/self_attention/layer_norm", width),
          .inner_norm = reader.norm(name + "/ffn/layer_norm", width),
          .in = reader.linear(name + "/self_attention/linear_0", 3 * width, width),
          .out = reader.linear(name + "/self_attention/linear_1", width, width),
          .up = reader.linear(name + "/ffn/linear_0", size.inner, width),
          .down = reader.linear(name + "/ffn/linear_1", width, size.inner)};
}

DecoderLayer read_decoder_layer(Reader& reader, const std::string& name, const NetworkSize& size) {
  const int width = size.width;
  return {.self_norm = reader.norm(name + "/self_attention/layer_norm", width),
          .cross_norm = reader.norm(name + "/attention/layer_norm", width),
          .inner_norm = reader.norm(name + "/ffn/layer_norm", width),
          .in = reader.linear(name + "/self_attention/linear_0", 3 * width, width),
          .out = reader.linear(name + "/self_attention/linear_1", width, width),
          .query = reader.linear(name + "/attention/linear_0", width, width),
          .cross = reader.linear(name + "/attention/linear_1", 2 * width, width),
          .cross_out = reader.linear(name + "/attention/linear_2", width, width),
          .up = reader.linear(name + "/ffn/linear_0", size.inner, width),
          .down = reader.linear(name + "/ffn/linear_1", width, size.inner)};
}

// The first dimension of a tensor, or 0; and the second.
int64_t dimension(const WeightsFile& file, std::string_view name, size_t which) {
  const std::vector<int64_t> shape = file.shape(name);
  return which < shape.size() ? shape[which] : 0;
}

int layers(const WeightsFile& file, std::string_view side) {
  int count = 0;
  while (file.has(fmt::format("{}/layer_{}/ffn/linear_0/weight", side, count))) ++count;
  return count;
}

kernels::AttentionRoom attention_room(Room& room, int positions) {
  const size_t size = square(kTileRows, padded(positions, kPanel));
  room.scores.need(size);
  room.weights.need(2 * size);
  return {room.scores.data(), room.weights.data()};
}

}  // namespace

// ---- what was heard and said

CrossCache::CrossCache(const NetworkSize& size, int positions)
    : positions_(positions),
      heads_(size.heads),
      keys_(square(size.decoder_layers, size.heads) * kernels::head_bytes(positions)),
      key_scales_(square(size.decoder_layers, size.heads) * static_cast<size_t>(padded(positions, kPanel))),
      values_(keys_.size()),
      value_scales_(square(size.decoder_layers, size.heads) * kHeadSize) {}

kernels::Keys CrossCache::keys(int layer, int head) const {
  return {keys_.data() + at(layer, head) * kernels::head_bytes(positions_),
          key_scales_.data() + at(layer, head) * static_cast<size_t>(padded(positions_, kPanel))};
}

kernels::Values CrossCache::values(int layer, int head) const {
  return {values_.data() + at(layer, head) * kernels::head_bytes(positions_),
          value_scales_.data() + at(layer, head) * kHeadSize};
}

SelfCache::SelfCache(const Network& network, const CrossCache& cross, int tokens, int slots)
    : cross_(&cross),
      width_(network.size().width),
      tokens_(tokens),
      slots_(slots),
      score_heads_(network.alignment_heads()),
      keys_(square(network.size().decoder_layers, tokens) * square(slots, width_)),
      values_(keys_.size()),
      origins_(square(slots, tokens)),
      scores_(static_cast<size_t>(tokens)) {}

void SelfCache::branch(std::span<const int> parents, int position) {
  const std::vector<uint8_t> before = origins_;
  for (size_t i = 0; i < parents.size(); ++i) {
    std::copy_n(before.begin() + static_cast<ptrdiff_t>(index(parents[i], 0)), position,
                origins_.begin() + static_cast<ptrdiff_t>(index(static_cast<int>(i), 0)));
  }
}

uint16_t* SelfCache::scores(int position, int slot) {
  const size_t of_slot = square(score_heads_, cross_->positions());
  kernels::Buffer<uint16_t>& scores = scores_[static_cast<size_t>(position)];
  scores.need(of_slot * static_cast<size_t>(slots_));
  return scores.data() + static_cast<size_t>(slot) * of_slot;
}

// ---- the network

struct Network::State {
  explicit State(const kernels::Set& set) : cpu(set) {}

  const kernels::Set& cpu;
  NetworkSize size;
  std::vector<std::pair<int, int>> alignment_heads;
  Convolution first, second;
  std::vector<float> encoder_positions;
  std::vector<EncoderLayer> encoder;
  Norm encoder_norm;
  Linear vocabulary;  // embeddings and last layer
  std::vector<float> decoder_positions;
  std::vector<DecoderLayer> decoder;
  Norm decoder_norm;

  void multiply(const kernels::Rows& in, int rows, const Linear& linear, float* out, Then then) const {
    cpu.multiply(in, rows, linear.weights, 0, linear.weights.outputs, out, linear.weights.outputs, then);
  }
  void convolve(std::span<const float> features, int frames, std::span<Room> rooms) const;
  void feed_forward(float* rows, int count, const Norm& norm, const Linear& up, const Linear& down,
                    Room& room) const;
  void cross_attention(std::span<const Row> rows, int layer, Room& room) const;
  void self_attention(std::span<const Row> rows, int layer, Room& room) const;
};

Network::Network(std::unique_ptr<State> state) : state_(std::move(state)) {}
Network::~Network() = default;
const NetworkSize& Network::size() const {
  return state_->size;
}
const kernels::Set& Network::cpu() const {
  return state_->cpu;
}
int Network::alignment_heads() const {
  return static_cast<int>(state_->alignment_heads.size());
}

NetworkSize Network::size_of(const WeightsFile& file) {
  NetworkSize size;
  size.bands = static_cast<int>(dimension(file, "encoder/conv1/weight", 1));
  size.width = static_cast<int>(dimension(file, "encoder/conv1/weight", 0));
  size.heads = size.width / kHeadSize;
  size.inner = static_cast<int>(dimension(file, "encoder/layer_0/ffn/linear_0/weight", 0));
  size.encoder_layers = layers(file, "encoder");
  size.decoder_layers = layers(file, "decoder");
  size.vocabulary = static_cast<int>(dimension(file, "decoder/embeddings/weight", 0));
  size.tokens = static_cast<int>(dimension(file, "decoder/position_encodings/encodings", 0));
  size.positions = static_cast<int>(dimension(file, "encoder/position_encodings/encodings", 0));
  return size;
}

bool Network::can_load(const WeightsFile& weights) {
  const NetworkSize size = size_of(weights);
  return size.width > 0 && size.width % kHeadSize == 0 && size.width <= kernels::kMostColumns &&
         size.inner > 0 && size.inner % 16 == 0 && size.bands > 0 && size.positions == kMostFrames / 2 &&
         size.vocabulary > 0 && size.tokens > 0 && size.encoder_layers > 0 && size.decoder_layers > 0;
}

Result<std::unique_ptr<Network>> Network::load(const WeightsFile& weights,
                                               std::vector<std::pair<int, int>> alignment_heads, int threads,
                                               const kernels::Set& cpu) {
  auto state = std::make_unique<State>(cpu);
  State& s = *state;
  s.size = size_of(weights);
  for (const auto& [layer, head] : alignment_heads) {
    if (layer >= 0 && layer < s.size.decoder_layers && head >= 0 && head < s.size.heads) continue;
    return fail(ErrorCode::model_corrupt, "The model's config.json names heads that the model has not.");
  }
  s.alignment_heads = std::move(alignment_heads);
  s.encoder.resize(static_cast<size_t>(s.size.encoder_layers));
  s.decoder.resize(static_cast<size_t>(s.size.decoder_layers));
  // The vocabulary is the largest piece, so it comes first.
  const int pieces = 2 + s.size.encoder_layers + s.size.decoder_layers;
  std::vector<Result<void>> done(static_cast<size_t>(pieces));
  in_parallel(pieces, threads, [&](int piece, int) {
    Reader reader(weights, cpu);
    if (piece == 0) {
      s.vocabulary = reader.linear("decoder/embeddings", s.size.vocabulary, s.size.width);
    } else if (piece == 1) {
      s.first = reader.convolution("encoder/conv1", s.size.width, s.size.bands);
      s.second = reader.convolution("encoder/conv2", s.size.width, s.size.width);
      s.encoder_positions = reader.numbers("encoder/position_encodings/encodings",
                                           static_cast<int64_t>(s.size.positions) * s.size.width);
      s.decoder_positions = reader.numbers("decoder/position_encodings/encodings",
                                           static_cast<int64_t>(s.size.tokens) * s.size.width);
      s.encoder_norm = reader.norm("encoder/layer_norm", s.size.width);
      s.decoder_norm = reader.norm("decoder/layer_norm", s.size.width);
    } else if (const int layer = piece - 2; layer < s.size.encoder_layers) {
      s.encoder[static_cast<size_t>(layer)] =
          read_encoder_layer(reader, fmt::format("encoder/layer_{}", layer), s.size);
    } else {
      const int deeper = layer - s.size.encoder_layers;
      s.decoder[static_cast<size_t>(deeper)] =
          read_decoder_layer(reader, fmt::format("decoder/layer_{}", deeper), s.size);
    }
    done[static_cast<size_t>(piece)] = reader.done();
  });
  for (const Result<void>& result : done) TRY(Result<void>(result));
  return std::unique_ptr<Network>(new Network(std::move(state)));
}

// ---- encoder

// Both convolutions, into the first room's stream, positions added.
void Network::State::convolve(std::span<const float> features, int frames, std::span<Room> rooms) const {
  const int threads = static_cast<int>(rooms.size());
  const int positions = frames / 2;
  const ptrdiff_t width = size.width;
  Room& room = rooms[0];
  // A frame of zeros before the first and after the last.
  room.input.need(square(frames + 2, size.bands));
  float* input = room.input.data();
  std::fill_n(input, size.bands, 0.0F);
  std::fill_n(input + square(frames + 1, size.bands), size.bands, 0.0F);
  for (int band = 0; band < size.bands; ++band) {
    const float* row = features.data() + square(band, frames);
    for (int frame = 0; frame < frames; ++frame)
      input[square(frame + 1, size.bands) + static_cast<size_t>(band)] = row[frame];
  }
  room.wide.need(std::max(square(frames + 2, width), square(positions, 3 * width)));
  float* between = room.wide.data();
  std::fill_n(between, width, 0.0F);
  std::fill_n(between + square(frames + 1, width), width, 0.0F);
  const auto blocks = [](int rows) { return (rows + kBlockRows - 1) / kBlockRows; };
  in_parallel(blocks(frames), threads, [&](int block, int) {
    const int begin = block * kBlockRows;
    cpu.multiply(input + square(begin, size.bands), size.bands, std::min(kBlockRows, frames - begin),
                 first.weights, between + square(begin + 1, width), width, Then::gelu);
  });
  room.stream.need(square(positions, width));
  float* stream = room.stream.data();
  in_parallel(blocks(positions), threads, [&](int block, int) {
    const int begin = block * kBlockRows;
    const int count = std::min(kBlockRows, positions - begin);
    float* to = stream + square(begin, width);
    cpu.multiply(between + square(2 * begin, width), 2 * width, count, second.weights, to, width, Then::gelu);
    const float* places = encoder_positions.data() + square(begin, width);
    for (size_t i = 0; i < square(count, width); ++i) to[i] += places[i];
  });
}

// rows += down(gelu(up(norm(rows))))
void Network::State::feed_forward(float* rows, int count, const Norm& norm, const Linear& up,
                                  const Linear& down, Room& room) const {
  kernels::Rows in = room.quantized.rows(count, size.width);
  cpu.normalize(rows, count, norm.gamma.data(), norm.beta.data(), in);
  room.inner.need(square(count, size.inner));
  multiply(in, count, up, room.inner.data(), Then::gelu);
  in = room.quantized.rows(count, size.inner);
  cpu.quantize(room.inner.data(), count, in);
  multiply(in, count, down, rows, Then::add);
}

std::unique_ptr<CrossCache> Network::encode(std::span<const float> features, int frames,
                                            std::span<Room> rooms) const {
  const State& s = *state_;
  const int threads = static_cast<int>(rooms.size());
  const int positions = frames / 2;
  const int width = s.size.width;
  s.convolve(features, frames, rooms);
  float* stream = rooms[0].stream.data();
  float* wide = rooms[0].wide.data();
  rooms[0].mixed.need(square(positions, width));
  float* mixed = rooms[0].mixed.data();
  const int blocks = (positions + kBlockRows - 1) / kBlockRows;
  const auto ask = [&](const EncoderLayer& layer, int begin, int count, Room& room) {
    const kernels::Rows in = room.quantized.rows(count, width);
    s.cpu.normalize(stream + square(begin, width), count, layer.attention_norm.gamma.data(),
                    layer.attention_norm.beta.data(), in);
    s.multiply(in, count, layer.in, wide + square(begin, 3 * width), Then::store);
  };
  for (size_t i = 0; i < s.encoder.size(); ++i) {
    const EncoderLayer& layer = s.encoder[i];
    if (i == 0) {
      in_parallel(blocks, threads, [&](int block, int thread) {
        const int begin = block * kBlockRows;
        ask(layer, begin, std::min(kBlockRows, positions - begin), rooms[static_cast<size_t>(thread)]);
      });
    }
    in_parallel(s.size.heads, threads, [&](int head, int thread) {
      Room& room = rooms[static_cast<size_t>(thread)];
      const size_t bytes = kernels::head_bytes(positions);
      room.head_bytes.need(2 * bytes);
      room.head_scales.need(static_cast<size_t>(padded(positions, kPanel)) + kHeadSize);
      const kernels::Keys k{room.head_bytes.data(), room.head_scales.data() + kHeadSize};
      const kernels::Values v{room.head_bytes.data() + bytes, room.head_scales.data()};
      const float* of_head = wide + square(head, kHeadSize);
      s.cpu.pack(of_head + width, 3 * width, positions, k);
      s.cpu.pack(of_head + 2 * width, 3 * width, positions, v);
      const kernels::AttentionRoom scratch = attention_room(room, positions);
      for (int row = 0; row < positions; row += kTileRows) {
        s.cpu.attend(of_head + square(row, 3 * width), 3 * width, std::min(kTileRows, positions - row), k, v,
                     positions, scratch, mixed + square(row, width) + square(head, kHeadSize), width);
      }
    });
    in_parallel(blocks, threads, [&](int block, int thread) {
      Room& room = rooms[static_cast<size_t>(thread)];
      const int begin = block * kBlockRows;
      const int count = std::min(kBlockRows, positions - begin);
      float* rows = stream + square(begin, width);
      const kernels::Rows in = room.quantized.rows(count, width);
      s.cpu.quantize(mixed + square(begin, width), count, in);
      s.multiply(in, count, layer.out, rows, Then::add);
      s.feed_forward(rows, count, layer.inner_norm, layer.up, layer.down, room);
      if (i + 1 < s.encoder.size()) ask(s.encoder[i + 1], begin, count, room);
    });
  }
  // Keys and values for each layer of the decoder.
  const kernels::Rows out = rooms[0].quantized.rows(positions, width);
  s.cpu.normalize(stream, positions, s.encoder_norm.gamma.data(), s.encoder_norm.beta.data(), out);
  auto cross = std::make_unique<CrossCache>(s.size, positions);
  in_parallel(s.size.decoder_layers, threads, [&](int layer, int thread) {
    kernels::Buffer<float>& both = rooms[static_cast<size_t>(thread)].inner;
    both.need(square(positions, 2 * width));
    s.multiply(out, positions, s.decoder[static_cast<size_t>(layer)].cross, both.data(), Then::store);
    for (int head = 0; head < s.size.heads; ++head) {
      const float* of_head = both.data() + square(head, kHeadSize);
      s.cpu.pack(of_head, 2 * width, positions, cross->keys(layer, head));
      s.cpu.pack(of_head + width, 2 * width, positions, cross->values(layer, head));
    }
  });
  return cross;
}

// ---- decoder

// Of rows in room.wide, [row][3][width]: remembers keys and values, and mixes what was said before.
void Network::State::self_attention(std::span<const Row> rows, int layer, Room& room) const {
  const ptrdiff_t width = size.width;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const float* own = room.wide.data() + i * static_cast<size_t>(3 * width);
    row.cache->own(row.hypothesis, row.position);
    std::copy_n(own + width, width, row.cache->keys(layer, row.position, row.hypothesis));
    std::copy_n(own + 2 * width, width, row.cache->values(layer, row.position, row.hypothesis));
  }
  std::vector<const float*> keys;
  std::vector<const float*> values;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    keys.clear();
    values.clear();
    for (int position = 0; position <= row.position; ++position) {
      const int slot = row.cache->origin(row.hypothesis, position);
      keys.push_back(row.cache->keys(layer, position, slot));
      values.push_back(row.cache->values(layer, position, slot));
    }
    room.scores.need(keys.size());
    cpu.attend(room.wide.data() + i * static_cast<size_t>(3 * width), size.heads, keys.data(), values.data(),
               static_cast<int>(keys.size()), room.scores.data(),
               room.mixed.data() + i * static_cast<size_t>(width));
  }
}

// Of queries in room.wide, [row][width]: mixes what was heard, and keeps the scores that times are read from.
void Network::State::cross_attention(std::span<const Row> rows, int layer, Room& room) const {
  const ptrdiff_t width = size.width;
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin + 1;
    while (end < rows.size() && end - begin < kTileRows && rows[end].cache == rows[begin].cache) ++end;
    const CrossCache& cross = rows[begin].cache->cross();
    const int positions = cross.positions();
    const kernels::AttentionRoom scratch = attention_room(room, positions);
    for (int head = 0; head < size.heads; ++head) {
      const size_t at = begin * static_cast<size_t>(width) + square(head, kHeadSize);
      cpu.attend(room.wide.data() + at, width, static_cast<int>(end - begin), cross.keys(layer, head),
                 cross.values(layer, head), positions, scratch, room.mixed.data() + at, width);
      const auto found = std::find(alignment_heads.begin(), alignment_heads.end(), std::pair(layer, head));
      if (found == alignment_heads.end()) continue;
      for (size_t i = begin; i < end; ++i) {
        uint16_t* kept = rows[i].cache->scores(rows[i].position, rows[i].hypothesis) +
                         square(found - alignment_heads.begin(), positions);
        cpu.narrow(scratch.scores + (i - begin) * static_cast<size_t>(padded(positions, kPanel)),
                   static_cast<size_t>(positions), kept);
      }
    }
    begin = end;
  }
}

float* Network::decode(std::span<const Row> rows, Room& room) const {
  const State& s = *state_;
  const int count = static_cast<int>(rows.size());
  const int width = s.size.width;
  room.stream.need(square(count, width));
  room.mixed.need(square(count, width));
  room.wide.need(square(count, 3 * width));
  float* stream = room.stream.data();
  for (size_t i = 0; i < rows.size(); ++i) {
    float* row = stream + i * static_cast<size_t>(width);
    s.cpu.unpack(s.vocabulary.weights, rows[i].token, row);
    const float* place = s.decoder_positions.data() + square(rows[i].position, width);
    for (int k = 0; k < width; ++k) row[k] += place[k];
  }
  for (int i = 0; i < s.size.decoder_layers; ++i) {
    const DecoderLayer& layer = s.decoder[static_cast<size_t>(i)];
    kernels::Rows in = room.quantized.rows(count, width);
    s.cpu.normalize(stream, count, layer.self_norm.gamma.data(), layer.self_norm.beta.data(), in);
    s.multiply(in, count, layer.in, room.wide.data(), Then::store);
    s.self_attention(rows, i, room);
    s.cpu.quantize(room.mixed.data(), count, in);
    s.multiply(in, count, layer.out, stream, Then::add);
    s.cpu.normalize(stream, count, layer.cross_norm.gamma.data(), layer.cross_norm.beta.data(), in);
    s.multiply(in, count, layer.query, room.wide.data(), Then::store);
    s.cross_attention(rows, i, room);
    s.cpu.quantize(room.mixed.data(), count, in);
    s.multiply(in, count, layer.cross_out, stream, Then::add);
    s.feed_forward(stream, count, layer.inner_norm, layer.up, layer.down, room);
  }
  int wanted = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].wanted) continue;
    std::copy_n(stream + i * static_cast<size_t>(width), width, room.mixed.data() + square(wanted++, width));
  }
  const kernels::Rows in = room.quantized.rows(wanted, width);
  s.cpu.normalize(room.mixed.data(), wanted, s.decoder_norm.gamma.data(), s.decoder_norm.beta.data(), in);
  room.logits.need(square(wanted, stride()));
  s.cpu.multiply(in, wanted, s.vocabulary.weights, 0, s.size.vocabulary, room.logits.data(), stride(),
                 Then::store);
  return room.logits.data();
}

}  // namespace hansard::engine::whisper
