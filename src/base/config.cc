#include "base/config.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "base/file.h"
#include "base/spelling.h"

namespace hansard {
namespace {

using Kind = ConfigKey::Kind;

constexpr uint64_t kLongestFileBytes = 1 << 20;

constexpr std::array kKeys{
    ConfigKey{
        "HANSARD_DATA_DIR", Kind::path, "", "", false,
        "Folder of everything that is kept. Default: $XDG_DATA_HOME/hansard, else ~/.local/share/hansard."},
    ConfigKey{"HANSARD_CACHE_MAX_GB", Kind::integer, "10", "0..100000", false,
              "Intermediate results kept for later runs, in GB; the least recently used go first."},
    ConfigKey{
        "HANSARD_MODEL_PATH", Kind::text, "", "", false,
        "Folders with models, read only, separated by colons. Default: the folder that the build filled; "
        "none: no folder."},
    ConfigKey{"SPEECH_ENGINE_CACHE_DIR", Kind::path, "", "", false,
              "Folder of installed models. Default: models in the data folder."},
    ConfigKey{"SPEECH_ENGINE_PROVIDER", Kind::choice, "auto", "auto|cpu|cuda", false,
              "Where models run; auto takes a GPU where there is one."},
    ConfigKey{"SPEECH_ENGINE_THREADS", Kind::integer, "0", "0..256", false,
              "Threads of an engine; 0: one for each physical core."},
    ConfigKey{"SPEECH_ENGINE_MAX_LOADED", Kind::integer, "2", "1..16", false,
              "Models resident in one engine."},
    ConfigKey{"SPEECH_ENGINE_AUTO_DOWNLOAD", Kind::boolean, "true", "true|false", false,
              "Fetch a model that is asked for and not installed."},
    ConfigKey{"SPEECH_ENGINE_IDLE_TIMEOUT", Kind::duration, "10m", "0s..168h", false,
              "An engine that was asked nothing for so long exits and gives its memory back; 0s: never."},
    ConfigKey{"SPEECH_ENGINE_MEMORY_LIMIT", Kind::integer, "0", "0..1000000", false,
              "Memory of an engine, in MB: it decodes as many windows at once as fit, and is ended if it "
              "needs more "
              "all the same; 0: no limit."},
    ConfigKey{"HANSARD_HOST", Kind::text, "127.0.0.1", "", false,
              "Address that the server listens on; beyond this machine with accounts and TLS alone, or "
              "behind a proxy "
              "that speaks it."},
    ConfigKey{"HANSARD_PORT", Kind::integer, "8080", "0..65535", false,
              "Port of the server; 0: any free one."},
    ConfigKey{
        "HANSARD_AUTH", Kind::choice, "required", "required|none", false,
        "Who may ask the server: those who log in or have a key; or, on this machine alone, everyone, as the "
        "first admin."},
    ConfigKey{"HANSARD_API_KEY", Kind::text, "", "", true,
              "The key by which submit, jobs and get ask the server."},
    ConfigKey{"HANSARD_CORS_ORIGINS", Kind::text, "", "", false,
              "Origins, separated by commas, whose pages may ask the server, as in https://app.example.org."},
    ConfigKey{"HANSARD_ALLOWED_HOSTS", Kind::text, "", "", false,
              "Names, separated by commas, by which the server may be asked beside those of this machine."},
    ConfigKey{"HANSARD_BASE_PATH", Kind::text, "", "", false,
              "Path below which a proxy puts the server, as in /hansard."},
    ConfigKey{"HANSARD_BEHIND_PROXY", Kind::boolean, "false", "true|false", false,
              "A proxy stands before the server and speaks TLS for it."},
    ConfigKey{
        "HANSARD_TRUSTED_PROXIES", Kind::text, "", "", false,
        "Addresses and ranges, separated by commas, of proxies whose Forwarded and X-Forwarded headers are "
        "believed. Default with HANSARD_BEHIND_PROXY: this machine."},
    ConfigKey{
        "HANSARD_TLS_CERT", Kind::path, "", "", false,
        "Certificate of the server, and those that signed it, in a PEM file; read again on SIGHUP. None: "
        "plain HTTP."},
    ConfigKey{"HANSARD_TLS_KEY", Kind::path, "", "", false, "Its key, in a PEM file without a passphrase."},
    ConfigKey{
        "HANSARD_METRICS_LISTEN", Kind::text, "", "", false,
        "Address and port, as in 127.0.0.1:9464, where Prometheus may ask for GET /metrics. None: nowhere."},
    ConfigKey{"HANSARD_URL", Kind::text, "http://127.0.0.1:8080", "", false,
              "The server that submit, jobs and get ask."},
    ConfigKey{"HANSARD_MAX_UPLOAD_MB", Kind::integer, "8192", "1..1000000", false,
              "Largest file taken, in MB."},
    ConfigKey{"HANSARD_STORAGE_GB_PER_USER", Kind::integer, "0", "0..1000000", false,
              "How much one user's recordings may take, in GB; 0: as much as there is."},
    ConfigKey{"HANSARD_QUEUE_LIMIT", Kind::integer, "10000", "1..1000000", false,
              "Jobs that may wait; more are told to come back."},
    ConfigKey{"HANSARD_QUEUE_LIMIT_PER_USER", Kind::integer, "1000", "1..1000000", false,
              "Jobs of one user that may wait."},
    ConfigKey{"HANSARD_DAILY_HOURS_PER_USER", Kind::integer, "0", "0..100000", false,
              "Hours of recordings that one user may have transcribed in any 24 hours; 0: no limit."},
    ConfigKey{"HANSARD_KEEP_AUDIO_DAYS", Kind::integer, "0", "0..36500", false,
              "Recordings are erased so many days after they came, their transcripts stay; 0: never."},
    ConfigKey{"HANSARD_KEEP_TRANSCRIPTS_DAYS", Kind::integer, "0", "0..36500", false,
              "Transcriptions are deleted when nothing has changed in them for so many days; 0: never."},
    ConfigKey{"HANSARD_FETCH_ALLOW", Kind::text, "", "", false,
              "Addresses and ranges, separated by commas, that imports and webhooks may reach beside public "
              "ones, as in 192.168.1.0/24."},
    ConfigKey{
        "HANSARD_DOWNLOAD_CACHE_MINUTES", Kind::integer, "15", "0..10080", false,
        "An address that came to /transcribe/url within so many minutes is not fetched again; 0: always."},
    ConfigKey{"TRANSCRIPTION_WORKERS", Kind::integer, "1", "1..64", false,
              "Jobs at once, with an engine each."},
    ConfigKey{"TRANSCRIPTION_QUEUE_POLL_INTERVAL", Kind::duration, "2s", "0.1s..1h", false,
              "How often the queue is looked at, beside being told."},
    ConfigKey{"TRANSCRIPTION_LEASE_TIMEOUT", Kind::duration, "10m", "1s..24h", false,
              "A job whose holder said nothing for so long is given to another."},
    ConfigKey{"TRANSCRIPTION_LEASE_RENEW_INTERVAL", Kind::duration, "0s", "0s..24h", false,
              "How often a holder says so; 0s: a third of the lease."},
    ConfigKey{"TRANSCRIPTION_SHORT_LANE", Kind::boolean, "true", "true|false", false,
              "A long job makes way between two groups for a recording of a minute at most, once a minute."},
    ConfigKey{"TRANSCRIPTION_STOP_TIMEOUT", Kind::duration, "30s", "0s..24h", false,
              "How long running jobs may go on when the server stops; 0s: to their end."},
    ConfigKey{"HF_TOKEN", Kind::text, "", "", true, "The model hub's token, for models that need one."},
};

size_t index_of(std::string_view name) {
  const auto found =
      std::find_if(kKeys.begin(), kKeys.end(), [&](const ConfigKey& key) { return key.name == name; });
  return static_cast<size_t>(found - kKeys.begin());
}

tl::unexpected<Error> not_allowed(const ConfigKey& key, std::string_view value, std::string_view allowed) {
  return fail(ErrorCode::invalid_request,
              fmt::format("{} is \"{}\"; allowed is {}", key.name, key.secret ? "***" : value, allowed));
}

Result<void> check(const ConfigKey& key, std::string_view value) {
  switch (key.kind) {
    case Kind::text:
    case Kind::path:
      return {};
    case Kind::boolean:
    case Kind::choice: {
      for (size_t at = 0; at <= key.choices.size();) {
        const size_t end = std::min(key.choices.find('|', at), key.choices.size());
        if (key.choices.substr(at, end - at) == value) return {};
        at = end + 1;
      }
      std::string allowed(key.choices);
      std::replace(allowed.begin(), allowed.end(), '|', ' ');
      return not_allowed(key, value, "one of: " + allowed);
    }
    case Kind::integer: {
      const size_t dots = key.choices.find("..");
      const int64_t least = parse_integer(key.choices.substr(0, dots)).value_or(0);
      const int64_t most = parse_integer(key.choices.substr(dots + 2)).value_or(0);
      const auto number = parse_integer(value);
      if (!number || *number < least || *number > most) {
        return not_allowed(key, value, fmt::format("a whole number from {} to {}", least, most));
      }
      return {};
    }
    case Kind::duration: {
      const auto duration = parse_duration(value);
      if (!duration) {
        return fail(ErrorCode::invalid_request, fmt::format("{}: {}", key.name, duration.error().message));
      }
      const size_t dots = key.choices.find("..");
      const std::string_view least = key.choices.substr(0, dots);
      const std::string_view most = key.choices.substr(dots + 2);
      if (*duration < parse_duration(least).value_or(0) || *duration > parse_duration(most).value_or(0)) {
        return not_allowed(key, value, fmt::format("a time from {} to {}", least, most));
      }
      return {};
    }
  }
  return {};
}

std::string_view nearest_key(std::string_view name) {
  return std::min_element(kKeys.begin(), kKeys.end(),
                          [&](const ConfigKey& a, const ConfigKey& b) {
                            return edit_distance(lower(a.name), name) < edit_distance(lower(b.name), name);
                          })
      ->name;
}

Result<std::map<std::string, std::string>> read_settings(const std::filesystem::path& path) {
  const std::string text = TRY(read_file(path, kLongestFileBytes));
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return fail(ErrorCode::invalid_request,
                fmt::format("the configuration file is not valid TOML, line {}: {}",
                            parsed.error().source().begin.line, parsed.error().description()));
  }
  std::map<std::string, std::string> settings;
  for (const auto& [key, node] : parsed.table()) {
    std::string value;
    if (const auto* string = node.as_string()) {
      value = string->get();
    } else if (const auto* integer = node.as_integer()) {
      value = std::to_string(integer->get());
    } else if (const auto* boolean = node.as_boolean()) {
      value = boolean->get() ? "true" : "false";
    } else {
      return fail(ErrorCode::invalid_request,
                  fmt::format("{} in the configuration file must be text, a whole number, or true or false",
                              key.str()));
    }
    const std::string name = lower(key.str());
    const bool known =
        std::any_of(kKeys.begin(), kKeys.end(), [&](const ConfigKey& k) { return lower(k.name) == name; });
    if (!known) {
      return fail(ErrorCode::invalid_request,
                  fmt::format("the configuration file has an unknown key \"{}\"; did you mean {}?", name,
                              lower(nearest_key(name))));
    }
    settings[name] = value;
  }
  return settings;
}

}  // namespace

