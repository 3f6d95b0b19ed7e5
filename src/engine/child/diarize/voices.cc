#include "engine/child/diarize/voices.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace hansard::engine {
namespace {

constexpr std::string_view kMagic = "HSV1";
constexpr size_t kUnitBytes = 14;  // of a unit without its embedding
static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

template <typename T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put(std::string& to, const KeptEmbedding& embedding) {
  for (const _Float16 value : embedding.values()) put(to, value);
}

void put(std::string& to, const Activity& activity) {
  std::string runs;
  uint16_t count = 0;
  for (size_t i = 0; i < activity.size();) {
    size_t end = i;
    while (end < activity.size() && activity[end] == activity[i]) ++end;
    put(runs, static_cast<uint16_t>(end - i));
    put(runs, activity[i]);
    ++count;
    i = end;
  }
  put(to, count);
  to += runs;
}

void put(std::string& to, const Unit& unit) {
  put(to, unit.window);
  put(to, unit.speaker);
  put(to, unit.first);
  put(to, unit.last);
  put(to, unit.clean_s);
  put(to, static_cast<uint8_t>(unit.embedded));
  if (unit.embedded) put(to, unit.embedding);
}

void put(std::string& to, const std::deque<Unit>& units) {
  put(to, static_cast<uint32_t>(units.size()));
  for (const Unit& unit : units) put(to, unit);
}

// Takes numbers off the front; once something is missing or off, everything after is nothing too.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }
  size_t left() const { return bytes_.size(); }
  void require(bool condition) { ok_ = ok_ && condition; }

  template <typename T>
  T get() {
    T value{};
    require(bytes_.size() >= sizeof value);
    if (!ok_) return value;
    std::copy_n(bytes_.begin(), sizeof value, reinterpret_cast<char*>(&value));
    bytes_.remove_prefix(sizeof value);
    return value;
  }

  void get(KeptEmbedding& embedding) {
    for (_Float16& value : embedding.values()) {
      value = get<_Float16>();
      require(std::isfinite(static_cast<float>(value)));
    }
  }

  void get(Activity& activity) {
    size_t at = 0;
    for (auto runs = get<uint16_t>(); ok_ && runs > 0; --runs) {
      const auto length = get<uint16_t>();
      const auto value = get<uint8_t>();
      require(length > 0 && at + length <= activity.size() && value < 8);
      if (!ok_) return;
      std::fill_n(activity.begin() + static_cast<std::ptrdiff_t>(at), length, value);
      at += length;
    }
    require(at == activity.size());
  }

