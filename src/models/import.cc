#include "models/import.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/archive.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "models/staged_file.h"

namespace hansard::models {
namespace {

namespace fs = std::filesystem;

// No Whisper model in CTranslate2's format is nearly as large: large-v3 in float32 has 6.2 GB.
constexpr uint64_t kWeightsBytes = 16ULL << 30;
constexpr uint64_t kTextBytes = 64ULL << 20;
constexpr uint64_t kArchiveBytes = 24ULL << 30;

// ---- what is wanted

// The names that are taken, and how large each may be.
using Wanted = std::map<std::string, uint64_t, std::less<>>;

Wanted wanted_files(const Model* model) {
  Wanted wanted;
  if (model == nullptr) {
    wanted["model.bin"] = kWeightsBytes;
    for (const char* name :
         {"config.json", "tokenizer.json", "vocabulary.json", "vocabulary.txt", "preprocessor_config.json"}) {
      wanted[name] = kTextBytes;
    }
    return wanted;
  }
  for (const std::span<const File> variant : model->variants()) {
    for (const File& file : variant) wanted[file.name] = std::max(wanted[file.name], file.size_bytes);
  }
  return wanted;
}

// Files of other programs' Whisper models, which people try first.
bool is_foreign(std::string_view name) {
  return name.ends_with(".safetensors") || name.starts_with("pytorch_model") || name.ends_with(".pt") ||
         name.ends_with(".gguf") || name.ends_with(".msgpack") || name.ends_with(".h5") ||
         (name.starts_with("ggml") && name.ends_with(".bin"));
}

// ---- taking

// What has been taken so far, from whichever kind of place.
class Taken {
 public:
  Taken(const Model* model, const fs::path& stage, const std::stop_token& stop)
      : model_(model), wanted_(wanted_files(model)), stage_(stage), stop_(stop) {}

  bool wants(std::string_view name) const { return wanted_.contains(name); }
  void see(std::string_view name) { foreign_ = foreign_ || is_foreign(name); }
  bool empty() const { return files_.empty(); }

  // Takes one file: `pour` gives its bytes to what it is handed.
  using Sink = std::function<Result<void>(std::string_view)>;
  Result<void> take(const std::string& name, uint64_t size_bytes,
                    const std::function<Result<void>(const Sink&)>& pour) {
    const auto same = [&](const File& file) { return file.name == name; };
    if (std::any_of(files_.begin(), files_.end(), same)) {
      return fail(ErrorCode::invalid_request, fmt::format("{} is there twice", name));
    }
    TRY(check_room(name, size_bytes));
    StagedFile file = TRY(StagedFile::create(stage_ / name));
    const uint64_t most_bytes = wanted_.find(name)->second;
    TRY(pour([&](std::string_view bytes) -> Result<void> {
      if (stop_.stop_requested()) return fail(ErrorCode::canceled, "canceled");
      if (file.size_bytes() + bytes.size() > most_bytes) {
        const std::string what = fmt::format("{} is larger than {} bytes", name, most_bytes);
        if (model_ == nullptr) return fail(ErrorCode::invalid_request, what);
        return fail(ErrorCode::model_corrupt, fmt::format("this is not {}: {}", model_->id, what));
      }
      return file.append(bytes);
    }));
    const uint64_t taken_bytes = file.size_bytes();
    files_.push_back({name, taken_bytes, TRY(file.finish())});
    return {};
  }

  // The files, once they are known to be a model.
  Result<std::vector<File>> finish() {
    TRY(check_presence());
    if (model_ != nullptr) TRY(choose_variant());
    if (model_ == nullptr || model_->kind == Kind::transcription) TRY(check_whisper());
    return files_;
  }

 private:
  Result<void> check_room(const std::string& name, uint64_t size_bytes) const {
    const uint64_t room_bytes = TRY(free_bytes(stage_));
    if (size_bytes + limits::kDiskReserveBytes <= room_bytes) return {};
    return fail(ErrorCode::insufficient_storage,
                fmt::format("there is no room for {}: {:.0f} MB, and {:.0f} MB are free", name,
                            static_cast<double>(size_bytes) / 1e6, static_cast<double>(room_bytes) / 1e6));
  }

  bool has(std::string_view name) const {
    return std::any_of(files_.begin(), files_.end(), [&](const File& file) { return file.name == name; });
  }

  Result<void> check_presence() const {
    const bool whisper = model_ == nullptr || model_->kind == Kind::transcription;
    if (whisper && !has("model.bin") && foreign_) {
      return fail(
          ErrorCode::invalid_request,
          "this is a Whisper model of another program, and must be in CTranslate2's format. Convert one of "
          "Hugging Face transformers: ct2-transformers-converter --model FOLDER --output_dir NEW "
          "--copy_files tokenizer.json preprocessor_config.json; then import NEW");
    }
    if (empty()) return fail(ErrorCode::invalid_request, "there is no model in it");
    if (model_ != nullptr) return {};
    for (const char* name : {"model.bin", "tokenizer.json", "config.json"}) {
      if (!has(name)) return fail(ErrorCode::invalid_request, fmt::format("there is no {} in it", name));
    }
    if (!has("vocabulary.json") && !has("vocabulary.txt")) {
      return fail(ErrorCode::invalid_request, "there is no vocabulary.json or vocabulary.txt in it");
    }
    return {};
  }

