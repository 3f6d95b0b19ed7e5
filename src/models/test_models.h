// What this folder's tests share: a temporary folder, and models small enough to be made on the spot.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/temporary_folder.h"
#include "models/library.h"
#include "models/manifest.h"

namespace hansard::models {

inline void write(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  ASSERT_TRUE(write_file_atomically(path, bytes, Sync::no));
}

inline std::string read(const std::filesystem::path& path) {
  return read_file(path, 1 << 30).value_or("");
}

// Bytes that differ from place to place, so that a piece in the wrong place is seen.
inline std::string noise(size_t size_bytes, uint32_t seed) {
  std::string bytes(size_bytes, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

struct Content {
  std::string name;
  std::string bytes;
};

inline std::vector<File> files_of(const std::vector<Content>& contents) {
  std::vector<File> files;
  for (const Content& content : contents) {
    files.push_back({content.name, content.bytes.size(), sha256_hex(content.bytes)});
  }
  return files;
}

// Lays a whole model into `root`/`id`.
inline void lay_model(const std::filesystem::path& root, const std::string& id,
                      const std::vector<Content>& contents, Kind kind = Kind::transcription) {
  for (const Content& content : contents) write(root / id / content.name, content.bytes);
  write(root / id / kManifestName, manifest_text(id, kind, files_of(contents), nullptr));
}

inline Model catalog_model(const std::string& id, const std::vector<Content>& contents) {
  Model model;
  model.id = id;
  model.short_name = id;
  model.title = id;
  model.license = "MIT";
  model.attribution = "nobody";
  model.files = files_of(contents);
  return model;
}

}  // namespace hansard::models
