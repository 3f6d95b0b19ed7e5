// A model's files as an engine gets them: open descriptors by name, no paths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace hansard::engine {

struct ModelFile {
  std::string name;
  UniqueFd fd;
};

struct ModelFiles {
  std::string id;
  std::string kind;  // "speech", "transcription", "diarization"
  std::vector<ModelFile> files;

  // The descriptor of a file, or -1.
  int fd(std::string_view name) const;
  // A whole file. Errors: model_corrupt naming the file where it is missing or cannot be read.
  Result<std::string> read(std::string_view name) const;
};

}  // namespace hansard::engine
