#include "models/manifest.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

namespace hansard::models {
namespace {

constexpr uint64_t kManifestBytes = 64UL * 1024;
constexpr size_t kFiles = 16;  // as many descriptors as one frame to an engine takes

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), is_plain) && name != kManifestName;
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<File> read_file_entry(const json::bj::value& value) {
  if (!value.is_object()) return fail(ErrorCode::invalid_request, "an entry of \"files\" is not an object");
  const json::bj::object& object = value.get_object();
  File file;
  file.name = TRY(json::get_string(object, "name"));
  file.size_bytes = static_cast<uint64_t>(TRY(json::get_integer(object, "size_bytes", 0)));
  file.sha256 = TRY(json::get_string(object, "sha256"));
  if (!is_file_name(file.name) || !is_sha256(file.sha256)) {
    return fail(ErrorCode::invalid_request, "an entry of \"files\" has no plain name or no checksum");
  }
  return file;
}

Result<Kind> read_kind(const json::bj::object& object, std::string_view id) {
  if (object.contains("kind")) {
    if (const auto kind = find_kind(TRY(json::get_string(object, "kind")))) return *kind;
  } else if (const Model* model = find_model(id)) {
    return model->kind;
  }
  return fail(ErrorCode::invalid_request, "field \"kind\" is not speech, transcription or diarization");
}

}  // namespace

bool is_model_id(std::string_view id) {
  const auto lower = [](char c) { return is_plain(c) && !(c >= 'A' && c <= 'Z'); };
  return !id.empty() && id.size() <= 64 && id.front() != '.' && id.front() != '-' && id.front() != '_' &&
         std::all_of(id.begin(), id.end(), lower);
}

Result<Installed> read_manifest(const std::filesystem::path& folder, bool read_only) {
  const std::string text = TRY(read_file(folder / kManifestName, kManifestBytes));
  const json::bj::object object = TRY(json::parse_object(text));
  Installed model;
  model.folder = folder;
  model.read_only = read_only;
  model.id = TRY(json::get_string(object, "id"));
  if (!is_model_id(model.id) || model.id != folder.filename()) {
    return fail(ErrorCode::invalid_request, "field \"id\" is not the folder's name");
  }
  model.kind = TRY(read_kind(object, model.id));
  for (const json::bj::value& value : *TRY(json::get_array(object, "files"))) {
    model.files.push_back(TRY(read_file_entry(value)));
  }
  if (model.files.empty() || model.files.size() > kFiles) {
    return fail(ErrorCode::invalid_request,
                fmt::format("\"files\" has not between 1 and {} entries", kFiles));
  }
  model.digest = digest_of(model.files);
  return model;
}

std::string manifest_text(std::string_view id, Kind kind, std::span<const File> files, const Model* model) {
  std::string text = fmt::format("{{\n  \"id\": \"{}\",\n  \"kind\": \"{}\",\n", id, kind_name(kind));
  if (model != nullptr) {
    text += fmt::format("  \"license\": {},\n  \"attribution\": {},\n",
                        json::bj::serialize(json::bj::value(model->license)),
                        json::bj::serialize(json::bj::value(model->attribution)));
  }
  text += "  \"files\": [\n";
  for (size_t i = 0; i < files.size(); ++i) {
    text += fmt::format("    {{\"name\": \"{}\", \"size_bytes\": {}, \"sha256\": \"{}\"}}{}\n", files[i].name,
                        files[i].size_bytes, files[i].sha256, i + 1 < files.size() ? "," : "");
  }
  return text + "  ]\n}\n";
}

std::string digest_of(std::span<const File> files) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const File& file : files) lines.emplace_back(file.name, file.sha256);
  std::sort(lines.begin(), lines.end());
  Sha256 hash;
  for (const auto& [name, sha256] : lines) hash.update(fmt::format("{} {}\n", name, sha256));
  return hash.finish();
}

Result<std::string> checksum(const std::filesystem::path& path, const std::stop_token& stop) {
  const UniqueFd fd = TRY(open_for_read(path));
  return sha256_of_file(fd.get(), stop);
}

}  // namespace hansard::models