  // What keeps the files from being those of `variant`; empty where they are.
  std::string difference(std::span<const File> variant) const {
    for (const File& wanted : variant) {
      const auto found = std::find_if(files_.begin(), files_.end(),
                                      [&](const File& file) { return file.name == wanted.name; });
      if (found == files_.end()) return fmt::format("{} is missing", wanted.name);
      if (found->size_bytes != wanted.size_bytes) {
        return fmt::format("{} has {} bytes instead of {}", wanted.name, found->size_bytes,
                           wanted.size_bytes);
      }
      if (!wanted.sha256.empty() && found->sha256 != wanted.sha256) {
        return fmt::format("{} has another checksum than it should", wanted.name);
      }
    }
    return {};
  }

  // Of the catalog's sets of files the one that is here; files that it does not have are let go.
  Result<void> choose_variant() {
    std::string reason;
    for (const std::span<const File> variant : model_->variants()) {
      const std::string different = difference(variant);
      if (reason.empty()) reason = different;
      if (!different.empty()) continue;
      const auto is_other = [&](const File& file) {
        return std::none_of(variant.begin(), variant.end(),
                            [&](const File& f) { return f.name == file.name; });
      };
      for (const File& file : files_) {
        std::error_code ignored;
        if (is_other(file)) fs::remove(stage_ / file.name, ignored);
      }
      std::erase_if(files_, is_other);
      return {};
    }
    return fail(ErrorCode::model_corrupt, fmt::format("this is not {}: {}", model_->id, reason));
  }

  // A model.bin begins with CTranslate2's version (4 bytes) and the name of the architecture: its length with
  // the final zero (2 bytes), then the name. The texts beside it are JSON.
  Result<void> check_whisper() const {
    constexpr std::string_view kName("\x0c\0WhisperSpec\0", 14);
    std::array<std::byte, 4 + kName.size()> head{};
    UniqueFd fd = TRY(open_for_read(stage_ / "model.bin"));
    const Result<void> read = read_at(fd.get(), 0, head);
    if (!read || std::string_view(reinterpret_cast<const char*>(head.data()) + 4, kName.size()) != kName) {
      return fail(ErrorCode::invalid_request, "model.bin is not a Whisper model in CTranslate2's format");
    }
    for (const File& file : files_) {
      if (!file.name.ends_with(".json")) continue;
      const auto value = json::parse(TRY(read_file(stage_ / file.name, kTextBytes)));
      if (!value) return fail(ErrorCode::invalid_request, fmt::format("{} is not JSON", file.name));
    }
    return {};
  }

  const Model* model_;
  Wanted wanted_;
  const fs::path& stage_;
  const std::stop_token& stop_;
  std::vector<File> files_;
  bool foreign_ = false;
};

// ---- from a folder

Result<void> take_file(const fs::path& path, Taken& taken) {
  // Not to wait for a pipe that nobody writes to.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(system_error(fmt::format("cannot open {}", path.filename().string()), errno));
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid_request, fmt::format("{} is not a plain file", path.filename().string()));
  }
  return taken.take(path.filename().string(), static_cast<uint64_t>(status.st_size),
                    [&fd](const Taken::Sink& sink) -> Result<void> {
                      std::vector<char> buffer(256UL * 1024);
                      for (;;) {
                        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
                        if (n < 0 && errno == EINTR) continue;
                        if (n < 0) return fail(system_error("cannot read the model", errno));
                        if (n == 0) return {};
                        TRY(sink({buffer.data(), static_cast<size_t>(n)}));
                      }
                    });
}

// Links are followed: the hub's own cache is made of them, and it is the user who names the folder.
Result<void> take_folder(const fs::path& folder, Taken& taken) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    taken.see(name);
    std::error_code ignored;
    if (it->is_directory(ignored) && !name.starts_with('.')) folders.push_back(it->path());
    if (taken.wants(name)) TRY(take_file(it->path(), taken));
  }
  if (error) return fail(system_error("cannot read the folder", error.value()));
  if (!taken.empty() || folders.size() != 1) return {};
  for (fs::directory_iterator it(folders[0], error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    taken.see(name);
    if (taken.wants(name)) TRY(take_file(it->path(), taken));
  }
  if (error) return fail(system_error("cannot read the folder", error.value()));
  return {};
}

// ---- from an archive

Result<void> take_archive(const fs::path& path, Taken& taken) {
  Archive archive = TRY(Archive::open(path, Archive::Format::tar, {.bytes = kArchiveBytes}));
  std::optional<std::string> folder;  // that the first file of the model lies in
  while (const std::optional<Archive::Entry> entry = TRY(archive.next())) {
    const fs::path inside(entry->path);
    const std::string name = inside.filename().string();
    const std::string parent = inside.parent_path().string();
    taken.see(name);
    if (!taken.wants(name) || parent.find('/') != std::string::npos) continue;
    if (folder && *folder != parent) {
      return fail(ErrorCode::invalid_request,
                  "the archive has files of a model in several folders; pack one");
    }
    folder = parent;
    TRY(taken.take(name, entry->size_bytes, [&](const Taken::Sink& sink) { return archive.read(sink); }));
  }
  return {};
}

}  // namespace

Result<std::vector<File>> take_in(const fs::path& from, const Model* model, const fs::path& stage,
                                  const std::stop_token& stop) {
  Taken taken(model, stage, stop);
  std::error_code error;
  const fs::file_status status = fs::status(from, error);
  if (fs::is_directory(status)) {
    TRY(take_folder(from, taken));
  } else if (fs::is_regular_file(status)) {
    TRY(take_archive(from, taken));
  } else {
    return fail(ErrorCode::not_found, fmt::format("there is no folder or archive {}", from.string()));
  }
  return taken.finish();
}

}  // namespace hansard::models
