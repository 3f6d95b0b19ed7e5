// Transcripts: reading them in every form, and working on them.

#include <fmt/format.h>

#include "api/v1/common.h"
#include "base/clock.h"
#include "base/spelling.h"
#include "http/field.h"
#include "http/range.h"
#include "library/versions.h"
#include "transcript/edit.h"
#include "transcript/exports.h"

namespace hansard::api::v1 {
namespace {

using jobs::Job;
using jobs::Status;
using transcript::Document;
using transcript::Edited;
using transcript::Format;

// Segments that one request may name.
constexpr size_t kMostChanges = 1000;

// ---- reading

struct TranscriptFormat {
  std::string_view name;  // as a client writes it
  Format format;
  std::string_view content_type;
};
constexpr std::array kFormats{
    TranscriptFormat{"json", Format::json, "application/json"},
    TranscriptFormat{"text", Format::txt, "text/plain; charset=utf-8"},
    TranscriptFormat{"srt", Format::srt, "application/x-subrip; charset=utf-8"},
    TranscriptFormat{"vtt", Format::vtt, "text/vtt; charset=utf-8"},
    TranscriptFormat{"md", Format::md, "text/markdown; charset=utf-8"},
    TranscriptFormat{"tsv", Format::tsv, "text/tab-separated-values; charset=utf-8"},
    TranscriptFormat{"csv", Format::csv, "text/csv; charset=utf-8"},
    TranscriptFormat{"rttm", Format::rttm, "text/x-rttm; charset=utf-8"},
    TranscriptFormat{"docx", Format::docx,
                     "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}};

// The format that an Accept header likes best, of equals the first; JSON where it names none of ours.
TranscriptFormat accepted_format(std::string_view accept) {
  TranscriptFormat best = kFormats.front();
  double best_quality = 0;
  while (!accept.empty()) {
    std::string_view parameters = http::take_element(accept);
    const std::string_view type = http::take_element(parameters, ';');
    const double quality = http::quality(parameters).value_or(0);
    if (quality <= best_quality) continue;
    for (const TranscriptFormat& format : kFormats) {
      if (type != format.content_type.substr(0, format.content_type.find(';')) &&
          !(type == "*/*" && format.format == Format::json)) {
        continue;
      }
      best = format;
      best_quality = quality;
    }
  }
  return best;
}

// By ?format=, else by Accept.
Outcome<TranscriptFormat> wanted_format(const Request& request) {
  const auto name = request.query_value("format");
  if (!name) return accepted_format(request.header("accept").value_or(""));
  for (const TranscriptFormat& format : kFormats) {
    if (format.name == *name) return format;
  }
  return fail(Problem(422, "must be json, text, srt, vtt, md, tsv, csv, docx or rttm", "format"));
}

// The segments of a running job that are final.
transcript::Document partial_document(const Services& services, const Job& job) {
  transcript::Document document;
  document.transcription_id = job.id;
  document.title = job.title;
  document.language = job.language.value_or("");
  if (auto live = services.hub.live(job.id)) {
    document.segments = std::move(live->segments);
    for (transcript::Segment& segment : document.segments) segment.first_word = segment.word_count = 0;
  }
  if (!document.segments.empty()) document.duration_s = document.segments.back().end;
  return document;
}

// A transcription and a version of its transcript.
struct Known {
  Job job;
  std::optional<library::VersionDocument> version;  // nothing where it is not completed
};

// `number`: 0 for the newest.
Outcome<Known> known(Services& services, const Request& request, int64_t number) {
  return read<Known>(services, [&](store::Reader& reader) -> Outcome<Known> {
    Known result{TRY(existing_job(reader, services, request)), std::nullopt};
    if (result.job.status != Status::completed) return result;
    result.version = TRY(library::find_version(reader, result.job.id, number));
    if (!result.version) return fail(Problem(404, "there is no such version", "version"));
    return result;
  });
}

tl::unexpected<Problem> not_completed(const Job& job) {
  return fail(Problem(409, fmt::format("there is no transcript: it is {}", jobs::status_name(job.status))));
}

// JSON says nothing that changes with the transcription; the forms for people have its title.
std::string tag_of(const Job& job, int64_t version, const TranscriptFormat& format) {
  return etag_of(fmt::format("{}-v{}-{}", job.id, version, format.name),
                 format.format == Format::json ? 0 : job.updated_at_ms);
}

Outcome<int64_t> wanted_version(const Request& request) {
  const auto text = request.query_value("version");
  if (!text) return 0;
  const auto version = parse_integer(*text);
  if (!version || *version < 1) return fail(Problem(422, "must be the number of a version", "version"));
  return *version;
}

Outcome<bool> wants_partial(const Request& request) {
  const auto text = request.query_value("partial");
  if (text && *text != "true" && *text != "false")
    return fail(Problem(422, "must be true or false", "partial"));
  return text == "true";
}

Outcome<std::string> written(const Known& known, Format format) {
  if (format == Format::json) return known.version->document;
  Document document = TRY(transcript::from_json(known.version->document));
  document.title = known.job.title;
  document.date = format_time(known.job.completed_at_ms.value_or(0)).substr(0, 10);
  return transcript::export_document(document, format);
}

Answer show(Services& services, const Request& request) {
  const TranscriptFormat format = TRY(wanted_format(request));
  const int64_t number = TRY(wanted_version(request));
  const bool partial = TRY(wants_partial(request));
  const Known found = TRY(known(services, request, number));
  if (!found.version && !partial) return not_completed(found.job);
  auth::add_audit_later(
      services.store,
      audit_entry(request, format.format == Format::json ? "transcript.read" : "transcript.export",
                  found.job.id, std::string(format.name)));
  if (!found.version) {
    const Document so_far = partial_document(services, found.job);
    return http::text_response(200, format.content_type, transcript::export_document(so_far, format.format));
  }
  const std::string etag = tag_of(found.job, found.version->number, format);
  const auto same = request.header("if-none-match");
  const bool unchanged = same && http::names_etag(*same, etag);
  Response response = http::text_response(unchanged ? 304 : 200, format.content_type,
                                          unchanged ? "" : TRY(written(found, format.format)));
  response.with("ETag", etag).with("Cache-Control", "no-cache").with("Vary", "Accept");
  return response;
}

Answer versions(Services& services, const Request& request) {
  const auto found = TRY(read<std::vector<library::Version>>(
      services, [&](store::Reader& reader) -> Outcome<std::vector<library::Version>> {
        const Job job = TRY(existing_job(reader, services, request));
        return TRY(library::list_versions(reader, job.id));
      }));
  bj::array items;
  for (const library::Version& version : found) {
    bj::object item{{"version", version.number}, {"kind", version.by_machine ? "machine" : "edit"}};
    item["created_by"] = text_or_null(version.created_by);
    item["created_at"] = format_time(version.created_at_ms);
    items.push_back(std::move(item));
  }
  return http::json_response(200, page_json(std::move(items)));
}

// ---- working on them

Answer edited_answer(const Job& job, int64_t number, std::string document) {
  Response response = http::json_response(200, std::move(document));
  response.with("ETag", tag_of(job, number, kFormats.front())).with("Cache-Control", "no-cache");
  return response;
}

// Adds what `change` makes of the newest version as a version. It is computed outside of the transaction,
// which then holds it against what became the newest meanwhile: where that is another one, all is done again
// upon it, or refused to a client that has said which one it means.
using Change = std::function<Outcome<Document>(Document)>;
Answer edit(Services& services, const Request& request, const Change& change) {
  for (;;) {
    const Known before = TRY(known(services, request, 0));
    if (!before.version) return not_completed(before.job);
    const auto wanted = request.header("if-match");
    if (wanted && !http::names_etag(*wanted, tag_of(before.job, before.version->number, kFormats.front())))
      return fail(Problem(412, "the transcript has changed since you read it; read it again"));
    Document document = TRY(transcript::from_json(before.version->document));
    document.transcription_id = before.job.id;
    const std::string json_before = transcript::to_json(document);
    const Document after = TRY(change(std::move(document)));
    std::string json_after = transcript::to_json(after);
    if (json_after == json_before)
      return edited_answer(before.job, before.version->number, std::move(json_after));
    using Number = std::optional<int64_t>;
    const Number number =
        TRY(write<Number>(services, [&](store::Transaction& transaction) -> Outcome<Number> {
          const Number added = TRY(library::add_version(transaction, before.job.user_id, before.job.id,
                                                        before.version->number, after));
          if (added) {
            TRY(auth::add_audit(transaction, audit_entry(request, "transcript.edit", before.job.id,
                                                         fmt::format("version {}", *added))));
          }
          return added;
        }));
    if (number) return edited_answer(before.job, *number, std::move(json_after));
  }
}

// The same with a change that says itself what is wrong with it.
template <typename Work>
Answer edit_with(Services& services, const Request& request, const Work& work) {
  return edit(services, request, [&](Document document) -> Outcome<Document> {
    Edited edited = work(std::move(document));
    if (!edited) return fail(Problem(422, edited.error().message, edited.error().field));
    return std::move(*edited);
  });
}

// Text that may be empty; nothing where the field is not there.
Outcome<std::optional<std::string>> any_text(const bj::object& object, std::string_view name,
                                             const std::string& field) {
  const bj::value* value = object.if_contains(name);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return fail(Problem(422, "must be text", field));
  return std::optional(std::string(std::string_view(value->get_string())));
}

Outcome<std::string> needed_text(const bj::object& object, std::string_view name) {
  auto text = TRY(any_text(object, name, std::string(name)));
  if (!text) return fail(Problem(422, "must be there", std::string(name)));
  return std::move(*text);
}

Outcome<const bj::array*> needed_array(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_array() || value->get_array().empty())
    return fail(Problem(422, "must be an array with something in it", std::string(name)));
  if (value->get_array().size() > kMostChanges)
    return fail(Problem(422, fmt::format("must be at most {}", kMostChanges), std::string(name)));
  return &value->get_array();
}

Outcome<transcript::SegmentChange> change_from(const bj::value& value, const std::string& field) {
  if (!value.is_object()) return fail(Problem(422, "must be an object", field));
  const bj::object& object = value.get_object();
  for (const auto& one : object) {
    const std::string_view name = one.key();
    if (name != "id" && name != "text" && name != "speaker")
      return fail(Problem(400, "there is no such field", fmt::format("{}.{}", field, name)));
  }
  auto id = TRY(any_text(object, "id", field + ".id"));
  if (!id) return fail(Problem(422, "must be there", field + ".id"));
  return transcript::SegmentChange{std::move(*id), TRY(any_text(object, "text", field + ".text")),
                                   TRY(any_text(object, "speaker", field + ".speaker"))};
}

Answer change_segments(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"segments"}));
  std::vector<transcript::SegmentChange> changes;
  for (const bj::value& value : *TRY(needed_array(body, "segments")))
    changes.push_back(TRY(change_from(value, fmt::format("segments[{}]", changes.size()))));
  return edit_with(services, request, [&](Document document) {
    return transcript::change_segments(std::move(document), changes);
  });
}

