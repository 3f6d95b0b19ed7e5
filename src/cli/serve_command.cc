#include "cli/serve_command.h"

#include <atomic>
#include <cstdio>
#include <mutex>

#include <fmt/format.h>

#include "api/asr/asr.h"
#include "api/cesar/cesar.h"
#include "api/openai/openai.h"
#include "api/openapi.h"
#include "api/v1/api.h"
#include "auth/accounts.h"
#include "auth/standing.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "blob/file/file_blobs.h"
#include "cli/cache_command.h"
#include "cli/control.h"
#include "cli/data_folder.h"
#include "cli/housekeeper.h"
#include "cli/server_settings.h"
#include "cli/surroundings.h"
#include "cli/users_command.h"
#include "engine/process/process_provider.h"
#include "http/server.h"
#include "jobs/fair_policy.h"
#include "jobs/hub.h"
#include "jobs/slots.h"
#include "jobs/state.h"
#include "library/deliveries.h"
#include "library/idempotency.h"
#include "library/imports.h"
#include "library/probing.h"
#include "library/renditions.h"
#include "library/uploads.h"
#include "metrics/metrics.h"
#include "page/page.h"
#include "store/relay.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Requests in work when the server stops take milliseconds; a download may take longer.
constexpr auto kRequestPatience = 2s;

// What this process alone has of a data folder, with the jobs of an earlier server put back to the queue.
struct Data {
  UniqueFd lock;
  std::unique_ptr<store::Relay> relay = std::make_unique<store::Relay>();
  std::unique_ptr<store::Store> store;
  std::unique_ptr<blob::Blobs> blobs;
  std::unique_ptr<auth::Accounts> accounts;
};

Result<Data> open_data(const fs::path& folder, bool accounts_required) {
  Data data;
  data.lock = TRY(lock_data_folder(folder));
  data.store = TRY(store::open_sqlite(database_path(folder), {}));
  data.blobs = TRY(blob::open_file_blobs(blobs_path(folder)));
  data.store->listen([relay = data.relay.get()](const store::Notice& notice) { relay->notice(notice); });
  data.accounts = TRY(auth::Accounts::open(*data.store, token_keys_path(folder), accounts_required));
  int64_t recovered = 0;
  TRY(data.store->write([&](store::Transaction& transaction) -> Result<void> {
    recovered = TRY(jobs::recover(transaction));
    TRY(jobs::cancel_ephemeral(transaction));
    TRY(library::forget_keys(transaction, ""));
    return {};
  }));
  if (recovered > 0) log::info("{} jobs that were in work go on", recovered);
  return data;
}

