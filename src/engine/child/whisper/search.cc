#include "engine/child/whisper/search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <set>

#include "engine/child/whisper/alignment.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Some text so far.
struct Line {
  std::vector<int> tokens;
  std::vector<float> probabilities;  // of each, among text tokens
  double log_probability = 0;        // of all of it

  // The end of the text counts as a token.
  double average() const { return log_probability / (static_cast<double>(tokens.size()) + 1); }
};

class Searcher {
 public:
  Searcher(const Network& network, const SearchTokens& tokens, const Search& search,
           std::span<const int> prompt, Room& room)
      : network_(network),
        tokens_(tokens),
        search_(search),
        room_(room),
        prompt_length_(static_cast<int>(prompt.size())),
        most_(std::min(strategy::kMaxLength / 2, network.size().tokens - prompt_length_)) {
    const auto start = std::find(prompt.begin(), prompt.end(), tokens.start_of_transcript);
    start_ = start == prompt.end() ? 0 : static_cast<int>(start - prompt.begin());
  }

  std::vector<Hypothesis> greedy(std::span<const CrossCache* const> windows,
                                 std::span<const std::vector<int>> prompts) {
    std::vector<Text> texts = begin(windows, prompts, 1);
    std::vector<size_t> open(texts.size());
    for (size_t i = 0; i < open.size(); ++i) open[i] = i;
    for (int step = 0; step < most_ && !open.empty(); ++step) {
      float* logits = step == 0 ? first_.data() : advance(texts, open);
      std::vector<size_t> still;
      for (size_t k = 0; k < open.size(); ++k) {
        Text& text = texts[open[k]];
        float* row = row_of(logits, k);
        const Sums sums = prepare(row, text.line);
        const kernels::Largest best = network_.cpu().largest(row, tokens_.vocabulary);
        text.line.log_probability += static_cast<double>(best.value - sums.all);
        if (best.index == tokens_.end_of_text) continue;
        say(text.line, best.index, probability(best.value, sums));
        still.push_back(open[k]);
      }
      open = std::move(still);
    }
    std::vector<Hypothesis> found;
    for (Text& text : texts) found.push_back(finished(text, text.line, 0));
    return found;
  }

  Hypothesis beam(const CrossCache& window, const std::vector<int>& prompt) {
    const CrossCache* one = &window;
    std::vector<Text> texts = begin(std::span(&one, 1), std::span(&prompt, 1), search_.beam_size);
    Text& text = texts[0];
    std::vector<Line> lines(1);
    std::vector<Hypothesis> ended;
    const auto enough = static_cast<size_t>(search_.beam_size);
    for (int step = 0; step < most_ && ended.size() < enough; ++step) {
      const std::vector<Candidate> candidates =
          best_candidates(step == 0 ? first_.data() : advance(text, lines), lines);
      std::vector<Line> next;
      std::vector<int> parents;
      for (size_t rank = 0; rank < candidates.size() && next.size() < enough; ++rank) {
        const Candidate& candidate = candidates[rank];
        Line line = lines[static_cast<size_t>(candidate.parent)];
        line.log_probability = candidate.log_probability;
        if (candidate.token == tokens_.end_of_text) {
          if (rank < enough) ended.push_back(finished(text, line, candidate.parent));
          continue;
        }
        say(line, candidate.token, candidate.probability);
        next.push_back(std::move(line));
        parents.push_back(candidate.parent);
      }
      text.cache->branch(parents, prompt_length_ + step);
      lines = std::move(next);
    }
    if (ended.empty()) {
      for (size_t i = 0; i < lines.size(); ++i)
        ended.push_back(finished(text, lines[i], static_cast<int>(i)));
    }
    return *std::max_element(ended.begin(), ended.end(), [](const Hypothesis& a, const Hypothesis& b) {
      return a.average_log_probability < b.average_log_probability;
    });
  }

 private:
  struct Text {
    std::unique_ptr<SelfCache> cache;
    Line line;
    double no_speech = 0;
  };

  // Logarithms of sums over a row of logits.
  struct Sums {
    float text;  // of text tokens
    float all;
  };

  struct Candidate {
    double log_probability;
    int parent;
    int token;
    float probability;
  };

  float* row_of(float* logits, size_t row) const {
    return logits + row * static_cast<size_t>(network_.stride());
  }

  // A hypothesis with its last token, to hear what comes after it.
  Network::Row row_after(SelfCache& cache, int hypothesis, const Line& line) const {
    const int position = prompt_length_ + static_cast<int>(line.tokens.size()) - 1;
    return {&cache, hypothesis, position, line.tokens.back(), true};
  }

