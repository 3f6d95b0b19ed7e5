// Whisper's network on CTranslate2, loaded from descriptors: features to encodings, encodings to tokens,
// times and languages. CTranslate2 seeds its generator once per thread, so nothing here samples.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/child/whisper/hypothesis.h"
#include "engine/child/whisper/words.h"
#include "engine/model_files.h"
#include "engine/types.h"

namespace hansard::engine::whisper {

// Features of one window: bands x frames, band by band.
struct Features {
  std::vector<float> values;
  int frames = 0;
};

// What the encoder makes of a window; a tensor of CTranslate2, of frames / 2 positions.
struct Encoding;
// Shared: a cache of recent windows may hold it too.
using EncodingPtr = std::shared_ptr<const Encoding>;

struct Search {
  int beam_size = 1;
  float repetition_penalty = 1;
};

// One call at a time. Errors of all calls: out_of_memory, internal.
class Model {
 public:
  // `threads` and `device` are resolved. Errors: model_corrupt, model_unavailable (not a Whisper model),
  // out_of_memory.
  static Result<std::unique_ptr<Model>> load(const ModelFiles& files, Device device, ComputeType compute_type,
                                             int threads);
  ~Model();

  bool multilingual() const;
  int bands() const;
  int lanes() const;  // windows that are computed at once

  // Any number of windows, in parallel where there are threads.
  Result<std::vector<EncodingPtr>> encode(std::span<const Features> windows);

  // Windows whose encodings have the same number of positions and whose prompts have the same length.
  Result<std::vector<Hypothesis>> generate(std::span<const EncodingPtr> windows,
                                           std::span<const std::vector<int>> prompts, const Search& search);

  // One time for each token, from the pattern of attention. `start` is the prompt without <|notimestamps|>,
  // `seconds` of the window are looked at.
  struct Alignment {
    EncodingPtr encoding;
    std::vector<int> start;
    std::vector<int> tokens;
    double seconds = 0;
  };
  Result<std::vector<std::vector<TokenTime>>> align(std::span<const Alignment> windows);

  // Languages by falling probability, as codes. Multilingual models only.
  using Languages = std::vector<std::pair<std::string, float>>;
  Result<std::vector<Languages>> detect_language(std::span<const EncodingPtr> windows);

 private:
  struct State;
  explicit Model(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hansard::engine::whisper
