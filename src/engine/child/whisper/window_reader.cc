#include "engine/child/whisper/window_reader.h"

#include <algorithm>
#include <utility>

#include "engine/child/whisper/pieces.h"
#include "engine/child/whisper/strategy.h"
#include "engine/child/whisper/words.h"

namespace hansard::engine::whisper {

Result<std::vector<WindowText>> WindowReader::read(const Pcm& pcm, std::span<const Window> windows,
                                                   const TranscribeOptions& options, int beam_size,
                                                   const OnFraction& on_fraction, std::stop_token stop) {
  std::vector<Parts> all;
  for (const Window& window : windows) {
    Part part;
    part.passage = {window.pieces, window.language};
    all.push_back({std::move(part)});
  }
  // What is read after the first round is little, and rarely anything.
  double done = 0;
  const auto report = [&](double fraction) {
    done = std::max(done, 0.95 * fraction);
    if (on_fraction) on_fraction(done);
  };
  for (;;) {
    std::vector<Part*> open;
    for (Parts& parts : all) {
      for (Part& part : parts) {
        if (part.open) open.push_back(&part);
      }
    }
    if (open.empty()) break;
    TRY(read_parts(pcm, open, options, beam_size, report, stop));
    for (Parts& parts : all) go_on(parts);
  }
  std::vector<WindowText> texts;
  for (const Parts& parts : all) texts.push_back(put_together(parts));
  if (on_fraction) on_fraction(1);
  return texts;
}

Result<void> WindowReader::read_parts(const Pcm& pcm, std::span<Part* const> parts,
                                      const TranscribeOptions& options, int beam_size,
                                      const OnFraction& on_fraction, std::stop_token stop) {
  std::vector<Passage> passages;
  for (const Part* part : parts) passages.push_back(part->passage);
  std::vector<Decoded> decoded = TRY(decoder_.decode(
      pcm, passages, options, beam_size, [&](double fraction) { on_fraction(0.85 * fraction); }, stop));
  std::vector<Part*> heard;
  std::vector<Model::Alignment> alignments;
  for (size_t i = 0; i < parts.size(); ++i) {
    Part& part = *parts[i];
    part.decoded = std::move(decoded[i]);
    part.dropped = part.decoded.circles || is_noise(part.decoded.hypothesis);
    if (part.dropped || part.decoded.hypothesis.tokens.empty()) continue;
    heard.push_back(&part);
    alignments.push_back({part.decoded.encoding, prompts_.start(part.passage.language, options.task),
                          &part.decoded.hypothesis, seconds_of(part.passage.pieces)});
  }
  if (stop.stop_requested()) return fail(ErrorCode::canceled, "Canceled.");
  const std::vector<std::vector<TokenTime>> times = TRY(model_.align(alignments));
  for (size_t i = 0; i < heard.size(); ++i) {
    Part& part = *heard[i];
    const std::vector<Word> words =
        make_words(tokenizer_, part.passage.language, part.decoded.hypothesis.tokens, times[i]);
    part.words = place_words(words, part.passage.pieces);
    part.heard_seconds = times[i].back().end;
  }
  for (Part* part : parts) part->decoded.encoding.reset();
  on_fraction(1);
  return {};
}

// Closes the parts that were read, and cuts new ones where there is speech that was not.
void WindowReader::go_on(Parts& parts) {
  for (auto part = parts.begin(); part != parts.end(); ++part) {
    if (!part->open) continue;
    part->open = false;
    const bool noise = part->dropped && !part->decoded.circles;
    const double seconds = seconds_of(part->passage.pieces);
    const bool unheard = seconds - part->heard_seconds > strategy::kUnheardSeconds;
    if (part->cuts >= strategy::kMostCuts || noise || !unheard) continue;
    Pieces first;
    Pieces second;
    if (part->heard_seconds > strategy::kUnheardSeconds) {
      second = pieces_after(part->passage.pieces, part->heard_seconds - strategy::kBackSeconds);
    } else if (seconds > strategy::kHalvedSeconds) {
      std::tie(first, second) = halves(part->passage.pieces);
    }
    auto at = std::next(part);
    for (Pieces* pieces : {&first, &second}) {
      if (pieces->empty()) continue;
      Part next;
      next.passage = {std::move(*pieces), part->passage.language};
      next.cuts = part->cuts + 1;
      parts.insert(at, std::move(next));
      // Halves are read anew: what was made of the whole is not kept beside them.
      part->dropped = part->dropped || !first.empty();
    }
    part = std::prev(at);
  }
}

WindowText WindowReader::put_together(const Parts& parts) {
  WindowText text;
  text.language = parts.front().passage.language;
  text.no_speech_probability = parts.front().decoded.hypothesis.no_speech_probability;
  double weight = 0;
  for (const Part& part : parts) {
    const Hypothesis& hypothesis = part.decoded.hypothesis;
    text.decoded_again = text.decoded_again || part.decoded.again || parts.size() > 1;
    if (part.dropped) continue;
    const double tokens = static_cast<double>(hypothesis.tokens.size()) + 1;
    text.average_log_probability += hypothesis.average_log_probability * tokens;
    weight += tokens;
    text.tokens.insert(text.tokens.end(), hypothesis.tokens.begin(), hypothesis.tokens.end());
    for (Word word : part.words) {
      const double last = text.words.empty() ? 0 : text.words.back().start;
      word.start = std::max(word.start, last);
      word.end = std::max(word.end, word.start);
      text.words.push_back(std::move(word));
    }
  }
  if (weight > 0) text.average_log_probability /= weight;
  return text;
}

}  // namespace hansard::engine::whisper
