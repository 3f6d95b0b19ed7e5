// The models on this machine: one folder of our own, then read-only folders that others filled. A model is
// installed when its folder holds `model.json`, which is written last. Any number of processes may use,
// install and remove at once: an install holds a lock for its model, works beside it and renames.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
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
  std::string digest;  // SHA-256 over names and checksums of the files: names the model in artifacts' keys
  bool read_only = false;  // lies in a folder of HANSARD_MODEL_PATH
};

struct InstallProgress {
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;
};
using OnInstallProgress = std::function<void(const InstallProgress&)>;

struct LibraryOptions {
  // The hub, "https://host[:port][/path]". Empty: HF_ENDPOINT of the environment, else the hub itself.
  std::string endpoint;
  // The hub's token, sent to the endpoint alone, over TLS or within this machine; it is never logged.
  std::string token;
  // Wait before the first retry of a download; the next wait is twice as long.
  std::chrono::milliseconds retry_delay{1000};
  std::span<const Model> catalog = models::catalog();
};

// Any thread may call any function at any time.
class Library {
 public:
  // `own` need not exist yet; it is made by the first install.
  Library(std::filesystem::path own, std::vector<std::filesystem::path> read_only,
          LibraryOptions options = {});

  // Installed models, by id. A folder that cannot be read is passed over with a line in the log.
  std::vector<Installed> list() const;

  // An installed model by id, short name or alias: our own copy, else that of the first read-only folder
  // which has a whole one. Sizes are checked, checksums are not (see verify). Errors: model_unknown (the
  // message lists near names), model_unavailable (known, not installed: names the command that installs it),
  // model_corrupt (a file is missing or has another size: names model, file and the command that repairs it).
  Result<Installed> find(std::string_view name) const;

  // Downloads from the catalog's sources in order, resuming what an earlier try left, checks, then renames.
  // Where the model is installed, its bytes are verified and the answer is that; where they are wrong, what
  // does not match is fetched anew, into our own folder. Waits while another process installs the same model.
  // Errors: model_unknown, model_unavailable (no server has it: the message tells how to bring it), network
  // (with what was tried), model_corrupt (wrong checksum: what was downloaded is deleted and named),
  // insufficient_storage, canceled.
  Result<Installed> install(std::string_view name, const OnInstallProgress& progress, std::stop_token stop);

  // Takes a model from a folder or a .tar/.tar.gz/.tar.zst with the model's files at its top or in one
  // folder. For a model of the catalog the checksums must be those of the catalog; any other folder with
  // model.bin and a tokenizer (CTranslate2 Whisper) is taken under `id`, in lower case. An archive is refused
  // whole when it holds anything but plain files and folders inside it. Errors: as install, and
  // invalid_request.
  Result<Installed> import(const std::filesystem::path& from, std::string_view id, std::stop_token stop);

  // Errors: not_found, permission_denied for one in a read-only folder.
  Result<void> remove(std::string_view name);

  // Reads every byte and compares checksums, also with those of the catalog. Errors: model_corrupt naming the
  // file and the command that repairs; canceled.
  Result<void> verify(const Installed& model, std::stop_token stop) const;

  // As verify, but answers at once where the files are those that were verified before (same place, inode,
  // size and times): what every use of a model can afford.
  Result<void> verify_once(const Installed& model, std::stop_token stop) const;

  const std::filesystem::path& own_folder() const { return own_; }

 private:
  std::vector<Installed> copies(const std::string& id) const;
  Result<Installed> whole_copy(const std::string& id) const;
  std::optional<Installed> good_copy(const std::string& id, const std::stop_token& stop) const;
  Error unknown(std::string_view name) const;
  const Model* known(std::string_view id) const { return find_model(id, options_.catalog); }

  std::filesystem::path own_;
  std::vector<std::filesystem::path> read_only_;
  LibraryOptions options_;
};

}  // namespace hansard::models
