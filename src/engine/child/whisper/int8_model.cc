// Whisper by our own kernels: every window's text is decoded once, and what its words' times are read from is
// kept on the way.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "base/json.h"
#include "base/languages.h"
#include "base/parallel.h"
#include "engine/child/whisper/alignment.h"
#include "engine/child/whisper/model.h"
#include "engine/child/whisper/network.h"
#include "engine/child/whisper/search.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {
namespace {

namespace bj = json::bj;

// English-only models have one token less.
constexpr int kMultilingualVocabulary = 51'865;

struct CachedEncoding final : Encoding {
  explicit CachedEncoding(std::unique_ptr<CrossCache> made) : cache(std::move(made)) {}
  std::unique_ptr<CrossCache> cache;
};

const CrossCache& cache_of(const EncodingPtr& encoding) {
  return *static_cast<const CachedEncoding&>(*encoding).cache;
}

class Int8Model final : public Model {
 public:
  Int8Model(std::unique_ptr<Network> network, SearchTokens tokens,
            std::vector<std::pair<std::string, int>> languages, int threads)
      : network_(std::move(network)),
        tokens_(std::move(tokens)),
        languages_(std::move(languages)),
        rooms_(static_cast<size_t>(threads)) {}

  bool multilingual() const override { return !languages_.empty(); }
  int bands() const override { return network_->size().bands; }
  int lanes() const override { return static_cast<int>(rooms_.size()); }
  void rest() override {
    for (Room& room : rooms_) room = Room();
  }

  ModelMemory memory() const override {
    const NetworkSize& size = network_->size();
    const int64_t positions = size.positions;
    const int64_t stream = 4 * positions * size.width;
    // Streams of several widths between the layers, one layer's keys and values for the decoder, scores of
    // attention.
    const int64_t lane =
        8 * stream + 4 * positions * kernels::kTileRows * 2 + 4LL * strategy::kBeam * network_->stride();
    const int64_t cross = 2LL * size.decoder_layers * positions * (size.width + 4LL * size.heads);
    const int64_t self = 2LL * 4 * size.decoder_layers * size.tokens * size.width;
    const int64_t scores = 2LL * size.tokens * network_->alignment_heads() * positions;
    return {lane, cross + self + scores};
  }

  Result<std::vector<EncodingPtr>> do_encode(std::span<const Features> windows) override {
    return guarded("encoding", [&] {
      std::vector<EncodingPtr> encodings(windows.size());
      // Each window has one thread, or several where there are fewer windows than threads.
      const size_t share = std::max<size_t>(1, rooms_.size() / std::max<size_t>(1, windows.size()));
      const size_t at_once = rooms_.size() / share;
      in_parallel(static_cast<int>(windows.size()), static_cast<int>(at_once), [&](int i, int lane) {
        const Features& features = windows[static_cast<size_t>(i)];
        const auto rooms = std::span(rooms_).subspan(static_cast<size_t>(lane) * share, share);
        encodings[static_cast<size_t>(i)] =
            std::make_shared<CachedEncoding>(network_->encode(features.values, features.frames, rooms));
      });
      return encodings;
    });
  }

  Result<std::vector<Hypothesis>> do_generate(std::span<const EncodingPtr> windows,
                                              std::span<const std::vector<int>> prompts,
                                              const Search& search) override {
    return guarded("decoding", [&] {
      std::vector<Hypothesis> all(windows.size());
      const size_t parts = std::min(rooms_.size(), windows.size());
      const auto begin = [&](size_t part) { return windows.size() * part / parts; };
      in_parallel(static_cast<int>(parts), static_cast<int>(parts), [&](int index, int lane) {
        const auto part = static_cast<size_t>(index);
        std::vector<const CrossCache*> caches;
        for (size_t i = begin(part); i < begin(part + 1); ++i) caches.push_back(&cache_of(windows[i]));
        std::vector<Hypothesis> found =
            find_text(*network_, tokens_, caches, prompts.subspan(begin(part), caches.size()), search,
                      rooms_[static_cast<size_t>(lane)]);
        std::move(found.begin(), found.end(), all.begin() + static_cast<ptrdiff_t>(begin(part)));
      });
      return all;
    });
  }

  Result<std::vector<std::vector<TokenTime>>> do_align(std::span<const Alignment> windows) override {
    return guarded("alignment", [&] {
      std::vector<std::vector<TokenTime>> times(windows.size());
      in_parallel(static_cast<int>(windows.size()), lanes(), [&](int index, int) {
        const auto i = static_cast<size_t>(index);
        const Attention& attention = *windows[i].hypothesis->attention;
        if (attention.probabilities.empty()) return;
        const double positions = std::ceil(windows[i].seconds / strategy::kAlignmentSeconds);
        times[i] = token_times(first_positions(network_->cpu(), attention, static_cast<int>(positions)),
                               attention.probabilities, windows[i].seconds);
      });
      return times;
    });
  }