Answer split(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"segment", "word", "time"}));
  const std::string segment = TRY(needed_text(body, "segment"));
  const bj::value* word = body.if_contains("word");
  const bj::value* time = body.if_contains("time");
  if ((word == nullptr) == (time == nullptr))
    return fail(Problem(422, "say where: by the word that the second part begins with, or by time", "word"));
  boost::system::error_code error;
  if (word != nullptr) {
    const auto place = word->to_number<size_t>(error);
    if (error) return fail(Problem(422, "must be a whole number", "word"));
    return edit_with(services, request, [&](Document document) {
      return transcript::split_segment(std::move(document), segment, place);
    });
  }
  const auto time_s = time->to_number<double>(error);
  if (error) return fail(Problem(422, "must be a number of seconds", "time"));
  return edit_with(services, request, [&](Document document) {
    return transcript::split_segment_at(std::move(document), segment, time_s);
  });
}

Answer join(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"segments"}));
  std::vector<std::string> ids;
  for (const bj::value& value : *TRY(needed_array(body, "segments"))) {
    if (!value.is_string())
      return fail(Problem(422, "must be a segment's id", fmt::format("segments[{}]", ids.size())));
    ids.emplace_back(std::string_view(value.get_string()));
  }
  return edit_with(services, request,
                   [&](Document document) { return transcript::join_segments(std::move(document), ids); });
}