std::span<const ConfigKey> config_keys() {
  return kKeys;
}

Result<Config> Config::load(const Environment& get_environment) {
  Config config;
  config.home_ = get_environment("HOME").value_or("");
  config.xdg_data_home_ = get_environment("XDG_DATA_HOME").value_or("");
  const std::string given_file = get_environment("HANSARD_CONFIG").value_or("");
  const std::string config_home = get_environment("XDG_CONFIG_HOME").value_or(config.home_ + "/.config");
  const std::filesystem::path file = given_file.empty() ? config_home + "/hansard/config.toml" : given_file;
  std::map<std::string, std::string> settings;
  std::error_code ignored;
  if (!given_file.empty() || std::filesystem::exists(file, ignored)) {
    Result<std::map<std::string, std::string>> read = read_settings(file);
    if (!read) {
      return fail(ErrorCode::invalid_request, fmt::format("{}: {}", file.string(), read.error().message));
    }
    settings = std::move(*read);
  }
  for (const ConfigKey& key : kKeys) {
    Value value{std::string(key.default_value), "default"};
    if (const auto found = settings.find(lower(key.name)); found != settings.end())
      value = {found->second, "file"};
    if (const auto text = get_environment(key.name); text && !text->empty()) value = {*text, "environment"};
    if (value.origin != "default") TRY(check(key, value.text));
    config.values_.push_back(std::move(value));
  }
  const bool has_folder =
      !config.text("HANSARD_DATA_DIR").empty() || !config.home_.empty() || !config.xdg_data_home_.empty();
  if (!has_folder) {
    return fail(ErrorCode::invalid_request,
                "there is no HOME; set HANSARD_DATA_DIR to the folder to keep data in");
  }
  return config;
}