  float get_seconds() {
    const auto value = get<float>();
    require(value >= 0 && value <= 11);
    return value;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

std::deque<Unit> get_units(Reader& reader, size_t window_count) {
  const auto count = reader.get<uint32_t>();
  reader.require(count <= reader.left() / kUnitBytes);
  std::deque<Unit> units(reader.ok() ? count : 0);
  for (Unit& unit : units) {
    unit.window = reader.get<uint32_t>();
    unit.speaker = reader.get<uint8_t>();
    unit.first = reader.get<uint16_t>();
    unit.last = reader.get<uint16_t>();
    unit.clean_s = reader.get_seconds();
    unit.embedded = reader.get<uint8_t>() != 0;
    reader.require(unit.window < window_count && unit.speaker < kLocalSpeakers && unit.first < unit.last &&
                   unit.last <= kSegmentFrames);
    if (unit.embedded) reader.get(unit.embedding);
    if (!reader.ok()) break;
  }
  return units;
}

// About how long the bytes will be, so that they are not copied while they grow.
size_t expected_bytes(const Voices& voices) {
  constexpr size_t kWindowBytes = 128;
  size_t embeddings = 0;
  for (const VoiceWindow& window : voices.windows) {
    for (const LocalSpeaker& speaker : window.speakers) embeddings += speaker.embedded ? 1 : 0;
  }
  for (const auto* units : {&voices.training, &voices.assignment}) {
    for (const Unit& unit : *units) embeddings += unit.embedded ? 1 : 0;
  }
  return embeddings * kEmbeddingSize * sizeof(_Float16) + voices.windows.size() * kWindowBytes +
         (voices.training.size() + voices.assignment.size()) * kUnitBytes;
}

}  // namespace

std::vector<int64_t> window_starts(int64_t sample_count, int64_t hop) {
  std::vector<int64_t> starts{0};
  while (starts.back() + kSegmentSamples < sample_count) {
    starts.push_back(std::min(starts.back() + hop, sample_count - kSegmentSamples));
  }
  return starts;
}

std::vector<Unit> cut_units(const Activity& activity, uint32_t window, double bridge_s, double longest_s) {
  const int bridge = static_cast<int>(bridge_s / kFrameStep);
  const double longest = longest_s / kFrameStep;
  std::vector<Unit> units;
  for (int speaker = 0; speaker < kLocalSpeakers; ++speaker) {
    std::vector<std::pair<int, int>> runs;
    for (int i = 0; i < kSegmentFrames;) {
      const auto active = [&](int frame) {
        return ((activity[static_cast<size_t>(frame)] >> speaker) & 1) != 0;
      };
      if (!active(i)) {
        ++i;
        continue;
      }
      int end = i;
      while (end < kSegmentFrames && active(end)) ++end;
      if (!runs.empty() && i - runs.back().second <= bridge) {
        runs.back().second = end;
      } else {
        runs.emplace_back(i, end);
      }
      i = end;
    }
    for (const auto& [first, last] : runs) {
      const int parts = std::max(1, static_cast<int>(std::ceil((last - first) / longest - 1e-6)));
      for (int part = 0; part < parts; ++part) {
        Unit unit;
        unit.window = window;
        unit.speaker = static_cast<uint8_t>(speaker);
        unit.first = static_cast<uint16_t>(first + (last - first) * part / parts);
        unit.last = static_cast<uint16_t>(first + (last - first) * (part + 1) / parts);
        units.push_back(unit);
      }
    }
  }
  return units;
}

std::string to_bytes(const Voices& voices) {
  std::string bytes;
  bytes.reserve(expected_bytes(voices));
  bytes += kMagic;
  put(bytes, voices.sample_count);
  put(bytes, voices.hop);
  put(bytes, static_cast<uint32_t>(voices.windows.size()));
  for (const VoiceWindow& window : voices.windows) {
    put(bytes, window.activity);
    for (const LocalSpeaker& speaker : window.speakers) {
      put(bytes, static_cast<uint8_t>((speaker.active ? 1 : 0) | (speaker.embedded ? 2 : 0)));
      if (!speaker.active) continue;
      put(bytes, speaker.clean_s);
      if (speaker.embedded) put(bytes, speaker.embedding);
    }
  }
  put(bytes, voices.training);
  put(bytes, voices.assignment);
  return bytes;
}

Result<Voices> voices_from_bytes(std::string_view bytes) {
  const auto damaged = fail(ErrorCode::invalid_request, "what was kept of the voices is damaged");
  if (!bytes.starts_with(kMagic)) return damaged;
  Reader reader(bytes.substr(kMagic.size()));
  Voices voices;
  voices.sample_count = reader.get<int64_t>();
  voices.hop = reader.get<int64_t>();
  const auto count = reader.get<uint32_t>();
  constexpr size_t kLeastBytes = 8;
  reader.require(voices.sample_count >= 0 && voices.hop > 0 && voices.hop <= kSegmentSamples &&
                 count <= reader.left() / kLeastBytes &&
                 (voices.sample_count - kSegmentSamples) / voices.hop <= count);
  if (!reader.ok()) return damaged;
  const std::vector<int64_t> starts = window_starts(voices.sample_count, voices.hop);
  reader.require(count == 0 || count == starts.size());
  voices.windows.resize(reader.ok() ? count : 0);
  for (size_t i = 0; i < voices.windows.size() && reader.ok(); ++i) {
    VoiceWindow& window = voices.windows[i];
    window.start = starts[i];
    reader.get(window.activity);
    for (LocalSpeaker& speaker : window.speakers) {
      const auto flags = reader.get<uint8_t>();
      speaker.active = (flags & 1) != 0;
      speaker.embedded = speaker.active && (flags & 2) != 0;
      if (speaker.active) speaker.clean_s = reader.get_seconds();
      if (speaker.embedded) reader.get(speaker.embedding);
    }
  }
  voices.training = get_units(reader, voices.windows.size());
  voices.assignment = get_units(reader, voices.windows.size());
  if (!reader.ok() || !reader.at_end()) return damaged;
  return voices;
}

}  // namespace hansard::engine
