#include "models/library.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "base/spelling.h"
#include "models/fetch.h"
#include "models/hub.h"
#include "models/import.h"
#include "models/manifest.h"
#include "models/workplace.h"

namespace hansard::models {
namespace {

// What is noted of a model's files is a line for each.
constexpr uint64_t kLongestNoteBytes = 64 << 10;

namespace fs = std::filesystem;

// The id that a name stands for, known to the catalog or not.
std::string id_of(std::string_view name, std::span<const Model> catalog) {
  if (const Model* model = find_model(name, catalog)) return model->id;
  return lower(name);
}

// The command that brings a model to this machine or repairs it.
std::string remedy(std::string_view id, const Model* model) {
  if (model != nullptr && !model->sources.empty()) return fmt::format("run: hansard models install {}", id);
  return fmt::format("run: hansard models import FOLDER --as {}", id);
}

tl::unexpected<Error> damaged(const Installed& model, const Model* known, std::string_view what) {
  return fail(ErrorCode::model_corrupt,
              fmt::format("model {} is damaged: {}; {}", model.id, what, remedy(model.id, known)),
              fmt::format("in {}", model.folder.string()));
}

Result<void> check_sizes(const Installed& model, const Model* known) {
  for (const File& file : model.files) {
    struct stat status = {};
    if (::stat((model.folder / file.name).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
      return damaged(model, known, fmt::format("{} is missing", file.name));
    }
    if (static_cast<uint64_t>(status.st_size) != file.size_bytes) {
      return damaged(
          model, known,
          fmt::format("{} has {} bytes instead of {}", file.name, status.st_size, file.size_bytes));
    }
  }
  return {};
}

// Whether `files` are what one of the catalog's sets of files says, as far as that knows checksums.
bool is_variant(std::span<const File> variant, std::span<const File> files) {
  if (variant.size() != files.size()) return false;
  return std::all_of(variant.begin(), variant.end(), [&](const File& wanted) {
    return std::any_of(files.begin(), files.end(), [&](const File& file) {
      return file.name == wanted.name && file.size_bytes == wanted.size_bytes &&
             (wanted.sha256.empty() || file.sha256 == wanted.sha256);
    });
  });
}

}  // namespace

Library::Library(fs::path own, std::vector<fs::path> read_only, LibraryOptions options)
    : own_(std::move(own)), read_only_(std::move(read_only)), options_(std::move(options)) {}

std::vector<Installed> Library::list() const {
  std::map<std::string, Installed> found;
  const auto scan = [&](const fs::path& root, bool read_only) {
    std::error_code error;
    for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
      if (!is_model_id(it->path().filename().string())) continue;
      Result<Installed> model = read_manifest(it->path(), read_only);
      if (model) {
        found.try_emplace(model->id, std::move(*model));
      } else if (model.error().code != ErrorCode::not_found) {
        log::warning("{}: {}", (it->path() / kManifestName).string(), model.error().message);
      }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      log::warning("{}: {}", root.string(), error.message());
    }
  };
  scan(own_, false);
  for (const fs::path& folder : read_only_) scan(folder, true);
  std::vector<Installed> models;
  models.reserve(found.size());
  for (auto& [id, model] : found) models.push_back(std::move(model));
  return models;
}

// All copies of a model that have a readable model.json, our own first.
std::vector<Installed> Library::copies(const std::string& id) const {
  std::vector<Installed> found;
  const auto look = [&](const fs::path& root, bool read_only) {
    Result<Installed> model = read_manifest(root / id, read_only);
    if (model) {
      found.push_back(std::move(*model));
    } else if (model.error().code != ErrorCode::not_found) {
      log::warning("{}: {}", (root / id / kManifestName).string(), model.error().message);
    }
  };
  if (!is_model_id(id)) return found;
  look(own_, false);
  for (const fs::path& folder : read_only_) look(folder, true);
  return found;
}

Result<Installed> Library::whole_copy(const std::string& id) const {
  std::optional<Error> first_error;
  for (Installed& copy : copies(id)) {
    Result<void> whole = check_sizes(copy, known(id));
    if (!whole) {
      if (!first_error) first_error = std::move(whole).error();
      continue;
    }
    if (first_error) log::warning("{} ({}); using another copy", first_error->message, first_error->detail);
    return std::move(copy);
  }
  if (first_error) return fail(std::move(*first_error));
  return fail(ErrorCode::model_unavailable,
              fmt::format("model {} is not installed; {}", id, remedy(id, known(id))));
}

Error Library::unknown(std::string_view name) const {
  std::vector<std::string> installed;
  for (const Installed& model : list()) installed.push_back(model.id);
  const std::vector<std::string> near = near_names(name, options_.catalog, installed);
  const std::string guess = near.empty() ? "" : fmt::format("did you mean {}? ", fmt::join(near, ", "));
  return Error{ErrorCode::model_unknown,
               fmt::format("there is no model \"{}\"; {}hansard models list shows all", name, guess),
               {}};
}

Result<Installed> Library::find(std::string_view name) const {
  const std::string id = id_of(name, options_.catalog);
  Result<Installed> found = whole_copy(id);
  if (!found && found.error().code == ErrorCode::model_unavailable && known(id) == nullptr) {
    return fail(unknown(name));
  }
  return found;
}

Result<void> Library::verify(const Installed& model, std::stop_token stop) const {
  const Model* catalog_model = known(model.id);
  TRY(check_sizes(model, catalog_model));
  for (const File& file : model.files) {
    Result<std::string> sha256 = checksum(model.folder / file.name, stop);
    if (!sha256 && sha256.error().code == ErrorCode::canceled) return fail(std::move(sha256).error());
    if (!sha256) return damaged(model, catalog_model, fmt::format("{} cannot be read", file.name));
    if (*sha256 != file.sha256) {
      return damaged(model, catalog_model, fmt::format("{} has another checksum than it should", file.name));
    }
  }
  if (catalog_model == nullptr) return {};
  const auto variants = catalog_model->variants();
  if (std::any_of(variants.begin(), variants.end(), [&](auto v) { return is_variant(v, model.files); }))
    return {};
  return damaged(model, catalog_model, "its files are not those of the catalog");
}

Result<void> Library::verify_once(const Installed& model, std::stop_token stop) const {
  std::string now;
  for (const File& file : model.files) {
    struct stat status = {};
    const fs::path path = fs::absolute(model.folder / file.name);
    if (::stat(path.c_str(), &status) != 0) return verify(model, std::move(stop));
    now += fmt::format("{} {} {} {} {}.{:09} {}.{:09} {}\n", path.string(), status.st_dev, status.st_ino,
                       status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                       status.st_ctim.tv_nsec, file.sha256);
  }
  const fs::path note = own_ / ".verified" / model.id;
  const Result<std::string> before = read_file(note, kLongestNoteBytes);
  if (before && *before == now) return {};
  TRY(verify(model, std::move(stop)));
  // Where the note cannot be kept, the next use reads the files again.
  if (make_private_folder(note.parent_path())) (void)write_file_atomically(note, now, Sync::no);
  return {};
}

// The first copy whose every byte is right.
std::optional<Installed> Library::good_copy(const std::string& id, const std::stop_token& stop) const {
  for (Installed& copy : copies(id)) {
    const Result<void> verified = verify(copy, stop);
    if (verified) return std::move(copy);
    log::info("{} ({})", verified.error().message, verified.error().detail);
  }
  return std::nullopt;
}

Result<Installed> Library::install(std::string_view name, const OnInstallProgress& progress,
                                   std::stop_token stop) {
  const std::string id = id_of(name, options_.catalog);
  if (auto good = good_copy(id, stop)) return std::move(*good);
  if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
  const Model* model = known(id);
  if (model == nullptr) return find(name);  // which says that it is unknown, or what is wrong with it
  if (model->sources.empty()) {
    return fail(ErrorCode::model_unavailable,
                fmt::format("no server has model {}; it comes with Hansard, or from another machine: "
                            "hansard models import FOLDER --as {}",
                            id, id));
  }
  const Workplace place = TRY(Workplace::enter(own_, id, stop));
  if (auto good = good_copy(id, stop)) return std::move(*good);  // that was installed while this waited
  const Hub hub(options_.endpoint, options_.token, options_.retry_delay);
  const Staged staged = TRY(fetch(*model, place, hub, progress, stop));
  TRY(place.settle(staged.folder, manifest_text(id, model->kind, staged.files, model)));
  return find(id);
}

Result<Installed> Library::import(const fs::path& from, std::string_view name, std::stop_token stop) {
  const std::string id = id_of(name, options_.catalog);
  if (!is_model_id(id)) {
    return fail(
        ErrorCode::invalid_request,
        fmt::format("\"{}\" cannot be the name of a model; use letters, digits, '.', '_' and '-'", name));
  }
  const Model* model = known(id);
  const Workplace place = TRY(Workplace::enter(own_, id, stop));
  const fs::path stage = TRY(place.stage("import", Workplace::Leftovers::discard));
  Result<std::vector<File>> files = take_in(from, model, stage, stop);
  if (!files) {
    std::error_code ignored;
    fs::remove_all(stage, ignored);
    fs::remove(stage.parent_path(), ignored);  // stays where an installation left parts in it
    return fail(std::move(files).error());
  }
  const Kind kind = model == nullptr ? Kind::transcription : model->kind;
  TRY(place.settle(stage, manifest_text(id, kind, *files, model)));
  return find(id);
}

Result<void> Library::remove(std::string_view name) {
  const std::string id = id_of(name, options_.catalog);
  const std::vector<Installed> found = copies(id);
  const bool in_own =
      std::any_of(found.begin(), found.end(), [](const Installed& m) { return !m.read_only; });
  std::error_code ignored;
  const bool own_trace =
      is_model_id(id) && (fs::exists(own_ / id, ignored) || fs::exists(own_ / ".partial" / id, ignored));
  if (!in_own && !own_trace) {
    if (!found.empty()) {
      return fail(
          ErrorCode::permission_denied,
          fmt::format("model {} lies in a read-only folder of HANSARD_MODEL_PATH; remove it there", id));
    }
    if (known(id) == nullptr) return fail(unknown(name));
    return fail(ErrorCode::not_found, fmt::format("model {} is not installed", id));
  }
  return TRY(Workplace::enter(own_, id, {})).remove();
}

}  // namespace hansard::models
