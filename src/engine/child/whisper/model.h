// Whisper's network, loaded from descriptors: features to encodings, encodings to tokens, times and
// languages. Nothing here samples: what is decoded again must come out the same.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/child/kernels/kernels.h"
#include "engine/child/whisper/hypothesis.h"
#include "engine/child/whisper/tokenizer.h"
#include "engine/child/whisper/words.h"
#include "engine/model_files.h"
#include "engine/types.h"

namespace hansard::engine::whisper {

// Features of one window: bands x frames, band by band.
struct Features {
  std::vector<float> values;
  int frames = 0;
};

// What the encoder makes of a window, as the model at hand keeps it.
struct Encoding {
  virtual ~Encoding() = default;
};
// Shared: a cache of recent windows may hold it too.
using EncodingPtr = std::shared_ptr<const Encoding>;

struct Search {
  int beam_size = 1;
  float repetition_penalty = 1;
};

// What decoding takes beside the weights: on each lane, and for each window of a batch.
struct ModelMemory {
  int64_t lane_bytes = 0;
  int64_t window_bytes = 0;
};

// One call at a time. Errors of all calls: out_of_memory, internal.
class Model {
 public:
  // `threads` and `device` are resolved. In int8 on a processor with AVX2 or more by our own kernels
  // (network.h), else by CTranslate2. `tokenizer` must outlive it. Errors: model_corrupt, model_unavailable
  // (not a Whisper model), out_of_memory.
  static Result<std::unique_ptr<Model>> load(const ModelFiles& files, const Tokenizer& tokenizer,
                                             Device device, ComputeType compute_type, int threads);
  virtual ~Model() = default;

  virtual bool multilingual() const = 0;
  virtual int bands() const = 0;
  virtual int lanes() const = 0;           // windows that are computed at once
  virtual ModelMemory memory() const = 0;  // an estimate, rather too much

  // Any number of windows, in parallel where there are threads.
  Result<std::vector<EncodingPtr>> encode(std::span<const Features> windows);

  // Windows whose prompts have the same length.
  Result<std::vector<Hypothesis>> generate(std::span<const EncodingPtr> windows,
                                           std::span<const std::vector<int>> prompts, const Search& search);

  // One time for each token, from the pattern of attention. `start` is the prompt without <|notimestamps|>,
  // `seconds` of the window are looked at.
  struct Alignment {
    EncodingPtr encoding;
    std::vector<int> start;
    const Hypothesis* hypothesis = nullptr;
    double seconds = 0;
  };
  Result<std::vector<std::vector<TokenTime>>> align(std::span<const Alignment> windows);

  // Languages by falling probability, as codes. Multilingual models only.
  using Languages = std::vector<std::pair<std::string, float>>;
  Result<std::vector<Languages>> detect_language(std::span<const EncodingPtr> windows);

  // Lets go of the memory that is kept for calls to work in, where any is; the next one takes it anew.
  virtual void rest() {}

  // What the calls took since this was last asked.
  Effort take_effort() { return std::exchange(effort_, {}); }

 private:
  virtual Result<std::vector<EncodingPtr>> do_encode(std::span<const Features> windows) = 0;
  virtual Result<std::vector<Hypothesis>> do_generate(std::span<const EncodingPtr> windows,
                                                      std::span<const std::vector<int>> prompts,
                                                      const Search& search) = 0;
  virtual Result<std::vector<std::vector<TokenTime>>> do_align(std::span<const Alignment> windows) = 0;
  virtual Result<std::vector<Languages>> do_detect_language(std::span<const EncodingPtr> windows) = 0;

  // Calls `work` and counts its seconds for `step`.
  template <typename Work>
  auto timed(std::string_view step, const Work& work);

  Effort effort_;
};

// The two, each where the other is not wanted: tests compare them. The second gives nothing for models that
// are not made as the kernels are.
Result<std::unique_ptr<Model>> load_with_ctranslate2(const ModelFiles& files, Device device,
                                                     ComputeType compute_type, int threads);
Result<std::unique_ptr<Model>> load_with_kernels(const ModelFiles& files, const Tokenizer& tokenizer,
                                                 int threads, const kernels::Set& cpu);

// What one of them made of `seconds` of a window: the position of the encoder where each token begins, and
// one for the end of the text; and each token's probability.
std::vector<TokenTime> token_times(std::span<const int> first_positions, std::span<const float> probabilities,
                                   double seconds);

Error failure(std::string_view what, const std::exception& error);
// Runs `call`, and turns what it throws into our errors; `what` as in "The model failed at decoding."
template <typename Call>
auto guarded(std::string_view what, const Call& call) -> Result<decltype(call())> {
  try {
    return call();
  } catch (const std::exception& error) {
    return fail(failure(what, error));
  }
}

}  // namespace hansard::engine::whisper
