#include "engine/child/whisper/language_detector.h"

#include <algorithm>

#include "engine/child/whisper/pieces.h"
#include "engine/child/whisper/strategy.h"

namespace hansard::engine::whisper {
namespace {

// Spread evenly over the plan, first and last windows among them.
std::vector<size_t> sample_of(size_t window_count) {
  const size_t count = std::min<size_t>(window_count, strategy::kSampledWindows);
  std::vector<size_t> sample;
  for (size_t i = 0; i < count; ++i) sample.push_back(count == 1 ? 0 : i * (window_count - 1) / (count - 1));
  return sample;
}

}  // namespace

Result<std::vector<Heard>> LanguageDetector::listen(const Pcm& pcm, std::span<const Pieces> windows,
                                                    Encoder::Keep keep, const OnFraction& on_fraction,
                                                    std::stop_token stop) {
  std::vector<Heard> heard;
  // As many encodings in memory as in the sample.
  for (size_t first = 0; first < windows.size(); first += strategy::kSampledWindows) {
    const auto batch =
        windows.subspan(first, std::min<size_t>(strategy::kSampledWindows, windows.size() - first));
    // What is remembered is decoded later.
    const auto frames =
        keep == Encoder::Keep::remember ? Encoder::Frames::fitting : Encoder::Frames::shortest;
    const auto encodings = TRY(encoder_.encode(pcm, batch, frames, keep, stop));
    const std::vector<Model::Languages> languages = TRY(model_.detect_language(encodings));
    for (size_t i = 0; i < batch.size(); ++i) heard.push_back({seconds_of(batch[i]), languages[i]});
    on_fraction(static_cast<double>(heard.size()) / static_cast<double>(windows.size()));
  }
  return heard;
}

Result<void> LanguageDetector::detect(const Pcm& pcm, std::span<const Piece> regions, Plan& plan,
                                      const OnFraction& on_fraction, std::stop_token stop) {
  if (plan.windows.empty()) return {};
  const auto report = [&](double fraction) {
    if (on_fraction) on_fraction(fraction);
  };
  std::vector<Pieces> sample;
  for (const size_t i : sample_of(plan.windows.size())) sample.push_back(plan.windows[i].pieces);
  const bool all = sample.size() == plan.windows.size();
  std::vector<Heard> heard = TRY(listen(
      pcm, sample, Encoder::Keep::remember, [&](double fraction) { report((all ? 0.9 : 0.2) * fraction); },
      stop));
  Shares shares = shares_of(heard);
  plan.language = largest(shares);
  plan.language_probability = shares[plan.language];
  for (Window& window : plan.windows) window.language = plan.language;
  // One window is one utterance or two: what looks mixed there is a weak guess.
  if (plan.windows.size() == 1 || present(shares).size() == 1) return {};

  if (!all) {
    std::vector<Pieces> windows;
    for (const Window& window : plan.windows) windows.push_back(window.pieces);
    heard = TRY(listen(
        pcm, windows, Encoder::Keep::forget, [&](double fraction) { report(0.2 + 0.7 * fraction); }, stop));
    shares = shares_of(heard);
    plan.language = largest(shares);
    plan.language_probability = shares[plan.language];
  }
  const std::vector<std::string> languages = present(shares);
  std::vector<Window> windows;
  for (size_t i = 0; i < plan.windows.size(); ++i) {
    Window& window = plan.windows[i];
    if (const auto sure = sure_language(heard[i], languages)) {
      window.language = *sure;
      windows.push_back(std::move(window));
      continue;
    }
    for (Window& part : TRY(split(pcm, window, regions, languages, stop))) windows.push_back(std::move(part));
    report(0.9 + 0.1 * static_cast<double>(i + 1) / static_cast<double>(plan.windows.size()));
  }
  plan.windows = join_same_language(std::move(windows));
  return {};
}

Result<std::vector<Window>> LanguageDetector::split(const Pcm& pcm, const Window& window,
                                                    std::span<const Piece> regions,
                                                    std::span<const std::string> present,
                                                    std::stop_token stop) {
  const std::vector<Pieces> parts = language_regions(window.pieces, regions);
  const std::vector<Heard> heard = TRY(listen(pcm, parts, Encoder::Keep::forget, [](double) {}, stop));
  std::vector<Window> windows;
  for (size_t i = 0; i < parts.size(); ++i)
    windows.push_back({parts[i], language_of_part(heard[i], present)});
  return join_same_language(std::move(windows));
}

}  // namespace hansard::engine::whisper
