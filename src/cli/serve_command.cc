#include "cli/serve_command.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

#include "api/openapi.h"
#include "api/v1/api.h"
#include "auth/accounts.h"
#include "auth/audit.h"
#include "auth/sessions.h"
#include "auth/standing.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/spelling.h"
#include "blob/file/file_blobs.h"
#include "cli/cache_command.h"
#include "cli/control.h"
#include "cli/data_folder.h"
#include "cli/surroundings.h"
#include "cli/users_command.h"
#include "engine/process/process_provider.h"
#include "http/server.h"
#include "jobs/hub.h"
#include "jobs/slots.h"
#include "jobs/state.h"
#include "library/files.h"
#include "library/idempotency.h"
#include "library/probing.h"
#include "library/renditions.h"
#include "library/uploads.h"
#include "metrics/metrics.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using store::Statement;

// How often what nobody names is looked for.
constexpr auto kSweepInterval = 1h;
// A blob comes before its row: a younger one may be waiting for it.
constexpr auto kSweepAge = 24h;
// Requests in work when the server stops take milliseconds; a download may take longer.
constexpr auto kRequestPatience = 2s;

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
Result<std::unique_ptr<http::Server>> open_metrics(const Config& config, metrics::Metrics& metrics,
                                                   store::Store& store) {
  const std::string listen = config.text("HANSARD_METRICS_LISTEN");
  const size_t colon = listen.rfind(':');
  http::ServerOptions options;
  options.workers = 1;
  options.slow_workers = 1;
  options.allowed_hosts = split_names(config.text("HANSARD_ALLOWED_HOSTS"));
  options.host = listen.substr(0, colon);
  if (options.host.starts_with('[') && options.host.ends_with(']')) {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::invalid_request, fmt::format("HANSARD_METRICS_LISTEN is \"{}\"; {}", listen, why));
  };
  constexpr std::string_view kAllowed =
      "allowed is an address of this machine and a port, as in 127.0.0.1:9464";
  if (colon == std::string::npos) return refuse(kAllowed);
  const char* const end = listen.data() + listen.size();
  const auto [stopped, error] = std::from_chars(listen.data() + colon + 1, end, options.port);
  if (error != std::errc() || stopped != end) return refuse(kAllowed);
  auto server = http::Server::open(options, metrics.routes(store));
  if (server) return server;
  return refuse(server.error().code == ErrorCode::conflict ? "another program has this port; choose another"
                                                           : kAllowed);
}

void add_gauges(metrics::Metrics& metrics, const http::Server& server, const jobs::Slots& slots) {
  const auto number = [](auto value) { return static_cast<double>(value); };
  metrics.add_gauge("hansard_http_connections", "Connections of clients",
                    [&, number] { return number(server.load().connections); });
  metrics.add_gauge("hansard_event_streams", "Clients that follow events",
                    [&, number] { return number(server.load().streams); });
  metrics.add_gauge("hansard_slots", "Slots that run jobs or wait for some",
                    [&, number] { return number(slots.alive()); });
  metrics.add_gauge("hansard_slots_running", "Slots with a job in work",
                    [&, number] { return number(slots.running()); });
}

std::chrono::milliseconds milliseconds(const Config& config, std::string_view key) {
  return std::chrono::milliseconds(static_cast<int64_t>(config.duration_s(key) * 1000));
}

void reload_tls(http::Server& server) {
  if (const auto reloaded = server.reload_tls(); reloaded) {
    log::info("the certificate was read again; new connections get it");
  } else {
    log::error("the certificate stays as it was: {} {}", reloaded.error().message, reloaded.error().detail);
  }
}

