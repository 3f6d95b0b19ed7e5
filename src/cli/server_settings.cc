#include "cli/server_settings.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/spelling.h"

namespace hansard::cli {
namespace {

using namespace std::chrono_literals;

std::chrono::milliseconds milliseconds(const Config& config, std::string_view key) {
  return std::chrono::milliseconds(static_cast<int64_t>(config.duration_s(key) * 1000));
}

std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> names;
  for (size_t at = 0; at < list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    std::string name = list.substr(at, comma - at);
    std::erase(name, ' ');
    if (!name.empty()) names.push_back(lower(name));
    at = comma + 1;
  }
  return names;
}

// Names that a Host header may have, without scheme, port and path.
Result<void> check_hosts(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const bool ipv6 = name.starts_with('[') && name.ends_with(']');
    if (ipv6 || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string::npos)
      continue;
    return fail(ErrorCode::invalid_request,
                fmt::format("HANSARD_ALLOWED_HOSTS has \"{}\"; allowed are names as hansard.example.org, "
                            "without scheme, port and path, separated by commas",
                            name));
  }
  return {};
}

// As browsers write them in the Origin header.
Result<void> check_origins(const std::vector<std::string>& origins) {
  for (const std::string& origin : origins) {
    const size_t host = origin.find("://") + 3;
    const bool plain = (origin.starts_with("https://") || origin.starts_with("http://")) &&
                       host < origin.size() && origin.find_first_of("/*?#@ ", host) == std::string::npos;
    if (plain) continue;
    return fail(
        ErrorCode::invalid_request,
        fmt::format("HANSARD_CORS_ORIGINS has \"{}\"; allowed are origins as https://app.example.org, "
                    "without a path, separated by commas",
                    origin));
  }
  return {};
}

Result<void> check_lease(const Config& config) {
  const double lease_s = config.duration_s("TRANSCRIPTION_LEASE_TIMEOUT");
  if (config.duration_s("TRANSCRIPTION_LEASE_RENEW_INTERVAL") < lease_s) return {};
  return fail(ErrorCode::invalid_request,
              fmt::format("TRANSCRIPTION_LEASE_RENEW_INTERVAL is \"{}\"; allowed is less than "
                          "TRANSCRIPTION_LEASE_TIMEOUT ({}), or 0s for a third of it",
                          config.text("TRANSCRIPTION_LEASE_RENEW_INTERVAL"),
                          config.text("TRANSCRIPTION_LEASE_TIMEOUT")));
}

// How the listener is set up, and whether it may be so.
Result<http::ServerOptions> listener(const Config& config) {
  http::ServerOptions options;
  options.host = config.text("HANSARD_HOST");
  options.port = static_cast<uint16_t>(config.integer("HANSARD_PORT"));
  options.allowed_hosts = split_names(config.text("HANSARD_ALLOWED_HOSTS"));
  TRY(check_hosts(options.allowed_hosts));
  // Who has no name here is known by where the request comes from.
  options.refuse_foreign_origins = config.text("HANSARD_AUTH") == "none";
  options.cors_origins = split_names(config.text("HANSARD_CORS_ORIGINS"));
  TRY(check_origins(options.cors_origins));
  options.base_path = config.text("HANSARD_BASE_PATH");
  options.tls = {config.text("HANSARD_TLS_CERT"), config.text("HANSARD_TLS_KEY")};
  options.trusted_proxies = split_names(config.text("HANSARD_TRUSTED_PROXIES"));
  const bool behind_proxy = config.boolean("HANSARD_BEHIND_PROXY");
  if (!behind_proxy && !options.trusted_proxies.empty()) {
    return fail(
        ErrorCode::invalid_request,
        "HANSARD_TRUSTED_PROXIES is set and HANSARD_BEHIND_PROXY is not; set it to true, or leave both out");
  }
  if (behind_proxy && options.trusted_proxies.empty()) options.trusted_proxies = {"127.0.0.0/8", "::1"};
  TRY(check_exposure({.host = options.host,
                      .accounts = config.text("HANSARD_AUTH") != "none",
                      .tls = options.tls.given(),
                      .behind_proxy = behind_proxy}));
  return options;
}