Result<void> Config::set(std::string_view name, std::string value) {
  const size_t index = index_of(name);
  if (index == kKeys.size())
    return fail(ErrorCode::invalid_request, fmt::format("there is no setting {}", name));
  TRY(check(kKeys[index], value));
  values_[index] = {std::move(value), "flag"};
  return {};
}

std::string Config::text(std::string_view name) const {
  const size_t index = index_of(name);
  assert(index < kKeys.size());
  return values_[index].text;
}

bool Config::boolean(std::string_view name) const {
  return text(name) == "true";
}

int64_t Config::integer(std::string_view name) const {
  return parse_integer(text(name)).value_or(0);
}

double Config::duration_s(std::string_view name) const {
  return parse_duration(text(name)).value_or(0);
}

std::vector<Config::Shown> Config::show() const {
  std::vector<Shown> rows;
  for (size_t i = 0; i < kKeys.size(); ++i) {
    std::string value = values_[i].text;
    if (kKeys[i].name == "HANSARD_DATA_DIR") value = data_folder();
    if (kKeys[i].name == "SPEECH_ENGINE_CACHE_DIR") value = models_folder();
    if (kKeys[i].name == "HANSARD_MODEL_PATH" && value.empty()) value = HANSARD_BUILD_MODEL_PATH;
    if (kKeys[i].secret && !value.empty()) value = "***";
    rows.push_back({std::string(kKeys[i].name), value, values_[i].origin});
  }
  return rows;
}