Answer restore(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"version"}));
  const bj::value* value = body.if_contains("version");
  boost::system::error_code error;
  const int64_t number = value == nullptr ? 0 : value->to_number<int64_t>(error);
  if (error || number < 1) return fail(Problem(422, "must be the number of a version", "version"));
  return edit(services, request, [&](const Document& newest) -> Outcome<Document> {
    const Known wanted = TRY(known(services, request, number));
    if (!wanted.version) return not_completed(wanted.job);
    Document document = TRY(transcript::from_json(wanted.version->document));
    document.transcription_id = newest.transcription_id;
    return document;
  });
}

Answer name_speakers(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request));
  std::map<std::string, std::string> names;
  for (const auto& field : body) {
    const std::string id(std::string_view(field.key()));
    if (field.value().is_null()) {
      names[id] = "";
    } else {
      names[id] = TRY(needed_text(body, id));
    }
  }
  return edit_with(services, request,
                   [&](Document document) { return transcript::name_speakers(std::move(document), names); });
}

Answer merge_speakers(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"from", "into"}));
  const std::string from = TRY(needed_text(body, "from"));
  const std::string into = TRY(needed_text(body, "into"));
  return edit_with(services, request, [&](Document document) {
    return transcript::merge_speakers(std::move(document), from, into);
  });
}

}  // namespace

void add_transcript_routes(http::Router& router, Services& services) {
  const std::string transcript = "/api/v1/transcriptions/{id}/transcript";
  const std::string speakers = "/api/v1/transcriptions/{id}/speakers";
  router.get(transcript, bind(services, show));
  router.add({"PATCH", transcript, bind(services, change_segments)});
  router.get(transcript + "/versions", bind(services, versions));
  router.post(transcript + ":split", bind(services, split));
  router.post(transcript + ":join", bind(services, join));
  router.post(transcript + ":restore", bind(services, restore));
  router.add({"PATCH", speakers, bind(services, name_speakers)});
  router.post(speakers + ":merge", bind(services, merge_speakers));
}

}  // namespace hansard::api::v1
