// What the handlers share: who asks, bodies, pages, and resources as JSON.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "api/v1/access.h"
#include "api/v1/api.h"
#include "auth/audit.h"
#include "base/json.h"
#include "http/message.h"
#include "http/multipart.h"
#include "jobs/options.h"
#include "library/files.h"
#include "library/idempotency.h"
#include "library/profiles.h"
#include "library/transcriptions.h"

namespace hansard::api::v1 {

namespace bj = json::bj;
using http::Answer;
using http::Outcome;
using http::Problem;
using http::Request;
using http::Response;

// ---- requests

// The user of a request, as access.h found out.
std::string user_of(const Services& services, const Request& request);

// A JSON object with no field but these; an empty body is an empty object. 400 naming the field, 415 for
// another type.
Outcome<bj::object> json_body(const Request& request, const std::set<std::string_view>& fields);
// The same, whose fields are the caller's to look at.
Outcome<bj::object> json_body(const Request& request);
// Text of at most 500 characters with something in it; nothing where the field is not there.
Outcome<std::optional<std::string>> text_field(const bj::object& body, std::string_view name);

// True or false; nothing where the field is not there.
Outcome<std::optional<bool>> truth_field(const bj::object& body, std::string_view name);

// An address over http or https that may be asked for others; required. What its name stands for is found out
// when it is asked.
Outcome<std::string> url_field(const Services& services, const bj::object& body);

// A whole number from 1 to `most`; `name` of the field in problems.
Outcome<int64_t> count_of(std::string_view text, std::string_view name, int64_t most);
// The same in the query, `otherwise` where it is not there.
Outcome<int64_t> number_of(const Request& request, std::string_view name, int64_t otherwise, int64_t most);
// How many items a page of a list may have.
Outcome<int64_t> limit_of(const Request& request);

// limit, cursor and sort of a list.
Outcome<library::Page> page_of(const Request& request);
// {"items", "next_cursor"}
std::string page_json(bj::array items, const std::optional<std::string>& next_cursor = std::nullopt);
template <typename T>
library::Page page_after(const library::Page& page, const T& last) {
  library::Page next = page;
  next.after_id = last.id;
  switch (page.sort.by) {
    case library::SortBy::created_at:
      next.after_key = last.created_at_ms;
      break;
    case library::SortBy::updated_at:
      next.after_key = last.updated_at_ms;
      break;
    case library::SortBy::title:
      if constexpr (requires { last.title; }) next.after_key = last.title;
      break;
  }
  return next;
}
// Of the next page: there is one when there are as many items as a page may hold.
template <typename T>
std::optional<std::string> cursor_after(const library::Page& page, const std::vector<T>& items) {
  if (static_cast<int64_t>(items.size()) < page.limit) return std::nullopt;
  return library::make_cursor(page_after(page, items.back()));
}

// A part of the audit log: that the caller does this. In a transaction, or as something that is only read.
auth::AuditEntry audit_entry(const Request& request, std::string action, std::string subject,
                             std::string detail = {});

// 503 while the server takes no new work.
Outcome<void> refuse_while_draining(const Services& services);
// 429 where the caller may queue no more now; `duration_s` of the recording, where it is known. In the
// transaction that queues, and before a body that is large.
Outcome<void> refuse_when_full(const Services& services, const Request& request, store::Reader& reader,
                               std::optional<double> duration_s);
// 507 where the caller's recordings would take more than one user's may.
Outcome<void> refuse_beyond_storage(Services& services, const Request& request, uint64_t size_bytes);

// ---- answers

inline constexpr std::string_view kNoYoutube =
    "this server cannot ask YouTube: yt-dlp is not installed there";

bj::value text_or_null(const std::optional<std::string>& text);
bj::value time_or_null(const std::optional<int64_t>& time_ms);
bj::value number_or_null(const std::optional<double>& number);  // to thousandths
bj::value integer_or_null(const std::optional<int64_t>& number);

std::string etag_of(std::string_view id, int64_t updated_at_ms);
// 200 with an ETag, or 304 where the client has it and only looks.
Response resource(const Request& request, std::string_view id, int64_t updated_at_ms, const bj::object& body);
// 412 where If-Match names another state.
Outcome<void> check_match(const Request& request, std::string_view id, int64_t updated_at_ms);

bj::object to_json(const library::File& file);
bj::object to_json(const Services& services, const jobs::Job& job, std::optional<int64_t> queue_position);

// ---- work

// The transcription that a request's path names, of its user; 404 where there is none.
Outcome<jobs::Job> existing_job(store::Reader& reader, const Services& services, const Request& request);

// Reads and writes whose work may end in a problem.
template <typename T, typename Work>
Outcome<T> read(Services& services, Work work) {
  std::optional<Outcome<T>> outcome;
  TRY(services.store.read([&](store::Reader& reader) -> Result<void> {
    outcome = work(reader);
    return {};
  }));
  return std::move(*outcome);
}
// A problem undoes what the work wrote.
template <typename T, typename Work>
Outcome<T> write(Services& services, Work work) {
  std::optional<Outcome<T>> outcome;
  const Result<void> written = services.store.write([&](store::Transaction& transaction) -> Result<void> {
    outcome = work(transaction);
    if (!*outcome) return fail(ErrorCode::conflict, "undone");
    return {};
  });
  if (outcome && !*outcome) return std::move(*outcome);
  if (!written) return fail(Problem(written.error()));
  return std::move(*outcome);
}

// What a request made: where it is, and how it is answered.
struct Made {
  std::string location;
  std::string body;
};
// Answers a request that makes something with `status`, a Location and what `make` gives, which writes it in
// a transaction. With an Idempotency-Key the same request gets the same answer again, from the database, and
// nothing is made. `fingerprint`: all that is asked, the same for the same request. 409 where the key stands
// for another request, or the same one is in work.
using Make = std::function<Outcome<Made>(store::Transaction&)>;
Answer make_once(Services& services, const Request& request, std::string_view fingerprint, int status,
                 const Make& make);

// What a form with a file may have.
struct FormShape {
  std::string_view file = "file";     // the field of the file
  std::set<std::string_view> fields;  // names of the plain ones
  bool ignores_others = false;        // fields of other names are read over, not refused
};

// A form with a file, as it comes.
class Upload : public http::Receiver, private http::PartHandler {
 public:
  static Outcome<std::shared_ptr<http::Receiver>> begin(Services& services, const Request& request,
                                                        FormShape shape);
  Outcome<void> take(std::string_view bytes) override;
  Outcome<void> finish() override;

