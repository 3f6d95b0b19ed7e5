// Health, the queue.

#include <algorithm>

#include <fmt/format.h>

#include "api/v1/common.h"

namespace hansard::api::v1 {
namespace {

Answer health(Services&, const Request&) {
  return http::json_response(200, R"({"status":"ok"})");
}

Answer ready(Services& services, const Request&) {
  static constexpr store::Statement kAlive{"store.alive", "SELECT 1"};
  const auto database = services.store.read([](store::Reader& reader) -> Result<void> {
    TRY(reader.row(kAlive));
    return {};
  });
  const bool good = database && !services.draining;
  bj::object body{{"status", services.draining ? "draining" : database ? "ready" : "unavailable"}};
  body["database"] = database ? "ok" : "unavailable";
  body["workers"] = bj::object{{"alive", services.slots.alive()}, {"expected", services.slots.expected()}};
  Response response = http::json_response(good ? 200 : 503, json::to_text(body));
  if (!good) response.with("Retry-After", "10");
  return response;
}

Answer queue(Services& services, const Request& request) {
  const auto scope = request.query_value("scope");
  if (scope && *scope != "all") return fail(Problem(422, "must be all", "scope"));
  if (scope && caller_of(request).role != auth::Role::admin)
    return fail(Problem(403, "this is for admins", "scope"));
  const auto counts = TRY(read<library::QueueStatistics>(
      services, [&](store::Reader& reader) -> Outcome<library::QueueStatistics> {
        return TRY(library::queue_statistics(reader, scope ? "" : user_of(services, request)));
      }));
  bj::object body{{"queued", counts.queued}, {"processing", counts.processing}};
  // How much others have in work is not the caller's to know.
  body["running"] = scope ? bj::value(services.slots.running()) : bj::value(counts.processing);
  body["completed"] = counts.completed;
  body["failed"] = counts.failed;
  body["canceled"] = counts.canceled;
  body["oldest_queued_seconds"] = nullptr;
  if (counts.oldest_queued_at_ms) {
    body["oldest_queued_seconds"] =
        static_cast<double>(std::max<int64_t>(0, services.store.now_ms() - *counts.oldest_queued_at_ms)) /
        1000;
  }
  return http::json_response(200, json::to_text(body));
}

}  // namespace

void add_system_routes(http::Router& router, Services& services) {
  const auto bind = [&services](Answer (*handler)(Services&, const Request&)) {
    return [&services, handler](Request& request) { return handler(services, request); };
  };
  router.get("/api/v1/health", bind(health));
  router.get("/api/v1/ready", bind(ready));
  router.get("/api/v1/admin/queue", bind(queue));
}

}  // namespace hansard::api::v1
