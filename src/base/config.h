// Configuration: flags over environment over the configuration file over defaults. One table defines every
// key; it prints the reference page and `hansard config show`.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hansard {

// One row of the table. Values are kept as text and checked by `kind` when read.
struct ConfigKey {
  enum class Kind { text, path, boolean, integer, duration, choice };
  std::string_view name;  // as an environment variable: "HANSARD_CACHE_MAX_GB"; in the file the same
                          // in lower case
  Kind kind;
  std::string_view default_value;
  std::string_view choices;  // "auto|cpu|cuda", or "0..64" for integers, "1s..24h" for durations
  bool secret;               // shown masked
  std::string_view help;
};
std::span<const ConfigKey> config_keys();

class Config {
 public:
  // Reads environment and file. Errors: invalid_request with the key, the value and what is allowed; an
  // unknown key in the file is one. `get_environment` is ::getenv but in tests.
  using Environment = std::function<std::optional<std::string>(std::string_view)>;
  static Result<Config> load(const Environment& get_environment);

  // A flag's value, over all else. Errors: invalid_request.
  Result<void> set(std::string_view name, std::string value);

  std::string text(std::string_view name) const;
  bool boolean(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  double duration_s(std::string_view name) const;

  struct Shown {
    std::string name, value, origin;  // origin: "default", "environment", "file", "flag"
  };
  std::vector<Shown> show() const;

  // Folders, resolved.
  std::filesystem::path data_folder() const;              // HANSARD_DATA_DIR
  std::filesystem::path models_folder() const;            // SPEECH_ENGINE_CACHE_DIR
  std::vector<std::filesystem::path> model_path() const;  // HANSARD_MODEL_PATH, the build's own folder last
  std::filesystem::path cache_folder() const { return data_folder() / "cache"; }

 private:
  struct Value {
    std::string text;
    std::string origin;
  };
  std::vector<Value> values_;  // in the order of config_keys()
  std::string home_;
  std::string xdg_data_home_;
};

// The table as Markdown: docs/configuration.md holds it.
std::string config_reference();

// "90s", "30m", "1h", "h:mm:ss", "mm:ss"; fractions of seconds. A bare number is refused: the message shows
// both readings.
Result<double> parse_duration(std::string_view text);
// "1:02:03.4" or "02:03.4"; with no decimals "02:03".
std::string format_clock(double seconds, int decimals = 1);

}  // namespace hansard
