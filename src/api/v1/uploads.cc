// Recordings in parts.

#include <fmt/format.h>

#include "api/v1/common.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/spelling.h"
#include "library/uploads.h"

namespace hansard::api::v1 {
namespace {

using library::UploadPart;

constexpr std::string_view kBase = "/api/v1/uploads";

bj::object part_json(const UploadPart& part) {
  return {{"number", part.number}, {"size_bytes", part.size_bytes}, {"sha256", part.sha256}};
}

bj::object upload_json(const library::Upload& upload) {
  int64_t received = 0;
  bj::array parts;
  for (const UploadPart& part : upload.parts) {
    received += part.size_bytes;
    parts.push_back(part_json(part));
  }
  const int64_t expires_ms = upload.created_at_ms + std::chrono::milliseconds(limits::kUploadAge).count();
  bj::object json{{"id", upload.id}, {"name", upload.name}};
  json["title"] = text_or_null(upload.title);
  json["size_bytes"] = upload.size_bytes;
  json["sha256"] = text_or_null(upload.sha256);
  json["part_bytes"] = upload.part_bytes;
  json["part_count"] = upload.part_count();
  json["received_bytes"] = received;
  json["parts"] = std::move(parts);
  json["created_at"] = format_time(upload.created_at_ms);
  json["expires_at"] = format_time(expires_ms);
  return json;
}

Outcome<library::Upload> existing_upload(store::Reader& reader, const Services& services,
                                         const Request& request) {
  auto upload = TRY(library::find_upload(reader, user_of(services, request), request.parameters.at(0)));
  if (!upload) return fail(Problem(404, "there is no such upload"));
  return std::move(*upload);
}

Outcome<library::Upload> existing_upload(Services& services, const Request& request) {
  return read<library::Upload>(
      services, [&](store::Reader& reader) { return existing_upload(reader, services, request); });
}

// One request at a time joins or deletes an upload.
Outcome<library::UploadsInWork::Hold> hold(Services& services, const Request& request) {
  auto held = services.uploads.hold(request.parameters.at(0));
  if (held) return std::move(*held);
  Problem problem(409, "another request is completing or deleting this upload");
  problem.headers.emplace_back("Retry-After", "1");
  return fail(std::move(problem));
}

Outcome<int64_t> size_field(const Services& services, const bj::object& body) {
  const bj::value* value = body.if_contains("size_bytes");
  boost::system::error_code error;
  const uint64_t size = value == nullptr ? 0 : value->to_number<uint64_t>(error);
  if (error || size == 0) {
    return fail(Problem(422, "must be the size of the file in bytes, at least 1", "size_bytes"));
  }
  if (size > services.upload_limit_bytes) {
    return fail(
        Problem(413, fmt::format("a file may have at most {} MB", services.upload_limit_bytes.load() >> 20),
                "size_bytes"));
  }
  return static_cast<int64_t>(size);
}

Outcome<std::optional<std::string>> checksum_field(const bj::object& body) {
  auto text = TRY(text_field(body, "sha256"));
  if (text && (text->size() != 64 || text->find_first_not_of("0123456789abcdef") != std::string::npos)) {
    return fail(Problem(422, "must be 64 lower-case hexadecimal digits", "sha256"));
  }
  return text;
}

Answer create(Services& services, const Request& request) {
  TRY(refuse_while_draining(services));
  const bj::object body = TRY(json_body(request, {"name", "size_bytes", "sha256", "title"}));
  const auto name = TRY(text_field(body, "name"));
  if (!name) return fail(Problem(422, "say what the file is called", "name"));
  library::Upload wanted;
  wanted.user_id = user_of(services, request);
  wanted.name = *name;
  wanted.title = TRY(text_field(body, "title"));
  wanted.size_bytes = TRY(size_field(services, body));
  wanted.sha256 = TRY(checksum_field(body));
  TRY(refuse_beyond_storage(services, request, static_cast<uint64_t>(wanted.size_bytes)));
  return make_once(services, request, json::to_text(body), 201,
                   [&](store::Transaction& transaction) -> Outcome<Made> {
                     const library::Upload upload = TRY(library::add_upload(transaction, wanted));
                     return Made{fmt::format("{}/{}", kBase, upload.id), json::to_text(upload_json(upload))};
                   });
}

Answer show(Services& services, const Request& request) {
  return http::json_response(200, json::to_text(upload_json(TRY(existing_upload(services, request)))));
}

// A part's bytes as they come.
class PartReceiver : public http::Receiver {
 public:
  static Outcome<std::shared_ptr<http::Receiver>> begin(Services& services, const Request& request) {
    TRY(refuse_while_draining(services));
    const library::Upload upload = TRY(existing_upload(services, request));
    // 0 is no part's.
    const int64_t number = parse_integer(request.parameters.at(1)).value_or(0);
    if (number < 1 || number > upload.part_count()) {
      return fail(
          Problem(422, fmt::format("must be the number of a part, 1 to {}", upload.part_count()), "n"));
    }
    const int64_t size_bytes = upload.bytes_of_part(number);
    if (request.content_length && *request.content_length != static_cast<uint64_t>(size_bytes)) {
      return fail(wrong_size(number, size_bytes));
    }
    auto part = TRY(library::IncomingPart::begin(services.blobs, upload, number));
    return std::shared_ptr<http::Receiver>(new PartReceiver(std::move(part), number, size_bytes));
  }

