#include <fmt/format.h>

#include "api/v1/common.h"
#include "base/clock.h"
#include "base/limits.h"
#include "fetch/youtube.h"
#include "http/range.h"
#include "library/imports.h"

namespace hansard::api::v1 {
namespace {

Outcome<library::File> existing_file(Services& services, const Request& request, bool trashed = false) {
  auto file = TRY(read<std::optional<library::File>>(
      services, [&](store::Reader& reader) -> Outcome<std::optional<library::File>> {
        return TRY(library::find_file(reader, user_of(services, request), request.parameters.at(0), trashed));
      }));
  if (!file) return fail(Problem(404, "there is no such file"));
  return std::move(*file);
}

Answer upload(Services& services, Request& request) {
  auto& upload = dynamic_cast<Upload&>(*request.receiver);
  const library::File file = TRY(upload.file(user_of(services, request)));
  bool made = false;
  Answer answer = make_once(services, request, upload.fingerprint(file), 201,
                            [&](store::Transaction& transaction) -> Outcome<Made> {
                              TRY(library::insert_file(transaction, file));
                              TRY(library::transcribe_if_wanted(transaction, file, services.queue_limits));
                              made = true;
                              const auto kept = TRY(library::find_file(transaction, file.user_id, file.id));
                              return Made{"/api/v1/files/" + file.id, json::to_text(to_json(*kept))};
                            });
  // Of a repeated request the file is there already.
  if (answer && made) upload.keep();
  return answer;
}

// It is brought later; the answer is the file that it will be.
Answer import(Services& services, const Request& request, std::string_view kind, const bj::object& body,
              const std::string& url) {
  const auto title = TRY(text_field(body, "title"));
  const bool can_be_asked = kind != "youtube" || fetch::youtube_can_be_asked();
  return make_once(
      services, request, json::to_text(body), 202, [&](store::Transaction& transaction) -> Outcome<Made> {
        if (!can_be_asked) {
          return fail(Problem(501, std::string(kNoYoutube)));
        }
        const library::File file = TRY(library::add_import(
            transaction,
            {.user_id = user_of(services, request), .kind = std::string(kind), .url = url, .title = title}));
        TRY(library::transcribe_if_wanted(transaction, file, services.queue_limits));
        const auto kept = TRY(library::find_file(transaction, file.user_id, file.id));
        return Made{"/api/v1/files/" + file.id, json::to_text(to_json(*kept))};
      });
}

Answer import_url(Services& services, const Request& request) {
  TRY(refuse_while_draining(services));
  const bj::object body = TRY(json_body(request, {"url", "title"}));
  return import(services, request, "url", body, TRY(url_field(services, body)));
}

Answer import_youtube(Services& services, const Request& request) {
  TRY(refuse_while_draining(services));
  const bj::object body = TRY(json_body(request, {"url", "title"}));
  const std::string url = json::get_string(body, "url").value_or("");
  if (!fetch::youtube_video(url))
    return fail(Problem(422, "must be the address of a video on YouTube", "url"));
  return import(services, request, "youtube", body, url);
}

Answer list(Services& services, const Request& request) {
  const library::Page page = TRY(page_of(request));
  library::FileFilter filter;
  filter.title_part = request.query_value("q").value_or("");
  filter.kind = request.query_value("kind");
  filter.status = request.query_value("status");
  static const std::set<std::string_view> kKinds{"audio", "video", "youtube", "url"};
  static const std::set<std::string_view> kStatuses{"uploaded", "processing", "ready", "failed"};
  if (filter.kind && !kKinds.contains(*filter.kind)) {
    return fail(Problem(422, "must be audio, video, youtube or url", "kind"));
  }
  if (filter.status && !kStatuses.contains(*filter.status)) {
    return fail(Problem(422, "must be uploaded, processing, ready or failed", "status"));
  }
  const auto files = TRY(read<std::vector<library::File>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<library::File>> {
        return TRY(library::list_files(reader, user_of(services, request), filter, page));
      }));
  bj::array items;
  for (const library::File& file : files) items.push_back(to_json(file));
  return http::json_response(200, page_json(std::move(items), cursor_after(page, files)));
}

Answer show(Services& services, const Request& request) {
  const library::File file = TRY(existing_file(services, request));
  return resource(request, file.id, file.updated_at_ms, to_json(file));
}

Answer rename(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"title"}));
  const auto title = TRY(text_field(body, "title"));
  if (!title) return fail(Problem(422, "must be text of 1 to 500 characters", "title"));
  const auto file =
      TRY(write<library::File>(services, [&](store::Transaction& transaction) -> Outcome<library::File> {
        const std::string user = user_of(services, request);
        const auto before = TRY(library::find_file(transaction, user, request.parameters.at(0)));
        if (!before) return fail(Problem(404, "there is no such file"));
        TRY(check_match(request, before->id, before->updated_at_ms));
        return *TRY(library::rename_file(transaction, user, before->id, *title));
      }));
  return resource(request, file.id, file.updated_at_ms, to_json(file));
}

