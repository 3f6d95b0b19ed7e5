#include "cli/surroundings.h"

#include <unistd.h>

#include <cmath>

#include <fmt/format.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/process.h"
#include "cli/data_folder.h"
#include "engine/process/process_provider.h"
#include "engine/serialize.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;

class Report {
 public:
  void good(std::string_view what, std::string_view fact) { add("ok", what, fact); }
  void bad(std::string_view what, std::string_view remedy) {
    add("MISSING", what, remedy);
    diagnosis_.healthy = false;
  }
  void note(std::string_view what, std::string_view fact) { add("note", what, fact); }
  Diagnosis take() { return std::move(diagnosis_); }

 private:
  void add(std::string_view state, std::string_view what, std::string_view fact) {
    diagnosis_.text += fmt::format("{:<8} {:<20} {}\n", state, what, fact);
  }
  Diagnosis diagnosis_;
};

void check_media_program(const std::string& name, Report& report) {
  Result<ChildOutput> output = run_child({.argv = {name, "-version"}}, limits::kProbeTime, 1 << 20);
  if (!output || !output->exit.ok()) {
    return report.bad(name, "install ffmpeg; on Debian and Ubuntu: sudo apt-get install ffmpeg");
  }
  report.good(name, output->standard_output.substr(0, output->standard_output.find('\n')));
}

void check_model(const models::Library& library, std::string_view id, Report& report) {
  Result<models::Installed> model = library.find(id);
  if (!model) return report.bad(id, model.error().message);
  report.good(id, fmt::format("installed in {}", model->folder.string()));
}

void check_engine(const Config& config, Report& report) {
  auto provider = open_provider(config, {});
  if (!provider) return report.bad("hansard-engine", provider.error().message);
  auto capabilities = (*provider)->capabilities();
  if (!capabilities) return report.bad("hansard-engine", capabilities.error().message);
  report.good("hansard-engine", capabilities->build);
  report.good("device",
              fmt::format("{}, {}{}{}", capabilities->device, capabilities->compute_type,
                          capabilities->device_note.empty() ? "" : "; ", capabilities->device_note));
}

void check_data_folder(const Config& config, Report& report) {
  const fs::path folder = config.data_folder();
  if (auto made = make_data_folder(folder); !made) return report.bad("data folder", made.error().message);
  const uint64_t free = free_bytes(folder).value_or(0);
  report.good("data folder",
              fmt::format("{}, {:.1f} GB free", folder.string(), static_cast<double>(free) / 1e9));
}

}  // namespace

Result<fs::path> engine_program() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& candidate :
       {self / "hansard-engine", self.parent_path() / "libexec/hansard/hansard-engine"}) {
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(ErrorCode::not_found, "hansard-engine is not beside hansard; install both programs");
}

models::Library open_library(const Config& config) {
  return models::Library(config.models_folder(), config.model_path(), {.token = config.text("HF_TOKEN")});
}

Result<engine::ProcessOptions> provider_options(const Config& config, const engine::EngineOptions& options) {
  engine::ProcessOptions process;
  process.program = TRY(engine_program());
  process.engine = options;
  if (options.device == engine::Device::automatic) {
    process.engine.device = TRY(engine::parse_device(config.text("SPEECH_ENGINE_PROVIDER")));
  }
  if (options.threads == 0)
    process.engine.threads = static_cast<int>(config.integer("SPEECH_ENGINE_THREADS"));
  process.max_loaded = static_cast<int>(config.integer("SPEECH_ENGINE_MAX_LOADED"));
  process.idle_timeout =
      std::chrono::seconds(static_cast<int64_t>(std::ceil(config.duration_s("SPEECH_ENGINE_IDLE_TIMEOUT"))));
  if (options.memory_limit_bytes == 0)
    process.engine.memory_limit_bytes = config.integer("SPEECH_ENGINE_MEMORY_LIMIT") * 1'000'000;
  process.gpu_code_folder = config.data_folder() / "gpu";
  return process;
}

Result<std::unique_ptr<engine::Provider>> open_provider(const Config& config,
                                                        const engine::EngineOptions& options) {
  return engine::make_process_provider(TRY(provider_options(config, options)));
}

Diagnosis diagnose(const Config& config) {
  Report report;
  check_data_folder(config, report);
  check_media_program("ffmpeg", report);
  check_media_program("ffprobe", report);
  check_engine(config, report);
  const models::Library library = open_library(config);
  for (const std::string_view id :
       {models::kSpeechModel, models::kDefaultTranscriptionModel, models::kDefaultDiarizationModel}) {
    check_model(library, id, report);
  }
  return report.take();
}

}  // namespace hansard::cli
