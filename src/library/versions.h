// The versions of a transcript. The first is the machine's and never changes; each edit adds one, and the
// highest is what is read and exported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"
#include "transcript/document.h"

namespace hansard::library {

// Versions kept of a transcript: the machine's, and the latest of the others.
inline constexpr int64_t kVersionsKept = 100;

struct Version {
  int64_t number = 0;
  bool by_machine = false;
  std::optional<std::string> created_by;  // a user's id
  int64_t created_at_ms = 0;
};
// The newest first.
Result<std::vector<Version>> list_versions(store::Reader& reader, std::string_view transcription_id);

struct VersionDocument {
  int64_t number = 0;
  std::string document;  // canonical JSON, or an older form of it
};
// The newest where `number` is 0. Nothing where there is none.
Result<std::optional<VersionDocument>> find_version(store::Reader& reader, std::string_view transcription_id,
                                                    int64_t number);

// Adds a version after `base` to a transcription of this user that is completed, with its event; what is
// beyond kVersionsKept goes. Its number; nothing where `base` is not the newest any more.
Result<std::optional<int64_t>> add_version(store::Transaction& transaction, std::string_view user_id,
                                           std::string_view transcription_id, int64_t base,
                                           const transcript::Document& document);

}  // namespace hansard::library
