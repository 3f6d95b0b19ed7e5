#include "cli/models_command.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <vector>

#include <fmt/format.h>

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string megabytes(uint64_t size_bytes) {
  return fmt::format("{} MB", (size_bytes + (size_bytes < 500'000 ? 999'999 : 500'000)) / 1'000'000);
}

uint64_t size_of(const models::Installed& model) {
  uint64_t sum = 0;
  for (const models::File& file : model.files) sum += file.size_bytes;
  return sum;
}

// "whisper-small  45 %  219 MB of 486 MB  12.3 MB/s": one line that is written over on a terminal, a line
// every ten seconds elsewhere.
class InstallLine {
 public:
  explicit InstallLine(std::string name) : name_(std::move(name)), terminal_(::isatty(STDERR_FILENO) == 1) {}
  InstallLine(const InstallLine&) = delete;
  InstallLine& operator=(const InstallLine&) = delete;
  ~InstallLine() {
    if (terminal_ && shown_) std::fputs("\r\x1b[K", stderr);
  }

  void show(const models::InstallProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_) begin(now, progress.done_bytes);
    if (!terminal_ && now - last_ < 10s) return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - began_).count();
    const double gained = static_cast<double>(progress.done_bytes) - static_cast<double>(first_bytes_);
    const double share = 100.0 * static_cast<double>(progress.done_bytes) /
                         std::max(1.0, static_cast<double>(progress.total_bytes));
    std::string line = fmt::format("{}  {:.0f} %  {} of {}", name_, share, megabytes(progress.done_bytes),
                                   megabytes(progress.total_bytes));
    if (seconds > 1 && gained > 0) line += fmt::format("  {:.1f} MB/s", gained / seconds / 1e6);
    fmt::print(stderr, "{}{}{}", terminal_ ? "\r\x1b[K" : "", line, terminal_ ? "" : "\n");
  }

 private:
  // What lay there from an earlier try does not count as speed.
  void begin(std::chrono::steady_clock::time_point now, uint64_t done_bytes) {
    shown_ = true;
    began_ = now;
    last_ = terminal_ ? began_ : began_ - 10s;
    first_bytes_ = done_bytes;
  }

  std::string name_;
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point last_;
  uint64_t first_bytes_ = 0;
};

struct Row {
  std::string name, kind, size, license, where;
};

std::string where_of(const models::Library& library, const models::Installed& model) {
  const Result<models::Installed> found = library.find(model.id);
  if (!found) return fmt::format("damaged, see hansard models verify {}", model.id);
  return found->folder.string();
}

std::string table(const std::vector<Row>& rows) {
  std::array<size_t, 4> width{};
  for (const Row& row : rows) {
    width[0] = std::max(width[0], row.name.size());
    width[1] = std::max(width[1], row.kind.size());
    width[2] = std::max(width[2], row.size.size());
    width[3] = std::max(width[3], row.license.size());
  }
  std::string text;
  for (const Row& row : rows) {
    text += fmt::format("{:<{}}  {:<{}}  {:>{}}  {:<{}}  {}\n", row.name, width[0], row.kind, width[1],
                        row.size, width[2], row.license, width[3], row.where);
  }
  return text;
}

// "whisper-small.tar.gz" and "whisper-small/" as "whisper-small".
std::string name_of(const fs::path& from) {
  std::string name = (from.has_filename() ? from : from.parent_path()).filename().string();
  for (const std::string_view ending : {".gz", ".zst", ".xz", ".bz2", ".tgz", ".tar"}) {
    if (name.ends_with(ending) && fs::is_regular_file(from)) name.resize(name.size() - ending.size());
  }
  return name;
}

Result<std::vector<models::Installed>> chosen(const models::Library& library,
                                              std::span<const std::string> names) {
  if (names.empty()) return library.list();
  std::vector<models::Installed> found;
  for (const std::string& name : names) found.push_back(TRY(library.find(name)));
  return found;
}

}  // namespace

Result<std::string> list_models(const models::Library& library) {
  const std::vector<models::Installed> installed = library.list();
  std::vector<Row> rows{{"MODEL", "KIND", "SIZE", "LICENCE", "INSTALLED"}};
  std::string attribution;
  for (const models::Model& model : models::catalog()) {
    Row row{model.id, std::string(models::kind_name(model.kind)), megabytes(model.size_bytes()),
            model.license, "no"};
    const auto copy =
        std::find_if(installed.begin(), installed.end(), [&](const auto& i) { return i.id == model.id; });
    if (copy != installed.end()) {
      row.size = megabytes(size_of(*copy));
      row.where = where_of(library, *copy);
      if (model.license.find("CC-BY") != std::string::npos) {
        attribution += fmt::format("\n{}: {}\n", model.id, model.attribution);
      }
    }
    rows.push_back(std::move(row));
  }
  for (const models::Installed& copy : installed) {
    if (models::find_model(copy.id) != nullptr) continue;
    rows.push_back({copy.id, std::string(models::kind_name(copy.kind)), megabytes(size_of(copy)), "imported",
                    where_of(library, copy)});
  }
  return table(rows) + attribution;
}

Result<std::string> install_models(models::Library& library, std::span<const std::string> names,
                                   std::stop_token stop) {
  for (const std::string& name : names) {
    const Result<models::Installed> found = library.find(name);
    if (!found && found.error().code == ErrorCode::model_unknown) return fail(found.error());
  }
  std::string text;
  for (const std::string& name : names) {
    InstallLine line(name);
    const models::Installed model =
        TRY(library.install(name, [&line](const models::InstallProgress& p) { line.show(p); }, stop));
    text += fmt::format("{} is installed in {} ({})\n", model.id, model.folder.string(),
                        megabytes(size_of(model)));
  }
  return text;
}

Result<std::string> import_model(models::Library& library, const fs::path& from, std::string id,
                                 std::stop_token stop) {
  if (id.empty()) id = name_of(from);
  Result<models::Installed> model = library.import(from, id, stop);
  if (model) {
    return fmt::format("{} is installed in {} ({})\n", model->id, model->folder.string(),
                       megabytes(size_of(*model)));
  }
  Error error = std::move(model).error();
  if (error.code == ErrorCode::invalid_request || error.code == ErrorCode::model_corrupt) {
    error.message = fmt::format("{}: {}", from.string(), error.message);
  }
  return fail(std::move(error));
}

Result<std::string> remove_models(models::Library& library, std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) {
    TRY(library.remove(name));
    text += fmt::format("{} is removed\n", name);
  }
  return text;
}

Result<std::string> verify_models(const models::Library& library, std::span<const std::string> names,
                                  std::stop_token stop) {
  std::string good;
  std::string bad;
  for (const models::Installed& model : TRY(chosen(library, names))) {
    const Result<void> verified = library.verify(model, stop);
    if (verified) {
      good += fmt::format("{} is whole\n", model.id);
      continue;
    }
    if (verified.error().code != ErrorCode::model_corrupt) return fail(verified.error());
    bad += (bad.empty() ? "" : "\n") + verified.error().message;
  }
  if (!bad.empty()) return fail(ErrorCode::model_corrupt, std::move(bad));
  return good.empty() ? std::string("no models are installed\n") : good;
}

}  // namespace hansard::cli
