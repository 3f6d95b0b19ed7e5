// model.json: what makes a folder a model. {"id", "kind", "files": [{"name", "size_bytes", "sha256"}]}; other
// fields are for people. It is written last, so that a folder which has one is whole.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "models/library.h"

namespace hansard::models {

inline constexpr std::string_view kManifestName = "model.json";

// Lower-case letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit: a folder's name
// that cannot lead anywhere else.
bool is_model_id(std::string_view id);

// Reads the model.json of `folder`, whose name must be the model's id. Never trusted: names are plain, sizes
// and checksums well-formed. Errors: not_found where there is none, invalid_request.
Result<Installed> read_manifest(const std::filesystem::path& folder, bool read_only);

// The text of a model.json. `model` is null for a model that is not in the catalog.
std::string manifest_text(std::string_view id, Kind kind, std::span<const File> files, const Model* model);

// SHA-256 over names and checksums, whatever their order.
std::string digest_of(std::span<const File> files);

// Reads a file whole and gives its checksum. Errors: as open_for_read; canceled.
Result<std::string> checksum(const std::filesystem::path& path, const std::stop_token& stop);

}  // namespace hansard::models