  // The file with its facts; its row is the caller's to write, then keep(). Once.
  Outcome<library::File> file(std::string_view user_id);
  void keep() { incoming_->keep(); }
  // What it says last; nothing where it is not there.
  std::optional<std::string> field(std::string_view name) const;
  // Of a field that may be there more than once, in order.
  std::vector<std::string> values(std::string_view name) const;
  // All fields and the file's checksum; after file().
  std::string fingerprint(const library::File& file) const;

 private:
  Upload(Services& services, std::string boundary, FormShape shape);
  Outcome<void> begin(const http::Part& part) override;
  Outcome<void> data(std::string_view bytes) override;
  Outcome<void> end() override;

  Services& services_;
  FormShape shape_;
  http::MultipartParser parser_;
  std::unique_ptr<library::Incoming> incoming_;
  std::string file_name_;
  std::map<std::string, std::vector<std::string>, std::less<>> fields_;
  std::string* field_ = nullptr;  // the part in work; null: the file
  std::string ignored_;           // a part that nobody reads
};

// The form of a recording that is to be queued with it: refused before its body is taken where the queue is
// full.
Outcome<std::shared_ptr<http::Receiver>> begin_queued_upload(Services& services, const Request& request,
                                                             FormShape shape);

// What is to be transcribed: options checked, `field` before their names in problems ("options").
Outcome<jobs::JobOptions> check_options(const Services& services, const bj::object& options);
// Field by field: what is given, else the profile's (the named one, or the user's default), else the
// defaults. 422 where the user has no such profile.
Outcome<jobs::JobOptions> resolve_options(Services& services, const Request& request,
                                          const std::optional<std::string>& profile_id,
                                          const bj::object& given);

// A recording as an answer, ranges and all.
Answer audio_of(Services& services, const Request& request, const library::File& file);

using Bound = Answer (*)(Services&, const Request&);
inline http::Handler bind(Services& services, Bound handler) {
  return [&services, handler](Request& request) { return handler(services, request); };
}

void add_auth_routes(http::Router& router, Services& services);
void add_key_routes(http::Router& router, Services& services);
void add_admin_routes(http::Router& router, Services& services);
void add_profile_routes(http::Router& router, Services& services);
void add_system_routes(http::Router& router, Services& services);
void add_file_routes(http::Router& router, Services& services);
void add_model_routes(http::Router& router, Services& services);
void add_upload_routes(http::Router& router, Services& services);
void add_webhook_routes(http::Router& router, Services& services);
void add_transcription_routes(http::Router& router, Services& services);
void add_export_routes(http::Router& router, Services& services);
void add_transcript_routes(http::Router& router, Services& services);
void add_search_routes(http::Router& router, Services& services);
void add_event_routes(http::Router& router, Services& services);

}  // namespace hansard::api::v1