std::filesystem::path Config::data_folder() const {
  if (std::string given = text("HANSARD_DATA_DIR"); !given.empty()) return given;
  if (!xdg_data_home_.empty()) return std::filesystem::path(xdg_data_home_) / "hansard";
  return std::filesystem::path(home_) / ".local/share/hansard";
}

std::filesystem::path Config::models_folder() const {
  if (std::string given = text("SPEECH_ENGINE_CACHE_DIR"); !given.empty()) return given;
  return data_folder() / "models";
}

std::vector<std::filesystem::path> Config::model_path() const {
  const std::string given = text("HANSARD_MODEL_PATH");
  if (given.empty()) return {HANSARD_BUILD_MODEL_PATH};
  std::vector<std::filesystem::path> folders;
  if (given == "none") return folders;
  for (size_t at = 0; at <= given.size();) {
    const size_t end = std::min(given.find(':', at), given.size());
    if (end > at) folders.emplace_back(given.substr(at, end - at));
    at = end + 1;
  }
  return folders;
}

std::string config_reference() {
  std::string text = "| setting | default | allowed | what it does |\n|---|---|---|---|\n";
  for (const ConfigKey& key : kKeys) {
    std::string allowed(key.choices);
    for (size_t at = allowed.find('|'); at != std::string::npos; at = allowed.find('|', at))
      allowed.replace(at, 1, ", ");
    text += fmt::format("| `{}` | {} | {} | {} |\n", key.name,
                        key.default_value.empty() ? "" : fmt::format("`{}`", key.default_value), allowed,
                        key.help);
  }
  return text;
}

Result<double> parse_duration(std::string_view text) {
  const auto number = [](std::string_view part) -> std::optional<double> {
    if (part.empty() || part.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size() || value > 1e7) return std::nullopt;
    return value;
  };
  const auto bad = [&] {
    return fail(ErrorCode::invalid_request,
                fmt::format("\"{}\" is no time; write 90s, 30m, 1h or 1:02:03", text));
  };
  if (text.empty()) return bad();
  if (const auto bare = number(text)) {
    return fail(ErrorCode::invalid_request,
                fmt::format("\"{0}\" could mean {0} seconds or {0} minutes; write {0}s or {0}m", text));
  }
  if (text.find(':') == std::string_view::npos) {
    static constexpr std::array<std::pair<char, double>, 3> kUnits{{{'s', 1}, {'m', 60}, {'h', 3600}}};
    for (const auto& [unit, seconds] : kUnits) {
      if (text.back() != unit) continue;
      if (const auto value = number(text.substr(0, text.size() - 1))) return *value * seconds;
    }
    return bad();
  }
  double total = 0;
  int parts = 0;
  for (size_t at = 0; at <= text.size(); ++parts) {
    const size_t end = std::min(text.find(':', at), text.size());
    const auto value = number(text.substr(at, end - at));
    // Only the first part may be 60 or more, only the last may have a fraction.
    if (!value || (parts > 0 && *value >= 60) || (end < text.size() && *value != std::floor(*value)))
      return bad();
    total = total * 60 + *value;
    at = end + 1;
  }
  if (parts > 3) return bad();
  return total;
}

std::string format_clock(double seconds, int decimals) {
  const double scale = std::pow(10.0, decimals);
  const auto units = static_cast<int64_t>(std::round(std::max(0.0, seconds) * scale));
  const auto whole = units / static_cast<int64_t>(scale);
  const int64_t rest = units % static_cast<int64_t>(scale);
  std::string text = whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                                   : fmt::format("{:02}:{:02}", whole / 60, whole % 60);
  if (decimals > 0) text += fmt::format(".{:0{}}", rest, decimals);
  return text;
}

}  // namespace hansard