  Outcome<void> take(std::string_view bytes) override {
    if (part_->size_bytes() + static_cast<int64_t>(bytes.size()) > size_bytes_) {
      return fail(wrong_size(number_, size_bytes_));
    }
    TRY(part_->append(bytes));
    return {};
  }
  Outcome<void> finish() override {
    if (part_->size_bytes() != size_bytes_) return fail(wrong_size(number_, size_bytes_));
    return {};
  }
  Outcome<UploadPart> keep(store::Store& store) { return TRY(part_->finish(store)); }

 private:
  PartReceiver(std::unique_ptr<library::IncomingPart> part, int64_t number, int64_t size_bytes)
      : part_(std::move(part)), number_(number), size_bytes_(size_bytes) {}

  static Problem wrong_size(int64_t number, int64_t size_bytes) {
    return {422, fmt::format("part {} of this upload has {} bytes", number, size_bytes), "size_bytes"};
  }

  std::unique_ptr<library::IncomingPart> part_;
  const int64_t number_;
  const int64_t size_bytes_;
};

Answer put_part(Services& services, const Request& request) {
  const UploadPart part = TRY(dynamic_cast<PartReceiver&>(*request.receiver).keep(services.store));
  return http::json_response(200, json::to_text(part_json(part)));
}

// The file that this upload became earlier.
Answer completed_before(Services& services, const Request& request) {
  const auto file = TRY(read<std::optional<library::File>>(
      services, [&](store::Reader& reader) -> Outcome<std::optional<library::File>> {
        return TRY(library::find_file(reader, user_of(services, request),
                                      library::file_id_of_upload(request.parameters.at(0))));
      }));
  if (!file) return fail(Problem(404, "there is no such upload"));
  Response response = http::json_response(200, json::to_text(to_json(*file)));
  response.with("Location", "/api/v1/files/" + file->id);
  return response;
}

Answer complete(Services& services, const Request& request) {
  TRY(refuse_while_draining(services));
  TRY(json_body(request, {}));
  const auto held = TRY(hold(services, request));
  const auto upload = existing_upload(services, request);
  if (!upload && upload.error().status == 404) return completed_before(services, request);
  if (!upload) return fail(upload.error());
  auto incoming = library::assemble(services.blobs, *upload);
  if (!incoming) {
    Problem problem(incoming.error());
    if (incoming.error().code == ErrorCode::invalid_request) problem.field = "sha256";
    return fail(std::move(problem));
  }
  const library::File file =
      TRY((*incoming)->finish(upload->user_id, upload->title.value_or(""), upload->name));
  const auto body =
      TRY(write<std::string>(services, [&](store::Transaction& transaction) -> Outcome<std::string> {
        TRY(library::insert_file(transaction, file));
        TRY(library::transcribe_if_wanted(transaction, file, services.queue_limits));
        TRY(library::remove_upload(transaction, upload->id));
        return json::to_text(to_json(*TRY(library::find_file(transaction, file.user_id, file.id))));
      }));
  (*incoming)->keep();
  library::erase_parts(services.blobs, *upload);
  Response response = http::json_response(201, body);
  response.with("Location", "/api/v1/files/" + file.id);
  return response;
}

Answer remove(Services& services, const Request& request) {
  const auto held = TRY(hold(services, request));
  library::Upload upload;
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    upload = TRY(existing_upload(transaction, services, request));
    TRY(library::remove_upload(transaction, upload.id));
    return true;
  }));
  library::erase_parts(services.blobs, upload);
  return http::text_response(204, "application/json", "");
}

}  // namespace

void add_upload_routes(http::Router& router, Services& services) {
  const auto bind = [&services](Answer (*handler)(Services&, const Request&)) {
    return [&services, handler](Request& request) { return handler(services, request); };
  };
  const std::string base(kBase);
  router.post(base, bind(create));
  router.get(base + "/{id}", bind(show));
  router.add({"DELETE", base + "/{id}", bind(remove)});
  http::Route parts{"PUT", base + "/{id}/parts/{n}", bind(put_part)};
  parts.receive = [&services](Request& request) { return PartReceiver::begin(services, request); };
  router.add(std::move(parts));
  http::Route completing{"POST", base + "/{id}:complete", bind(complete)};
  completing.slow = true;
  router.add(std::move(completing));
}

}  // namespace hansard::api::v1