// Forgets old events and sessions, uploads that were never completed, and blobs from before `before_ms` that
// no row names.
void keep_house(store::Store& store, blob::Blobs& blobs, const pipeline::Artifacts& artifacts,
                library::UploadsInWork& uploads, int64_t before_ms) {
  static constexpr Statement kForget{
      "events.forget",
      "DELETE FROM events WHERE id < "
      "COALESCE((SELECT MIN(id) FROM events WHERE created_at >= $1), 9223372036854775807)"};
  const int64_t now_ms = store.now_ms();
  const auto forgot = store.write([&](store::Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kForget, now_ms - std::chrono::milliseconds(limits::kEventAge).count()));
    TRY(auth::forget_sessions(transaction));
    TRY(auth::forget_audit(transaction));
    return {};
  });
  if (!forgot)
    log::warning("old events were not removed: {} {}", forgot.error().message, forgot.error().detail);
  const auto emptied = library::empty_trash(store, blobs, artifacts);
  if (!emptied)
    log::warning("the trash was not emptied: {} {}", emptied.error().message, emptied.error().detail);
  const auto abandoned = library::remove_abandoned_uploads(store, blobs, uploads);
  if (!abandoned)
    log::warning("old uploads were not removed: {} {}", abandoned.error().message, abandoned.error().detail);
  for (const char* prefix : {"files/", "renditions/", "transcripts/", "uploads/"}) {
    const auto swept = blob::sweep(blobs, prefix, before_ms, [&](const std::string& name) -> Result<bool> {
      bool named = true;
      TRY(store.read([&](store::Reader& reader) -> Result<void> {
        named = TRY(library::names_blob(reader, name));
        return {};
      }));
      return named;
    });
    if (!swept)
      log::warning("unused data was not removed: {} {}", swept.error().message, swept.error().detail);
    if (swept && *swept > 0) log::info("removed {} blobs that no row names", *swept);
  }
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