Answer remove(Services& services, const Request& request) {
  const auto purge = request.query_value("purge");
  if (purge && *purge != "true" && *purge != "false")
    return fail(Problem(422, "must be true or false", "purge"));
  const bool for_good = purge == "true";
  library::File file;
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    const std::string user = user_of(services, request);
    const auto before = TRY(library::find_file(transaction, user, request.parameters.at(0), for_good));
    if (!before) return fail(Problem(404, "there is no such file"));
    file = *before;
    const auto after = for_good ? TRY(library::purge_file(transaction, user, before->id))
                                : TRY(library::trash_file(transaction, user, before->id));
    return after.has_value();
  }));
  if (for_good) library::erase_recording(services.store, services.blobs, services.artifacts, file);
  return http::text_response(204, "application/json", "");
}

Answer restore(Services& services, const Request& request) {
  const auto file =
      TRY(write<library::File>(services, [&](store::Transaction& transaction) -> Outcome<library::File> {
        const std::string user = user_of(services, request);
        const std::string& id = request.parameters.at(0);
        auto restored = TRY(library::restore_file(transaction, user, id));
        if (restored) return std::move(*restored);
        if (TRY(library::find_file(transaction, user, id)))
          return fail(Problem(409, "it is not in the trash"));
        return fail(Problem(404, "there is no such file in the trash"));
      }));
  return resource(request, file.id, file.updated_at_ms, to_json(file));
}

Answer waveform(Services& services, const Request& request) {
  const auto points = static_cast<size_t>(TRY(number_of(request, "points", 1000, limits::kWaveformPoints)));
  const library::File file = TRY(existing_file(services, request));
  if (file.status != "ready") return fail(Problem(409, fmt::format("the file is {}", file.status)));
  const std::string etag = fmt::format("\"{}-waveform-{}\"", file.sha256.value_or(file.id), points);
  const auto known = request.header("if-none-match");
  Response response = http::text_response(304, "application/json", "");
  if (!known || !http::names_etag(*known, etag)) {
    const media::Waveform drawn = TRY(services.renditions.waveform(file)).in_points(points);
    bj::array peaks;
    for (const uint16_t peak : drawn.peaks) peaks.push_back(json::rounded(peak / 65535.0, 4));
    response = http::json_response(
        200, json::to_text(bj::object{{"duration_seconds", json::rounded(drawn.duration_s, 3)},
                                      {"peaks", std::move(peaks)}}));
  }
  response.with("ETag", etag).with("Cache-Control", "no-cache");
  return response;
}

Answer audio(Services& services, const Request& request) {
  return audio_of(services, request, TRY(existing_file(services, request)));
}

}  // namespace

Answer audio_of(Services& services, const Request& request, const library::File& file) {
  const auto rendition = request.query_value("rendition");
  if (rendition && *rendition != "playback" && *rendition != "original") {
    return fail(Problem(422, "must be original or playback", "rendition"));
  }
  if (!file.blob) {
    return fail(Problem(404, file.deleted_at_ms ? "the recording was deleted" : "the recording is not here"));
  }
  const std::string tag = file.sha256.value_or(file.id);
  const std::string type = file.mime_type.value_or("application/octet-stream");
  if (rendition != "playback") {
    UniqueFd fd = TRY(services.blobs.open(*file.blob));
    return http::file_answer(request, std::move(fd), static_cast<uint64_t>(file.size_bytes.value_or(0)), type,
                             "\"" + tag + "\"", file.created_at_ms);
  }
  auto playback = TRY(services.renditions.playback(file));
  return http::file_answer(
      request, std::move(playback.fd), playback.size_bytes, playback.original ? type : "audio/mp4",
      playback.original ? "\"" + tag + "\"" : "\"" + tag + "-playback\"", file.created_at_ms);
}

void add_file_routes(http::Router& router, Services& services) {
  const auto bind = [&services](Answer (*handler)(Services&, const Request&)) {
    return [&services, handler](Request& request) { return handler(services, request); };
  };
  http::Route uploads{"POST", "/api/v1/files",
                      [&services](Request& request) { return upload(services, request); }};
  uploads.receive = [&services](Request& request) {
    return Upload::begin(services, request, {.fields = {"title"}});
  };
  uploads.slow = true;  // ffprobe
  router.add(std::move(uploads));
  router.post("/api/v1/files:import-url", bind(import_url));
  http::Route videos{"POST", "/api/v1/files:import-youtube", bind(import_youtube)};
  videos.slow = true;  // starts a program
  router.add(std::move(videos));
  router.get("/api/v1/files", bind(list));
  router.get("/api/v1/files/{id}", bind(show));
  router.add({"PATCH", "/api/v1/files/{id}", bind(rename)});
  router.add({"DELETE", "/api/v1/files/{id}", bind(remove)});
  router.post("/api/v1/files/{id}:restore", bind(restore));
  for (const auto& [name, handler] : {std::pair("audio", &audio), std::pair("waveform", &waveform)}) {
    http::Route made{"GET", fmt::format("/api/v1/files/{{id}}/{}", name), bind(handler)};
    made.slow = true;  // ffmpeg, once for each recording
    router.add(std::move(made));
  }
}

}  // namespace hansard::api::v1