  Result<std::vector<Languages>> do_detect_language(std::span<const EncodingPtr> windows) override {
    return guarded("language detection", [&] {
      std::vector<Languages> all(windows.size());
      in_parallel(static_cast<int>(windows.size()), lanes(), [&](int index, int lane) {
        const auto i = static_cast<size_t>(index);
        SelfCache cache(*network_, cache_of(windows[i]), 1, 1);
        const Network::Row row{&cache, 0, 0, tokens_.start_of_transcript, true};
        const float* logits = network_->decode(std::span(&row, 1), rooms_[static_cast<size_t>(lane)]);
        all[i] = languages(logits);
      });
      return all;
    });
  }

 private:
  Languages languages(const float* logits) const {
    std::vector<float> probabilities;
    for (const auto& [code, token] : languages_) probabilities.push_back(logits[token]);
    network_->cpu().softmax(probabilities.data(), static_cast<int>(probabilities.size()));
    Languages result;
    for (size_t i = 0; i < languages_.size(); ++i) result.emplace_back(languages_[i].first, probabilities[i]);
    std::stable_sort(result.begin(), result.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    return result;
  }

  std::unique_ptr<Network> network_;
  SearchTokens tokens_;
  std::vector<std::pair<std::string, int>> languages_;
  std::vector<Room> rooms_;  // of each thread, kept between calls until rest()
};

// A list of numbers in config.json; empty where it is not there.
Result<std::vector<int>> numbers(const bj::object& config, std::string_view name) {
  std::vector<int> values;
  if (!config.contains(name)) return values;
  for (const bj::value& value : *TRY(json::get_array(config, name))) {
    if (!value.is_int64()) return fail(ErrorCode::model_corrupt, "The model's config.json is damaged.");
    values.push_back(static_cast<int>(value.as_int64()));
  }
  return values;
}

// Heads whose attention follows the speech; where the model does not name them, those of the later half of
// the decoder, as OpenAI's reference code takes them.
Result<std::vector<std::pair<int, int>>> alignment_heads(const bj::object& config,
                                                         const WeightsFile& weights) {
  std::vector<std::pair<int, int>> heads;
  if (!config.contains("alignment_heads")) {
    const NetworkSize size = Network::size_of(weights);
    for (int layer = size.decoder_layers / 2; layer < size.decoder_layers; ++layer) {
      for (int head = 0; head < size.heads; ++head) heads.emplace_back(layer, head);
    }
    return heads;
  }
  for (const bj::value& pair : *TRY(json::get_array(config, "alignment_heads"))) {
    const bj::array* numbers = pair.if_array();
    if (numbers == nullptr || numbers->size() != 2 || !(*numbers)[0].is_int64() ||
        !(*numbers)[1].is_int64()) {
      return fail(ErrorCode::model_corrupt, "The model's config.json is damaged.");
    }
    heads.emplace_back((*numbers)[0].as_int64(), (*numbers)[1].as_int64());
  }
  return heads;
}

}  // namespace

Result<std::unique_ptr<Model>> load_with_kernels(const ModelFiles& files, const Tokenizer& tokenizer,
                                                 int threads, const kernels::Set& cpu) {
  const WeightsFile weights = TRY(WeightsFile::open(files.fd("model.bin")));
  if (!Network::can_load(weights)) return std::unique_ptr<Model>();
  Result<bj::object> config = json::parse_object(TRY(files.read("config.json")));
  if (!config) return fail(ErrorCode::model_corrupt, "The model's config.json is damaged.");
  const std::vector<std::pair<int, int>> heads = TRY(alignment_heads(*config, weights));
  SearchTokens tokens;
  tokens.vocabulary = Network::size_of(weights).vocabulary;
  tokens.end_of_text = tokenizer.end_of_text();
  tokens.start_of_transcript = tokenizer.special("startoftranscript").value_or(-1);
  tokens.no_speech = tokenizer.special("nospeech").value_or(tokenizer.special("nocaptions").value_or(-1));
  tokens.suppressed = TRY(numbers(*config, "suppress_ids"));
  tokens.suppressed_first = TRY(numbers(*config, "suppress_ids_begin"));
  for (const std::vector<int>* ids : {&tokens.suppressed, &tokens.suppressed_first}) {
    for (const int id : *ids) {
      if (id < 0 || id >= tokens.vocabulary) {
        return fail(ErrorCode::model_corrupt, "The model's config.json names tokens that the model has not.");
      }
    }
  }
  std::vector<std::pair<std::string, int>> languages;
  for (const Language& language : hansard::languages()) {
    const std::optional<int> token = tokenizer.language(language.code);
    if (token && tokens.vocabulary >= kMultilingualVocabulary) languages.emplace_back(language.code, *token);
  }
  std::unique_ptr<Network> network =
      TRY(TRY(guarded("loading", [&] { return Network::load(weights, heads, threads, cpu); })));
  return std::make_unique<Int8Model>(std::move(network), std::move(tokens), std::move(languages), threads);
}

}  // namespace hansard::engine::whisper