Result<void> serve(const Config& config, Interrupt& interrupt) {
  http::ServerOptions listens = TRY(listener(config));
  TRY(check_lease(config));
  if (log::level() > log::Level::info) log::set_level(log::Level::info);
  const fs::path data = config.data_folder();
  const UniqueFd lock = TRY(lock_data_folder(data));
  const auto store = TRY(store::open_sqlite(database_path(data), {}));
  const auto blobs = TRY(blob::open_file_blobs(blobs_path(data)));

  std::atomic<jobs::Slots*> slots_to_tell{nullptr};
  std::atomic<jobs::Hub*> hub_to_tell{nullptr};
  std::atomic<library::Probing*> probing_to_tell{nullptr};
  store->listen([&](const store::Notice& notice) {
    if (jobs::Hub* hub = hub_to_tell) hub->notice(notice);
    if (jobs::Slots* slots = slots_to_tell) slots->notice(notice);
    if (library::Probing* probing = probing_to_tell) probing->notice(notice);
  });
  const bool required = config.text("HANSARD_AUTH") == "required";
  const auto accounts = TRY(auth::Accounts::open(*store, token_keys_path(data), required));
  int64_t recovered = 0;
  TRY(store->write([&](store::Transaction& transaction) -> Result<void> {
    recovered = TRY(jobs::recover(transaction));
    return {};
  }));
  TRY(store->write([&](store::Transaction& transaction) -> Result<void> {
    TRY(library::forget_keys(transaction, ""));
    return {};
  }));
  if (recovered > 0) log::info("{} jobs that were in work go on", recovered);

  models::Library models = open_library(config);
  const pipeline::Artifacts artifacts = open_artifacts(config);
  {
    const auto provider = TRY(open_provider(config, {}));
    const engine::Capabilities capabilities = TRY(provider->capabilities());
    log::info("engine: asked for {}, runs on {}, {}; models are {}", config.text("SPEECH_ENGINE_PROVIDER"),
              capabilities.device, capabilities.compute_type,
              config.boolean("SPEECH_ENGINE_AUTO_DOWNLOAD") ? "fetched when needed" : "never fetched");
    if (!capabilities.device_note.empty()) log::info("{}", capabilities.device_note);
  }

  metrics::Metrics metrics;
  const jobs::FifoPolicy policy;
  jobs::Hub hub(*store);
  hub.on_event([&](const jobs::Event& event) { metrics.happened(event); });
  hub_to_tell = &hub;
  jobs::Slots slots(
      {.count = static_cast<int>(config.integer("TRANSCRIPTION_WORKERS")),
       .poll_interval = milliseconds(config, "TRANSCRIPTION_QUEUE_POLL_INTERVAL"),
       .lease = milliseconds(config, "TRANSCRIPTION_LEASE_TIMEOUT"),
       .renew_interval = milliseconds(config, "TRANSCRIPTION_LEASE_RENEW_INTERVAL")},
      {.store = *store,
       .blobs = *blobs,
       .hub = hub,
       .policy = policy,
       .library = models,
       .artifacts = artifacts,
       .spool_folder = data / "spool",
       .auto_download = config.boolean("SPEECH_ENGINE_AUTO_DOWNLOAD"),
       .open_provider =
           [&](const engine::EngineOptions& options) -> Result<std::unique_ptr<engine::Provider>> {
         engine::ProcessOptions process = TRY(provider_options(config, options));
         process.on_start = [&](pid_t pid) { metrics.engine_started(pid); };
         process.on_end = [&](pid_t pid, bool died) { metrics.engine_ended(pid, died); };
         return engine::make_process_provider(std::move(process));
       },
       .on_claim = [&] { metrics.claimed(); },
       .on_end = [&](const jobs::AttemptReport& report) { metrics.attempted(report); }});
  slots_to_tell = &slots;

  auth::Standings standings(*accounts, limits::kStandingInterval);
  std::atomic<bool> draining = false;
  library::UploadsInWork uploads;
  library::Renditions renditions(*store, *blobs, data / "spool");
  models::Installer installer(models);
  library::Probing probing(*store, *blobs);
  probing_to_tell = &probing;
  api::v1::Services services{
      .store = *store,
      .blobs = *blobs,
      .hub = hub,
      .slots = slots,
      .models = models,
      .installer = installer,
      .artifacts = artifacts,
      .uploads = uploads,
      .renditions = renditions,
      .accounts = *accounts,
      .standings = standings,
      .upload_limit_bytes = static_cast<uint64_t>(config.integer("HANSARD_MAX_UPLOAD_MB")) << 20,
      .draining = draining,
      .instance = random_hex(8),
      .base_path = listens.base_path,
      .behind_proxy = !listens.trusted_proxies.empty()};
  TRY(api::v1::load_settings(services));
  http::Router router;
  api::add_contract_routes(router);
  api::v1::add_routes(router, services);
  const bool with_metrics = !config.text("HANSARD_METRICS_LISTEN").empty();
  if (with_metrics) listens.on_answer = [&](const http::Answered& answered) { metrics.answered(answered); };
  const auto server = TRY(http::Server::open(listens, std::move(router)));
  add_gauges(metrics, *server, slots);
  std::unique_ptr<http::Server> metrics_server;
  if (with_metrics) metrics_server = TRY(open_metrics(config, metrics, *store));
  // The clock of the files. What an earlier server left has waited long enough: this one alone writes here.
  const int64_t started_ms = system_now_ms();
  auto control =
      TRY(Control::open(data, *store, *blobs, {{"users", [&](const json::bj::object& wanted) {
                                                  return administer_users(*store, *accounts, wanted);
                                                }}}));
  // It may follow the first at once.
  interrupt.on_second([&] { slots.release_now(); });
  slots.start();
  if (metrics_server) metrics_server->start();
  probing.start();
  server->start();
  // Whoever asks a service to read its settings again does not want it ended.
  interrupt.on_hangup([&] {
    if (listens.tls.given()) reload_tls(*server);
  });
  const bool is_v6 = listens.host.find(':') != std::string::npos;
  fmt::print("hansard listens on {}://{}:{}\n", listens.tls.given() ? "https" : "http",
             is_v6 ? "[" + listens.host + "]" : listens.host, server->port());
  if (!accounts->setup_code().empty()) {
    fmt::print(
        "there is no account yet; whoever registers the first one from another machine needs the setup code "
        "{}\n",
        accounts->setup_code());
  }
  std::fflush(stdout);
  std::jthread housekeeper([&](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock wait(mutex);
    int64_t before_ms = started_ms;
    do {
      keep_house(*store, *blobs, artifacts, uploads, before_ms);
      before_ms = system_now_ms() - std::chrono::milliseconds(kSweepAge).count();
    } while (!never.wait_for(wait, stop, kSweepInterval, [] { return false; }) && !stop.stop_requested());
  });

  interrupt.wait();
  interrupt.on_hangup([] {});
  log::info("stopping: no new work is taken");
  draining = true;
  control.reset();
  renditions.stop();
  housekeeper.request_stop();
  const auto patience = milliseconds(config, "TRANSCRIPTION_STOP_TIMEOUT");
  slots.drain(patience == 0ms ? std::chrono::milliseconds(365 * 24h) : patience);
  server->drain(kRequestPatience);
  interrupt.on_second({});
  probing_to_tell = nullptr;
  slots_to_tell = nullptr;
  hub_to_tell = nullptr;
  log::info("stopped");
  return {};
}

}  // namespace hansard::cli
