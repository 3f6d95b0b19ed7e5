// Whisper's network in int8 by our own kernels: the encoder, and the decoder for any rows of any windows at
// once. What a row comes to depends on its own window and tokens alone, not on the others, nor on threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/child/kernels/buffer.h"
#include "engine/child/kernels/kernels.h"
#include "engine/child/kernels/matrices.h"
#include "engine/child/whisper/weights.h"

namespace hansard::engine::whisper {

class Network;

struct NetworkSize {
  int bands = 0;
  int width = 0;
  int heads = 0;
  int inner = 0;  // of the feed-forward layers
  int encoder_layers = 0;
  int decoder_layers = 0;
  int vocabulary = 0;
  int tokens = 0;     // positions of the decoder
  int positions = 0;  // positions of the encoder
};

// Keys and values of a window for the decoder's attention to what was heard: [layer][head].
class CrossCache {
 public:
  CrossCache(const NetworkSize& size, int positions);

  int positions() const { return positions_; }
  kernels::Keys keys(int layer, int head) const;
  kernels::Values values(int layer, int head) const;

 private:
  size_t at(int layer, int head) const {
    return static_cast<size_t>(layer) * static_cast<size_t>(heads_) + static_cast<size_t>(head);
  }

  int positions_;
  int heads_;
  kernels::Buffer<uint8_t> keys_;
  kernels::Buffer<float> key_scales_;
  kernels::Buffer<uint8_t> values_;
  kernels::Buffer<float> value_scales_;
};

// What the decoder remembers of a window's tokens, in one slot for each that goes on from another: hypotheses
// of one beam share what they have in common.
class SelfCache {
 public:
  // For `tokens` positions and `slots` hypotheses; `cross` must outlive it.
  SelfCache(const Network& network, const CrossCache& cross, int tokens, int slots);

  const CrossCache& cross() const { return *cross_; }
  float* keys(int layer, int position, int slot) const { return keys_.data() + at(layer, position, slot); }
  float* values(int layer, int position, int slot) const {
    return values_.data() + at(layer, position, slot);
  }

  // The slot in which a hypothesis has its token at `position`.
  int origin(int hypothesis, int position) const { return origins_[index(hypothesis, position)]; }
  // The hypothesis writes its own from `position` on.
  void own(int hypothesis, int position) {
    origins_[index(hypothesis, position)] = static_cast<uint8_t>(hypothesis);
  }
  // Hypothesis i goes on from parents[i], for tokens before `position`.
  void branch(std::span<const int> parents, int position);

  // Scores of the heads that words' times are read from, in half precision: of the token at `position` in
  // `slot`, [head][positions of the window].
  uint16_t* scores(int position, int slot);

 private:
  size_t at(int layer, int position, int slot) const {
    return ((static_cast<size_t>(layer) * static_cast<size_t>(tokens_) + static_cast<size_t>(position)) *
                static_cast<size_t>(slots_) +
            static_cast<size_t>(slot)) *
           static_cast<size_t>(width_);
  }
  size_t index(int hypothesis, int position) const {
    return static_cast<size_t>(hypothesis) * static_cast<size_t>(tokens_) + static_cast<size_t>(position);
  }

  const CrossCache* cross_;
  int width_;
  int tokens_;
  int slots_;
  int score_heads_;
  kernels::Buffer<float> keys_;
  kernels::Buffer<float> values_;
  std::vector<uint8_t> origins_;
  std::vector<kernels::Buffer<uint16_t>> scores_;  // of each position
};

// Room to work in, for one thread; grows with what it is used for, and is kept between calls.
struct Room {
  kernels::Buffer<float> input;   // of the first convolution
  kernels::Buffer<float> wide;    // rows of several times the width
  kernels::Buffer<float> stream;  // rows between the layers
  kernels::Buffer<float> mixed;   // what attention gives
  kernels::Buffer<float> inner;   // rows inside a feed-forward layer
  kernels::Buffer<float> scores;  // of attention
  kernels::Buffer<float> logits;
  kernels::Buffer<uint8_t> weights;     // of attention
  kernels::Buffer<uint8_t> head_bytes;  // keys and values of one head
  kernels::Buffer<float> head_scales;
  kernels::RowsRoom quantized;
};

class Network {
 public:
  static NetworkSize size_of(const WeightsFile& weights);
  // The model has the shapes that the kernels are made for.
  static bool can_load(const WeightsFile& weights);
  // Reads, packs and quantizes the weights on `threads` threads, as `cpu` takes them. `alignment_heads` are
  // (layer, head). Errors: model_corrupt.
  static Result<std::unique_ptr<Network>> load(const WeightsFile& weights,
                                               std::vector<std::pair<int, int>> alignment_heads, int threads,
                                               const kernels::Set& cpu);
  ~Network();

  const NetworkSize& size() const;
  const kernels::Set& cpu() const;
  // Heads whose attention follows the speech.
  int alignment_heads() const;

  // Features: bands x frames, band by band; an even number of frames, 3,000 at most. On one thread for each
  // room.
  std::unique_ptr<CrossCache> encode(std::span<const float> features, int frames,
                                     std::span<Room> rooms) const;

  // A token to be put at a place.
  struct Row {
    SelfCache* cache = nullptr;
    int hypothesis = 0;
    int position = 0;
    int token = 0;
    bool wanted = false;  // what comes after it
  };
  // Rows of one window stand together, positions of a hypothesis in order. Returns logits
  // [wanted rows][stride()], which are the caller's to change, in the room until it is used again.
  float* decode(std::span<const Row> rows, Room& room) const;
  int stride() const { return kernels::padded(size().vocabulary, kernels::kPanel); }

 private:
  struct State;
  explicit Network(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hansard::engine::whisper
