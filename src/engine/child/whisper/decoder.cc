#include "engine/child/whisper/decoder.h"

#include <algorithm>

#include "engine/child/whisper/pieces.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {

Result<std::vector<Decoded>> Decoder::decode(const Pcm& pcm, std::span<const Passage> passages,
                                             const TranscribeOptions& options, int beam_size,
                                             const std::function<void(double)>& on_fraction,
                                             std::stop_token stop) {
  std::vector<Pieces> windows;
  for (const Passage& passage : passages) windows.push_back(passage.pieces);
  std::vector<EncodingPtr> encodings =
      TRY(encoder_.encode(pcm, windows, Encoder::Frames::fitting, Encoder::Keep::forget, stop));
  on_fraction(0.4);
  std::vector<Decoded> results(passages.size());
  for (size_t i = 0; i < results.size(); ++i) results[i].encoding = std::move(encodings[i]);
  TRY(decode_first(passages, options, beam_size, results, stop));
  on_fraction(0.8);
  const double weak = strategy::care(options.preset).weak_log_probability;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!is_weak(results[i].hypothesis, seconds_of(passages[i].pieces), weak)) continue;
    TRY(decode_again(pcm, passages[i], options, beam_size, results[i], stop));
    on_fraction(0.8 + 0.2 * static_cast<double>(i + 1) / static_cast<double>(results.size()));
  }
  return results;
}

std::vector<int> Decoder::prompt_for(const Passage& passage, const TranscribeOptions& options) const {
  std::vector<int> prompt = prompts_.before(options);
  const std::vector<int> start = prompts_.start(passage.language, options.task);
  prompt.insert(prompt.end(), start.begin(), start.end());
  prompt.push_back(prompts_.no_timestamps());
  return prompt;
}

Result<void> Decoder::decode_first(std::span<const Passage> passages, const TranscribeOptions& options,
                                   int beam_size, std::vector<Decoded>& results, std::stop_token stop) {
  if (stop.stop_requested()) return fail(ErrorCode::canceled, "Canceled.");
  std::vector<EncodingPtr> encodings;
  std::vector<std::vector<int>> prompts;
  for (size_t i = 0; i < passages.size(); ++i) {
    encodings.push_back(results[i].encoding);
    prompts.push_back(prompt_for(passages[i], options));
  }
  std::vector<Hypothesis> hypotheses = TRY(model_.generate(encodings, prompts, {.beam_size = beam_size}));
  for (size_t i = 0; i < results.size(); ++i) results[i].hypothesis = std::move(hypotheses[i]);
  return {};
}

Result<void> Decoder::decode_again(const Pcm& pcm, const Passage& passage, const TranscribeOptions& options,
                                   int beam_size, Decoded& result, std::stop_token stop) {
  if (stop.stop_requested()) return fail(ErrorCode::canceled, "Canceled.");
  EncodingPtr encoding = result.encoding;
  const bool whole = frames_for(passage.pieces) == kMostFrames;
  if (!whole) {
    encoding = TRY(encoder_.encode(pcm, std::span(&passage.pieces, 1), Encoder::Frames::whole,
                                   Encoder::Keep::forget, stop))[0];
  }
  const std::vector<int> prompt = prompt_for(passage, options);
  const int beam = std::max(strategy::kBeam, beam_size);
  for (const float penalty : {1.0F, strategy::kRepetitionPenalty}) {
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "Canceled.");
    // The same beam over the same frames would say the same.
    const bool tried = penalty == 1.0F && whole && beam == beam_size;
    if (!tried) {
      std::vector<Hypothesis> second =
          TRY(model_.generate(std::span(&encoding, 1), std::span(&prompt, 1),
                              {.beam_size = beam, .repetition_penalty = penalty}));
      if (is_better(second[0], result.hypothesis)) {
        result.hypothesis = std::move(second[0]);
        result.encoding = encoding;
        result.again = true;
      }
    }
    if (!goes_in_circles(result.hypothesis.tokens)) return {};
  }
  result.circles = true;
  return {};
}

}  // namespace hansard::engine::whisper
