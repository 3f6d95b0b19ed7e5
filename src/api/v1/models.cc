// Models: which there are, and bringing them to this machine.

#include <algorithm>

#include <fmt/format.h>

#include "api/v1/common.h"
#include "base/log.h"
#include "jobs/state.h"
#include "models/catalog.h"
#include "models/installer.h"

namespace hansard::api::v1 {
namespace {

using models::Installed;
using models::Kind;

bj::array capabilities_of(Kind kind, bool english_only) {
  if (kind == Kind::diarization) return {"diarization"};
  if (english_only) return {"transcription", "word_timestamps"};
  return {"transcription", "translation", "word_timestamps", "language_detection"};
}

bj::object model_json(const models::Model& model, bool installed) {
  const auto default_id = model.kind == Kind::transcription ? models::kDefaultTranscriptionModel
                                                            : models::kDefaultDiarizationModel;
  bj::object json{{"id", model.id}, {"name", model.title}, {"provider", "local"}};
  json["installed"] = installed;
  json["default"] = model.id == default_id;
  json["capabilities"] = capabilities_of(model.kind, model.english_only);
  bj::array& languages = json["languages"].emplace_array();
  for (const std::string_view code : model.languages()) languages.emplace_back(code);
  json["size_bytes"] = model.size_bytes();
  json["license"] = model.license;
  return json;
}

// One that somebody brought: all that is known is what it is made of.
bj::object imported_json(const Installed& imported) {
  models::Model model;
  model.id = imported.id;
  model.title = imported.id;
  model.kind = imported.kind;
  model.files = imported.files;
  bj::object json = model_json(model, true);
  json["languages"] = bj::array();
  return json;
}

Answer list(Services& services, Kind kind) {
  const std::vector<Installed> installed = services.models.list();
  bj::array items;
  for (const models::Model& model : models::catalog()) {
    if (model.kind != kind) continue;
    items.push_back(model_json(model, std::any_of(installed.begin(), installed.end(),
                                                  [&](const Installed& one) { return one.id == model.id; })));
  }
  for (const Installed& one : installed) {
    if (one.kind == kind && models::find_model(one.id) == nullptr) items.push_back(imported_json(one));
  }
  return http::json_response(200, page_json(std::move(items)));
}

// The id of the model that the address names, installed or not.
Outcome<std::string> named_model(Services& services, const Request& request) {
  const std::string& name = request.parameters.at(0);
  if (const models::Model* model = models::find_model(name)) return model->id;
  const auto found = services.models.find(name);
  if (found) return found->id;
  if (found.error().code == ErrorCode::model_corrupt) return name;
  return fail(Problem(404, found.error().message));
}

// ---- installing

void tell_end(Services& services, const std::string& user, const std::string& id,
              const Result<Installed>& installed) {
  bj::object data{{"id", id}};
  if (!installed) {
    const Error& error = installed.error();
    log::warning("model {}: {} {}", id, error.message, error.detail);
    // For who asked, a server that is not reached is a model that is not to be had.
    const ErrorCode code = error.code == ErrorCode::network ? ErrorCode::model_unavailable : error.code;
    data["error"] = bj::object{{"code", error_code_name(code)}, {"message", error.message}};
  }
  const auto written = services.store.write([&](store::Transaction& transaction) -> Result<void> {
    TRY(jobs::add_event(transaction, user, installed ? "model.ready" : "model.failed", id,
                        json::to_text(data)));
    return {};
  });
  if (!written) log::error("model {}: {} {}", id, written.error().message, written.error().detail);
}

Answer install(Services& services, const Request& request) {
  TRY(refuse_while_draining(services));
  TRY(json_body(request, {}));
  const std::string id = TRY(named_model(services, request));
  const std::string user = user_of(services, request);
  services.installer.start(
      id, {.progress =
               [&services, user, id](const models::InstallProgress& progress) {
                 bj::object data{{"id", id}, {"done_bytes", progress.done_bytes}};
                 data["total_bytes"] = progress.total_bytes;
                 services.hub.announce({{}, user, "model.progress", id, json::to_text(data)});
               },
           .end = [&services, user,
                   id](const Result<Installed>& installed) { tell_end(services, user, id, installed); }});
  return http::json_response(202, json::to_text(bj::object{{"id", id}, {"status", "installing"}}));
}

// ---- removing

// Whether something that is in work needs it.
Outcome<bool> in_use(Services& services, std::string_view id) {
  const auto all = TRY(read<std::vector<std::string>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<std::string>> {
        return TRY(library::options_in_work(reader));
      }));
  const auto is_it = [id](std::string_view name) {
    const models::Model* model = models::find_model(name);
    return id == (model == nullptr ? name : std::string_view(model->id));
  };
  for (const std::string& text : all) {
    const bj::object given = TRY(json::parse_object(text));
    const auto options = jobs::parse_options(given);
    if (!options) continue;  // it fails, whatever models there are
    if (id == models::kSpeechModel || is_it(options->pipeline.transcription_model)) return true;
    if (options->pipeline.diarize && is_it(options->pipeline.diarization_model)) return true;
  }
  return false;
}

Answer remove(Services& services, const Request& request) {
  const std::string id = TRY(named_model(services, request));
  if (TRY(in_use(services, id))) {
    return fail(Problem(409, "a transcription in work needs this model; cancel it or wait for its end"));
  }
  const bool canceled = services.installer.cancel(id);
  const auto removed = services.models.remove(id);
  const bool nothing_there = !removed && removed.error().code == ErrorCode::not_found;
  if (removed || (canceled && nothing_there)) return http::text_response(204, "application/json", "");
  // It comes with the installation: no other right would help.
  if (removed.error().code == ErrorCode::permission_denied)
    return fail(Problem(409, removed.error().message));
  return fail(Problem(removed.error()));
}

}  // namespace

void add_model_routes(http::Router& router, Services& services) {
  const std::string base = "/api/v1/models/";
  router.get(base + "transcription", [&services](Request&) { return list(services, Kind::transcription); });
  router.get(base + "diarization", [&services](Request&) { return list(services, Kind::diarization); });
  router.post(base + "{id}:install", [&services](Request& request) { return install(services, request); });
  http::Route removing{"DELETE", base + "{id}",
                       [&services](Request& request) { return remove(services, request); }};
  removing.slow = true;  // waits for the end of an install
  router.add(std::move(removing));
}

}  // namespace hansard::api::v1