// Never the listener of the routes: numbers may be for others than recordings are.
Result<http::ServerOptions> metrics_listener(const Config& config, const std::string& listen) {
  http::ServerOptions options;
  options.workers = 1;
  options.slow_workers = 1;
  options.allowed_hosts = split_names(config.text("HANSARD_ALLOWED_HOSTS"));
  const size_t colon = listen.rfind(':');
  options.host = listen.substr(0, colon);
  if (options.host.starts_with('[') && options.host.ends_with(']')) {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  const std::string port = colon == std::string::npos ? "" : listen.substr(colon + 1);
  const char* const end = port.data() + port.size();
  const auto [stopped, error] = std::from_chars(port.data(), end, options.port);
  if (error != std::errc() || stopped != end) return fail(metrics_listener_error(listen, false));
  return options;
}

}  // namespace

Result<void> check_exposure(const Exposure& exposure) {
  if (exposure.host.starts_with("127.") || exposure.host == "::1") return {};
  const auto refuse = [&](std::string_view why) {
    return fail(
        ErrorCode::invalid_request,
        fmt::format("HANSARD_HOST is \"{}\"; allowed is an address of this machine alone, 127.0.0.1 or "
                    "::1: {}",
                    exposure.host, why));
  };
  if (!exposure.accounts) return refuse("without accounts whoever reaches the server could read everything");
  if (!exposure.tls && !exposure.behind_proxy) {
    return refuse(
        "beyond it everyone on the way could read along. Set HANSARD_TLS_CERT and HANSARD_TLS_KEY, or "
        "HANSARD_BEHIND_PROXY=true where a proxy speaks TLS for the server");
  }
  return {};
}

Error metrics_listener_error(std::string_view listen, bool taken) {
  return {ErrorCode::invalid_request,
          fmt::format("HANSARD_METRICS_LISTEN is \"{}\"; {}", listen,
                      taken ? "another program has this port; choose another"
                            : "allowed is an address of this machine and a port, as in 127.0.0.1:9464"),
          {}};
}

Result<ServerSettings> read_server_settings(const Config& config) {
  TRY(check_lease(config));
  ServerSettings settings;
  settings.listener = TRY(listener(config));
  settings.metrics_listen = config.text("HANSARD_METRICS_LISTEN");
  if (!settings.metrics_listen.empty()) {
    settings.metrics_listener = TRY(metrics_listener(config, settings.metrics_listen));
  }
  settings.accounts = config.text("HANSARD_AUTH") == "required";
  settings.auto_download = config.boolean("SPEECH_ENGINE_AUTO_DOWNLOAD");
  settings.slots = {.count = static_cast<int>(config.integer("TRANSCRIPTION_WORKERS")),
                    .poll_interval = milliseconds(config, "TRANSCRIPTION_QUEUE_POLL_INTERVAL"),
                    .lease = milliseconds(config, "TRANSCRIPTION_LEASE_TIMEOUT"),
                    .renew_interval = milliseconds(config, "TRANSCRIPTION_LEASE_RENEW_INTERVAL"),
                    .short_lane = config.boolean("TRANSCRIPTION_SHORT_LANE")};
  // 0s: as long as it takes.
  settings.stop_timeout = milliseconds(config, "TRANSCRIPTION_STOP_TIMEOUT");
  if (settings.stop_timeout == 0ms) settings.stop_timeout = 365 * 24h;
  settings.upload_limit_bytes = static_cast<uint64_t>(config.integer("HANSARD_MAX_UPLOAD_MB")) << 20;
  settings.storage_limit_bytes =
      static_cast<uint64_t>(config.integer("HANSARD_STORAGE_GB_PER_USER")) * 1'000'000'000;
  settings.queue_limits = {
      .queued = config.integer("HANSARD_QUEUE_LIMIT"),
      .queued_of_user = config.integer("HANSARD_QUEUE_LIMIT_PER_USER"),
      .hours_a_day = static_cast<double>(config.integer("HANSARD_DAILY_HOURS_PER_USER"))};
  settings.retention = {.audio = std::chrono::days(config.integer("HANSARD_KEEP_AUDIO_DAYS")),
                        .transcripts = std::chrono::days(config.integer("HANSARD_KEEP_TRANSCRIPTS_DAYS"))};
  settings.download_cache = std::chrono::minutes(config.integer("HANSARD_DOWNLOAD_CACHE_MINUTES"));
  auto allowed = Networks::parse(split_names(config.text("HANSARD_FETCH_ALLOW")));
  if (!allowed) return fail(ErrorCode::invalid_request, "HANSARD_FETCH_ALLOW: " + allowed.error().message);
  settings.fetch_allow = std::move(*allowed);
  return settings;
}

}  // namespace hansard::cli