Result<void> tell_of_engine(const Config& config) {
  const auto provider = TRY(open_provider(config, {}));
  const engine::Capabilities capabilities = TRY(provider->capabilities());
  log::info("engine: asked for {}, runs on {}, {}; models are {}", config.text("SPEECH_ENGINE_PROVIDER"),
            capabilities.device, capabilities.compute_type,
            config.boolean("SPEECH_ENGINE_AUTO_DOWNLOAD") ? "fetched when needed" : "never fetched");
  if (!capabilities.device_note.empty()) log::info("{}", capabilities.device_note);
  return {};
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

void reload_tls(http::Server& server) {
  if (const auto reloaded = server.reload_tls(); reloaded) {
    log::info("the certificate was read again; new connections get it");
  } else {
    log::error("the certificate stays as it was: {} {}", reloaded.error().message, reloaded.error().detail);
  }
}

// The parts of a server, in the order in which they stand on each other.
class ServerProcess {
 public:
  ServerProcess(const Config& config, const ServerSettings& settings, Data data)
      : config_(config), settings_(settings), data_(std::move(data)) {
    hub_.on_event([this](const jobs::Event& event) { metrics_.happened(event); });
    data_.relay->tell([this](const store::Notice& notice) {
      hub_.notice(notice);
      slots_.notice(notice);
      probing_.notice(notice);
      imports_.notice(notice);
      deliveries_.notice(notice);
    });
  }
  ~ServerProcess() { data_.relay->tell({}); }
  ServerProcess(const ServerProcess&) = delete;

  // Takes the ports. Errors: those of http::Server::open(), with the setting that names the port.
  Result<void> open();
  // Takes work, and says where it does.
  void start(Interrupt& interrupt);
  // Ends what is in work, in the order in which the parts need each other.
  void stop(Interrupt& interrupt);

 private:
  jobs::Workshop workshop();
  api::v1::Services services();
  void greet() const;

  const Config& config_;
  const ServerSettings& settings_;
  const fs::path folder_ = config_.data_folder();
  Data data_;
  models::Library models_ = open_library(config_);
  const pipeline::Artifacts artifacts_ = open_artifacts(config_);
  metrics::Metrics metrics_;
  const jobs::FairPolicy policy_;
  jobs::Hub hub_{*data_.store};
  jobs::Slots slots_{settings_.slots, workshop()};

  auth::Standings standings_{*data_.accounts, limits::kStandingInterval};
  std::atomic<bool> draining_ = false;
  library::UploadsInWork uploads_;
  library::Renditions renditions_{*data_.store, *data_.blobs, folder_ / "spool"};
  models::Installer installer_{models_};
  library::Probing probing_{*data_.store, *data_.blobs};
  const fetch::AddressRules address_rules_{settings_.fetch_allow};
  library::Imports imports_{*data_.store,
                            *data_.blobs,
                            hub_,
                            {.rules = address_rules_,
                             .most_bytes = [this] { return services_.upload_limit_bytes.load(); },
                             .storage_limit_bytes = settings_.storage_limit_bytes,
                             .backoff = limits::kJobBackoff}};
  library::Deliveries deliveries_{
      *data_.store,
      {.rules = address_rules_, .time = limits::kDeliveryTime, .backoff = limits::kDeliveryBackoff}};
  api::v1::Services services_ = services();
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> metrics_server_;  // where it is asked for
  std::unique_ptr<Control> control_;
  std::optional<Housekeeper> housekeeper_;
};

jobs::Workshop ServerProcess::workshop() {
  return {.store = *data_.store,
          .blobs = *data_.blobs,
          .hub = hub_,
          .policy = policy_,
          .library = models_,
          .artifacts = artifacts_,
          .spool_folder = folder_ / "spool",
          .auto_download = settings_.auto_download,
          .open_provider =
              [this](const engine::EngineOptions& options) -> Result<std::unique_ptr<engine::Provider>> {
            engine::ProcessOptions process = TRY(provider_options(config_, options));
            process.on_start = [this](pid_t pid) { metrics_.engine_started(pid); };
            process.on_end = [this](pid_t pid, bool died) { metrics_.engine_ended(pid, died); };
            return engine::make_process_provider(std::move(process));
          },
          .on_claim = [this] { metrics_.claimed(); },
          .on_end = [this](const jobs::AttemptReport& report) { metrics_.attempted(report); }};
}

api::v1::Services ServerProcess::services() {
  return {.store = *data_.store,
          .blobs = *data_.blobs,
          .hub = hub_,
          .slots = slots_,
          .models = models_,
          .installer = installer_,
          .artifacts = artifacts_,
          .uploads = uploads_,
          .renditions = renditions_,
          .accounts = *data_.accounts,
          .standings = standings_,
          .address_rules = address_rules_,
          .upload_limit_bytes = settings_.upload_limit_bytes,
          .storage_limit_bytes = settings_.storage_limit_bytes,
          .queue_limits = settings_.queue_limits,
          .download_cache = settings_.download_cache,
          .spool_folder = folder_ / "spool",
          .draining = draining_,
          .instance = random_hex(8),
          .base_path = settings_.listener.base_path,
          .behind_proxy = !settings_.listener.trusted_proxies.empty()};
}

Result<void> ServerProcess::open() {
  TRY(api::v1::load_settings(services_));
  http::Router router;
  api::add_contract_routes(router);
  api::v1::add_routes(router, services_);
  api::openai::add_routes(router, services_);
  api::cesar::add_routes(router, services_);
  api::asr::add_routes(router, services_);
  page::add_page(router, {.base_path = settings_.listener.base_path, .accounts = settings_.accounts});
  http::ServerOptions listener = settings_.listener;
  if (settings_.metrics_listener) {
    listener.on_answer = [this](const http::Answered& answered) { metrics_.answered(answered); };
  }
  server_ = TRY(http::Server::open(listener, std::move(router)));
  add_gauges(metrics_, *server_, slots_);
  if (settings_.metrics_listener) {
    auto opened = http::Server::open(*settings_.metrics_listener, metrics_.routes(*data_.store));
    if (!opened) {
      return fail(
          metrics_listener_error(settings_.metrics_listen, opened.error().code == ErrorCode::conflict));
    }
    metrics_server_ = std::move(*opened);
  }
  control_ = TRY(Control::open(folder_, *data_.store, *data_.blobs,
                               {{"users", [this](const json::bj::object& wanted) {
                                   return administer_users(*data_.store, *data_.accounts, wanted);
                                 }}}));
  return {};
}

void ServerProcess::start(Interrupt& interrupt) {
  // It may follow the first at once.
  interrupt.on_second([this] { slots_.release_now(); });
  housekeeper_.emplace(*data_.store, *data_.blobs, artifacts_, uploads_, settings_.retention);
  slots_.start();
  if (metrics_server_) metrics_server_->start();
  probing_.start();
  imports_.start();
  deliveries_.start();
  server_->start();
  // Whoever asks a service to read its settings again does not want it ended.
  interrupt.on_hangup([this] {
    if (settings_.listener.tls.given()) reload_tls(*server_);
  });
  greet();
}

void ServerProcess::greet() const {
  const std::string& host = settings_.listener.host;
  const bool is_v6 = host.find(':') != std::string::npos;
  fmt::print("hansard listens on {}://{}:{}\n", settings_.listener.tls.given() ? "https" : "http",
             is_v6 ? "[" + host + "]" : host, server_->port());
  if (const std::string code = data_.accounts->setup_code(); !code.empty()) {
    fmt::print(
        "there is no account yet; whoever registers the first one from another machine needs the setup code "
        "{}\n",
        code);
  }
  std::fflush(stdout);
}

void ServerProcess::stop(Interrupt& interrupt) {
  interrupt.on_hangup([] {});
  log::info("stopping: no new work is taken");
  draining_ = true;
  control_.reset();
  renditions_.stop();
  imports_.stop();
  deliveries_.stop();
  slots_.drain(settings_.stop_timeout);
  server_->drain(kRequestPatience);
  housekeeper_.reset();
  interrupt.on_second({});
  log::info("stopped");
}

}  // namespace

Result<void> serve(const Config& config, Interrupt& interrupt) {
  const ServerSettings settings = TRY(read_server_settings(config));
  if (log::level() > log::Level::info) log::set_level(log::Level::info);
  Data data = TRY(open_data(config.data_folder(), settings.accounts));
  TRY(tell_of_engine(config));
  ServerProcess process(config, settings, std::move(data));
  TRY(process.open());
  process.start(interrupt);
  interrupt.wait();
  process.stop(interrupt);
  return {};
}

}  // namespace hansard::cli
