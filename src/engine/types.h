// What goes over the provider boundary: requests and results in our own types. Times of words and turns are
// seconds since the start of the spool; positions of windows are samples of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hansard::engine {

// ---- speech: where anyone speaks, and the plan for decoding it

struct SpeechOptions {
  bool voice_activity = true;  // false: the whole recording is taken for speech
  float threshold = 0.5F;      // probability at which speech begins; it ends 0.15 below
  int min_silence_ms = 160;    // a shorter pause does not end a region
};

// A stretch of the recording, samples [start, end).
struct Piece {
  int64_t start = 0;
  int64_t end = 0;
  bool operator==(const Piece&) const = default;
};

// Pieces in order, abutted, at most 30 s in all: what one call of the model sees. A position inside the
// window maps to one in the recording piece by piece, exact to the sample.
struct Window {
  std::vector<Piece> pieces;
  std::string language;  // code, as in "en"
  int64_t sample_count() const;
  bool operator==(const Window&) const = default;
};

// Windows [first_window, first_window + window_count) are decoded, aligned and saved together.
struct Group {
  int first_window = 0;
  int window_count = 0;
  bool operator==(const Group&) const = default;
};

struct Plan {
  std::vector<Window> windows;  // in order of time
  std::vector<Group> groups;    // cover the windows, in order
  std::string language;         // of most of the speech; empty where there is none
  double language_probability = 0;
  double speech_seconds = 0;
  bool operator==(const Plan&) const = default;
};

// Windows decoded at once unless asked otherwise: twice as fast as one by one, and more gains little.
inline constexpr int kBatchSize = 8;

struct PlanRequest {
  std::string speech_model;         // id of a prepared voice activity model
  std::string transcription_model;  // id of a prepared model, which detects the language
  std::string language = "auto";    // or a code: then nothing is detected
  SpeechOptions speech;
  int batch_size = kBatchSize;  // windows in a group
};

// ---- words

enum class Task { transcribe, translate };  // translate: into English

// How much care is taken over words. What each does stands in engine/child/whisper/strategy.h, what it costs
// and gains in docs/performance.md.
enum class Preset { fast, balanced, accurate };

struct TranscribeOptions {
  Task task = Task::transcribe;
  Preset preset = Preset::balanced;
  int beam_size = 0;           // 0: as the preset has it
  std::string initial_prompt;  // put before every window
  std::vector<std::string> hotwords;
};

struct TranscribeRequest {
  std::string transcription_model;
  Plan plan;
  std::vector<int> groups;  // which groups of the plan to do, in order
  TranscribeOptions options;
};

struct Word {
  double start = 0;  // seconds
  double end = 0;
  std::string text;  // with its leading space where it has one: the text is the words' concatenation
  float probability = 0;
  bool operator==(const Word&) const = default;
};

struct WindowText {
  std::string language;
  std::vector<int> tokens;  // text tokens as decoded, for exports and for studying results
  double average_log_probability = 0;
  double no_speech_probability = 0;
  bool decoded_again = false;  // the first, greedy result was weak and was replaced
  std::vector<Word> words;
  bool operator==(const WindowText&) const = default;
};

struct GroupText {
  int group = 0;
  std::vector<WindowText> windows;
  bool operator==(const GroupText&) const = default;
};

// ---- speakers

struct VoicesRequest {
  std::string diarization_model;
  std::string speech_model;  // gates what is no speech at all
};

struct SpeakerCount {
  std::optional<int> exact;
  std::optional<int> least;
  std::optional<int> most;
};

struct DiarizeRequest {
  std::string voices;  // what voices() gave, from whichever run of the same version
  SpeakerCount speakers;
};

struct Turn {
  double start = 0;  // seconds
  double end = 0;
  int speaker = 0;  // 0, 1, … by first appearance
  bool operator==(const Turn&) const = default;
};

// ---- what it takes

// Seconds of each step of a call by its name ("encode", "decode", …), and how much was worked on ("windows",
// "tokens").
struct Effort {
  std::map<std::string, double, std::less<>> seconds;
  std::map<std::string, int64_t, std::less<>> counts;

  Effort& operator+=(const Effort& other);
};

// ---- what an engine can do

enum class Device { automatic, cpu, cuda };
enum class ComputeType { automatic, int8, float16, float32 };

struct EngineOptions {
  Device device = Device::automatic;
  ComputeType compute_type = ComputeType::automatic;
  int threads = 0;  // 0: physical cores
  // Resident memory of an engine, 0: any. It keeps one model at a time then, and decodes as many windows at
  // once as fit; over it, it is killed: out_of_memory.
  int64_t memory_limit_bytes = 0;
};

struct Capabilities {
  std::string provider;      // "local"
  std::string device;        // resolved: "cpu" or "cuda"
  std::string device_note;   // why automatic chose it; empty where there is nothing to say
  std::string compute_type;  // resolved, part of what names a result
  std::string build;         // names program and libraries: equal bytes are promised for one build
};

}  // namespace hansard::engine
