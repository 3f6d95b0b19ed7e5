// The models on this machine: one folder of our own, then read-only folders that others filled. A model is
// installed when its folder holds `model.json`, which is written last. Any number of processes may use, install
// and remove at once: an install holds a lock for its model, works beside it and renames.
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "models/catalog.h"

namespace hansard::models {

struct Installed {
  std::string id;
  Kind kind = Kind::transcription;
  std::filesystem::path folder;
  std::vector<File> files;
  std::string digest;      // SHA-256 over names and checksums of the files: names the model in artifacts' keys
  bool read_only = false;  // lies in a folder of HANSARD_MODEL_PATH
};

struct InstallProgress {
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;
};
using OnInstallProgress = std::function<void(const InstallProgress&)>;

class Library {
 public:
  // `own` need not exist yet; it is made by the first install.
  Library(std::filesystem::path own, std::vector<std::filesystem::path> read_only);

  // Installed models, by id. A folder that cannot be read is passed over with a line in the log.
  std::vector<Installed> list() const;

  // An installed model by id, short name or alias. Sizes are checked, checksums are not (see verify).
  // Errors: model_unknown (the message lists near names), model_unavailable (known, not installed: names the
  // command that installs it), model_corrupt (a file is missing or has another size: names model, file and
  // the command that repairs it).
  Result<Installed> find(std::string_view name) const;

  // Downloads from the catalog's sources in order, resuming what an earlier try left, checks, then renames.
  // Answers at once where the model is installed. Errors: model_unknown, network (with what was tried),
  // model_corrupt (wrong checksum: what was downloaded is deleted and named), insufficient_storage, canceled.
  Result<Installed> install(std::string_view name, const OnInstallProgress& progress, std::stop_token stop);

  // Takes a model from a folder or a .tar/.tar.gz/.tar.zst with the model's files at its top or in one folder.
  // For a model of the catalog the checksums must be those of the catalog; any other folder with model.bin and
  // a tokenizer (CTranslate2 Whisper) is taken under `id`. Errors: as install, and invalid_request.
  Result<Installed> import(const std::filesystem::path& from, std::string_view id, std::stop_token stop);

  // Errors: not_found, permission_denied for one in a read-only folder.
  Result<void> remove(std::string_view name);

  // Reads every byte and compares checksums. Errors: model_corrupt naming the file and the command that repairs.
  Result<void> verify(const Installed& model, std::stop_token stop) const;

  const std::filesystem::path& own_folder() const { return own_; }

 private:
  std::filesystem::path own_;
  std::vector<std::filesystem::path> read_only_;
};

}  // namespace hansard::models
