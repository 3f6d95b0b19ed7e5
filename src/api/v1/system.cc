// Health, models, the queue.

#include <algorithm>

#include <fmt/format.h>

#include "api/v1/common.h"
#include "models/catalog.h"

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

Answer models(Services& services, models::Kind kind) {
  std::vector<models::Installed> installed = services.models.list();
  bj::array items;
  const auto default_id = kind == models::Kind::transcription ? models::kDefaultTranscriptionModel
                                                              : models::kDefaultDiarizationModel;
  const auto add = [&](std::string_view id, std::string_view title, std::string_view license,
                       uint64_t size_bytes, bool here) {
    bj::object item{{"id", id}, {"name", title}, {"provider", "local"}};
    item["installed"] = here;
    item["default"] = id == default_id;
    item["capabilities"] =
        kind == models::Kind::transcription
            ? bj::array{"transcription", "translation", "word_timestamps", "language_detection"}
            : bj::array{"diarization"};
    item["languages"] = bj::array();
    item["size_bytes"] = size_bytes;
    item["license"] = license;
    items.push_back(std::move(item));
  };
  std::set<std::string> known;
  for (const models::Model& model : models::catalog()) {
    if (model.kind != kind) continue;
    const bool here =
        std::any_of(installed.begin(), installed.end(), [&](const auto& i) { return i.id == model.id; });
    add(model.id, model.title, model.license, model.size_bytes(), here);
    known.insert(std::string(model.id));
  }
  for (const models::Installed& model : installed) {
    if (model.kind != kind || known.contains(model.id)) continue;
    uint64_t size = 0;
    for (const models::File& file : model.files) size += file.size_bytes;
    add(model.id, model.id, "", size, true);
  }
  return http::json_response(200, page_json(std::move(items), std::nullopt));
}

Answer queue(Services& services, const Request& request) {
  const auto scope = request.query_value("scope");
  if (scope && *scope != "all") return fail(Problem(422, "must be all", "scope"));
  const auto counts = TRY(read<library::QueueStatistics>(
      services, [&](store::Reader& reader) -> Outcome<library::QueueStatistics> {
        return TRY(library::queue_statistics(reader, scope ? "" : user_of(services, request)));
      }));
  bj::object body{{"queued", counts.queued}, {"processing", counts.processing}};
  body["running"] = services.slots.running();
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
  router.get("/api/v1/models/transcription",
             [&services](Request&) { return models(services, models::Kind::transcription); });
  router.get("/api/v1/models/diarization",
             [&services](Request&) { return models(services, models::Kind::diarization); });
  router.get("/api/v1/admin/queue", bind(queue));
}

}  // namespace hansard::api::v1