  // Gives the decoder all prompts; first_ holds what comes after each.
  std::vector<Text> begin(std::span<const CrossCache* const> windows,
                          std::span<const std::vector<int>> prompts, int slots) {
    std::vector<Text> texts;
    std::vector<Network::Row> rows;
    for (size_t i = 0; i < windows.size(); ++i) {
      Text& text = texts.emplace_back();
      text.cache = std::make_unique<SelfCache>(network_, *windows[i], prompt_length_ + most_, slots);
      for (int position = 0; position < prompt_length_; ++position) {
        const bool wanted = position == start_ || position == prompt_length_ - 1;
        rows.push_back({text.cache.get(), 0, position, prompts[i][static_cast<size_t>(position)], wanted});
      }
    }
    float* logits = network_.decode(rows, room_);
    const size_t each = start_ == prompt_length_ - 1 ? 1 : 2;
    first_.need(texts.size() * static_cast<size_t>(network_.stride()));
    for (size_t i = 0; i < texts.size(); ++i) {
      float* start = row_of(logits, i * each);
      if (tokens_.no_speech >= 0) {
        texts[i].no_speech = std::exp(static_cast<double>(
            start[tokens_.no_speech] - network_.cpu().log_sum_exp(start, tokens_.vocabulary)));
      }
      std::copy_n(row_of(logits, i * each + each - 1), network_.stride(), row_of(first_.data(), i));
    }
    return texts;
  }

  float* advance(std::vector<Text>& texts, std::span<const size_t> open) {
    std::vector<Network::Row> rows;
    for (const size_t i : open) rows.push_back(row_after(*texts[i].cache, 0, texts[i].line));
    return network_.decode(rows, room_);
  }

  float* advance(Text& text, std::span<const Line> lines) {
    std::vector<Network::Row> rows;
    for (size_t i = 0; i < lines.size(); ++i)
      rows.push_back(row_after(*text.cache, static_cast<int>(i), lines[i]));
    return network_.decode(rows, room_);
  }

  // Takes from a row what may not be said after `line`.
  Sums prepare(float* row, const Line& line) const {
    if (search_.repetition_penalty != 1) {
      for (const int token : std::set<int>(line.tokens.begin(), line.tokens.end())) {
        row[token] = row[token] < 0 ? row[token] * search_.repetition_penalty
                                    : row[token] / search_.repetition_penalty;
      }
    }
    for (const int token : tokens_.suppressed) row[token] = kNever;
    if (line.tokens.empty()) {
      for (const int token : tokens_.suppressed_first) row[token] = kNever;
    }
    const float text = network_.cpu().log_sum_exp(row, tokens_.end_of_text);
    const float rest =
        network_.cpu().log_sum_exp(row + tokens_.end_of_text, tokens_.vocabulary - tokens_.end_of_text);
    const float more = std::max(text, rest);
    return {text, more + std::log1p(std::exp(std::min(text, rest) - more))};
  }

  // Of a token among text tokens.
  static float probability(float logit, const Sums& sums) {
    return std::min(1.0F, std::exp(logit - sums.text));
  }

  static void say(Line& line, int token, float probability) {
    line.tokens.push_back(token);
    line.probabilities.push_back(probability);
  }

  // The likeliest ways to go on, twice as many as there are hypotheses: some may end.
  std::vector<Candidate> best_candidates(float* logits, std::span<const Line> lines) const {
    const size_t most = 2 * static_cast<size_t>(search_.beam_size);
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < lines.size(); ++i) {
      float* row = row_of(logits, i);
      const Sums sums = prepare(row, lines[i]);
      for (size_t rank = 0; rank < most; ++rank) {
        const kernels::Largest best = network_.cpu().largest(row, tokens_.vocabulary);
        if (best.value == kNever) break;
        candidates.push_back({lines[i].log_probability + static_cast<double>(best.value - sums.all),
                              static_cast<int>(i), best.index, probability(best.value, sums)});
        row[best.index] = kNever;
      }
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return a.log_probability > b.log_probability;
    });
    if (candidates.size() > most) candidates.resize(most);
    return candidates;
  }

  Hypothesis finished(Text& text, const Line& line, int slot) const {
    auto attention = std::make_shared<Attention>();
    attention->heads = network_.alignment_heads();
    attention->positions = text.cache->cross().positions();
    attention->first_text = prompt_length_ - 1 - start_;
    attention->probabilities = line.probabilities;
    // The last token was given to the decoder, unless there was no room for more.
    const int count = std::min(static_cast<int>(line.tokens.size()), most_ - 1);
    const size_t numbers = static_cast<size_t>(attention->heads) * static_cast<size_t>(attention->positions);
    for (int position = start_; position < prompt_length_ + count; ++position) {
      const uint16_t* scores = text.cache->scores(position, text.cache->origin(slot, position));
      attention->rows.emplace_back(scores, scores + numbers);
    }
    return {line.tokens, std::move(attention), line.average(), text.no_speech};
  }

  const Network& network_;
  const SearchTokens& tokens_;
  const Search& search_;
  Room& room_;
  int prompt_length_;
  int most_;
  int start_ = 0;  // of the transcript, in the prompt
  kernels::Buffer<float> first_;
};

}  // namespace

std::vector<Hypothesis> find_text(const Network& network, const SearchTokens& tokens,
                                  std::span<const CrossCache* const> windows,
                                  std::span<const std::vector<int>> prompts, const Search& search,
                                  Room& room) {
  if (windows.empty()) return {};
  Searcher searcher(network, tokens, search, prompts[0], room);
  if (search.beam_size <= 1) return searcher.greedy(windows, prompts);
  std::vector<Hypothesis> found;
  for (size_t i = 0; i < windows.size(); ++i) found.push_back(searcher.beam(*windows[i], prompts[i]));
  return found;
}

}  // namespace hansard::engine::whisper
