#include "metrics/metrics.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "base/process.h"
#include "base/spelling.h"

namespace hansard::metrics {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;
using Buckets = Histogram::BucketBoundaries;

// Answers take from under a millisecond to the seconds of an upload.
Buckets request_buckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}
// Stages take from nothing, where an artifact is there, to the hours of a long recording.
Buckets stage_buckets() {
  return {0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400};
}
// Seconds of work for a second of sound.
Buckets factor_buckets() {
  return {0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5};
}

Family<Counter>& counters(Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Histogram>& histograms(Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}
Gauge& gauge(Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

struct Queue {
  double queued = 0;
  double processing = 0;
  double oldest_queued_s = 0;
};

Result<Queue> count_queue(store::Store& store) {
  static constexpr store::Statement kCount{"metrics.queue",
                                           "SELECT status, COUNT(*), MIN(queued_at) FROM transcriptions "
                                           "WHERE status IN ('queued', 'processing') GROUP BY status"};
  std::vector<store::Row> rows;
  TRY(store.read([&](store::Reader& reader) -> Result<void> {
    rows = TRY(reader.rows(kCount));
    return {};
  }));
  Queue queue;
  for (const store::Row& row : rows) {
    const auto count = static_cast<double>(row.integer(1));
    if (row.text(0) == "processing") {
      queue.processing = count;
    } else {
      queue.queued = count;
      queue.oldest_queued_s =
          static_cast<double>(std::max<int64_t>(0, store.now_ms() - row.integer(2))) / 1000;
    }
  }
  return queue;
}

}  // namespace

struct Metrics::Numbers {
  Registry registry;
  Family<Counter>& requests =
      counters(registry, "hansard_http_requests_total", "Answers by route, method and status");
  Family<Histogram>& request_seconds =
      histograms(registry, "hansard_http_request_seconds",
                 "Time from a request's first byte to the end of its answer, of a stream to its beginning");
  Family<Counter>& jobs =
      counters(registry, "hansard_jobs_total", "Jobs that were created and that came to an end");
  Counter& claims = counters(registry, "hansard_job_claims_total", "Attempts that were begun").Add({});
  Family<Counter>& attempts = counters(registry, "hansard_job_attempts_total", "Attempts that ended, by how");
  Family<Histogram>& stage_seconds =
      histograms(registry, "hansard_stage_seconds", "Time of each stage of completed attempts");
  Histogram& real_time_factor = histograms(registry, "hansard_real_time_factor",
                                           "Seconds of work for a second of sound, of completed attempts")
                                    .Add({}, factor_buckets());
  Counter& engine_starts =
      counters(registry, "hansard_engine_starts_total", "Engines that were started").Add({});
  Counter& engine_deaths =
      counters(registry, "hansard_engine_deaths_total",
               "Engines that crashed, hung or grew too large, and are replaced when needed")
          .Add({});
  Gauge& engines = gauge(registry, "hansard_engines", "Engines that live");
  Gauge& engine_bytes =
      gauge(registry, "hansard_engine_resident_bytes", "Memory of all engines, with their models");
  Family<Gauge>& queue = prometheus::BuildGauge()
                             .Name("hansard_queue_jobs")
                             .Help("Jobs that wait and that are in work")
                             .Register(registry);
  Gauge& oldest =
      gauge(registry, "hansard_queue_oldest_seconds", "How long the oldest queued job has waited");
  std::vector<std::pair<Gauge*, std::function<double()>>> looked_up;

  std::mutex mutex;
  std::set<pid_t> pids;  // of engines

  std::string collect(store::Store& store);
  void look_at_engines();
};

Metrics::Metrics() : numbers_(std::make_unique<Numbers>()) {
  for (const char* outcome : {"created", "completed", "failed", "canceled"}) {
    numbers_->jobs.Add({{"event", outcome}});
  }
}
Metrics::~Metrics() = default;

void Metrics::answered(const http::Answered& answered) {
  // Whoever asks for what is not there may write any method.
  const bool known = !answered.route.empty();
  const std::string route(known ? answered.route : "none");
  const std::string method(known ? answered.method : "other");
  numbers_->requests.Add({{"route", route}, {"method", method}, {"status", std::to_string(answered.status)}})
      .Increment();
  numbers_->request_seconds.Add({{"route", route}, {"method", method}}, request_buckets())
      .Observe(answered.time.count());
}

void Metrics::happened(const jobs::Event& event) {
  static constexpr std::string_view kPrefix = "transcription.";
  if (!event.name.starts_with(kPrefix)) return;
  const std::string name = event.name.substr(kPrefix.size());
  if (name == "created" || name == "completed" || name == "failed" || name == "canceled") {
    numbers_->jobs.Add({{"event", name}}).Increment();
  }
}

void Metrics::claimed() {
  numbers_->claims.Increment();
}

void Metrics::attempted(const jobs::AttemptReport& report) {
  std::string outcome = "completed";
  if (report.error) outcome = lower(error_code_name(report.error->code));
  if (report.error && report.error->code == ErrorCode::canceled) outcome = "released";
  if (!report.held) outcome = "taken_away";
  numbers_->attempts.Add({{"outcome", outcome}}).Increment();
  if (outcome != "completed") return;
  for (const auto& [stage, seconds] : report.stage_seconds) {
    numbers_->stage_seconds.Add({{"stage", stage}}, stage_buckets()).Observe(seconds);
  }
  if (report.audio_s > 0) numbers_->real_time_factor.Observe(report.seconds / report.audio_s);
}

void Metrics::engine_started(pid_t pid) {
  numbers_->engine_starts.Increment();
  const std::lock_guard lock(numbers_->mutex);
  numbers_->pids.insert(pid);
}

void Metrics::engine_ended(pid_t pid, bool died) {
  if (died) numbers_->engine_deaths.Increment();
  const std::lock_guard lock(numbers_->mutex);
  numbers_->pids.erase(pid);
}

void Metrics::add_gauge(const std::string& name, const std::string& help, std::function<double()> look) {
  numbers_->looked_up.emplace_back(&gauge(numbers_->registry, name, help), std::move(look));
}

// One that exits when idle is missed only by its next request: its memory tells that it is gone.
void Metrics::Numbers::look_at_engines() {
  double alive = 0;
  double bytes = 0;
  const std::lock_guard lock(mutex);
  for (const pid_t pid : pids) {
    const auto resident = static_cast<double>(resident_bytes(pid));
    bytes += resident;
    if (resident > 0) ++alive;
  }
  engines.Set(alive);
  engine_bytes.Set(bytes);
}

std::string Metrics::Numbers::collect(store::Store& store) {
  look_at_engines();
  for (const auto& [number, look] : looked_up) number->Set(look());
  // Without a database the rest is still worth telling.
  if (const auto counted = count_queue(store)) {
    queue.Add({{"status", "queued"}}).Set(counted->queued);
    queue.Add({{"status", "processing"}}).Set(counted->processing);
    oldest.Set(counted->oldest_queued_s);
  }
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

http::Router Metrics::routes(store::Store& store) {
  http::Router router;
  router.get("/metrics", [this, &store](http::Request&) {
    return http::Answer(
        http::text_response(200, "text/plain; version=0.0.4; charset=utf-8", numbers_->collect(store)));
  });
  return router;
}

}  // namespace hansard::metrics
