#include "http/problem.h"

#include <algorithm>
#include <array>

#include "base/json.h"

namespace hansard::http {
namespace {

struct Status {
  int number;
  std::string_view code;  // of the error; empty for what is none
  std::string_view phrase;
};

constexpr std::array<Status, 29> kStatuses{{{200, "", "OK"},
                                            {201, "", "Created"},
                                            {202, "", "Accepted"},
                                            {204, "", "No Content"},
                                            {206, "", "Partial Content"},
                                            {304, "", "Not Modified"},
                                            {400, "INVALID_REQUEST", "Bad Request"},
                                            {401, "UNAUTHORIZED", "Unauthorized"},
                                            {403, "FORBIDDEN", "Forbidden"},
                                            {404, "NOT_FOUND", "Not Found"},
                                            {405, "METHOD_NOT_ALLOWED", "Method Not Allowed"},
                                            {408, "REQUEST_TIMEOUT", "Request Timeout"},
                                            {409, "CONFLICT", "Conflict"},
                                            {411, "INVALID_REQUEST", "Length Required"},
                                            {412, "PRECONDITION_FAILED", "Precondition Failed"},
                                            {413, "PAYLOAD_TOO_LARGE", "Content Too Large"},
                                            {414, "URI_TOO_LONG", "URI Too Long"},
                                            {415, "UNSUPPORTED_MEDIA", "Unsupported Media Type"},
                                            {416, "RANGE_NOT_SATISFIABLE", "Range Not Satisfiable"},
                                            {417, "INVALID_REQUEST", "Expectation Failed"},
                                            {421, "MISDIRECTED", "Misdirected Request"},
                                            {422, "UNPROCESSABLE", "Unprocessable Content"},
                                            {429, "RATE_LIMITED", "Too Many Requests"},
                                            {431, "HEADERS_TOO_LARGE", "Request Header Fields Too Large"},
                                            {500, "INTERNAL", "Internal Server Error"},
                                            {501, "NOT_IMPLEMENTED", "Not Implemented"},
                                            {503, "SERVICE_UNAVAILABLE", "Service Unavailable"},
                                            {505, "NOT_IMPLEMENTED", "HTTP Version Not Supported"},
                                            {507, "INSUFFICIENT_STORAGE", "Insufficient Storage"}}};

const Status* find_status(int number) {
  const auto* found =
      std::find_if(kStatuses.begin(), kStatuses.end(), [&](const Status& s) { return s.number == number; });
  return found == kStatuses.end() ? nullptr : found;
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_request:
    case ErrorCode::model_unknown:
    case ErrorCode::address_refused:
      return 422;
    case ErrorCode::not_found:
    case ErrorCode::unavailable:
      return 404;
    case ErrorCode::unsupported_media:
    case ErrorCode::media_unreadable:
      return 415;
    case ErrorCode::conflict:
      return 409;
    case ErrorCode::too_large:
      return 413;
    case ErrorCode::rate_limited:
      return 429;
    case ErrorCode::insufficient_storage:
      return 507;
    case ErrorCode::model_unavailable:
    case ErrorCode::canceled:
    case ErrorCode::network:
      return 503;
    case ErrorCode::permission_denied:
    case ErrorCode::access_denied:
    case ErrorCode::age_restricted:
      return 403;
    case ErrorCode::model_corrupt:
    case ErrorCode::out_of_memory:
    case ErrorCode::engine_crashed:
    case ErrorCode::engine_timeout:
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

}  // namespace

Problem::Problem(Error error) : status(status_of(error.code)), message(std::move(error.message)) {
  detail = std::move(error.detail);
  if (status == 500) {
    detail = detail.empty() ? message : message + ": " + detail;
    message = "something went wrong inside the server; its log says more under this request id";
  }
  if (status == 503 || status == 429) headers.emplace_back("Retry-After", "5");
}

Problem nothing_there() {
  return {404, "there is nothing at this address"};
}

std::string_view problem_code(int status) {
  const Status* known = find_status(status);
  return known == nullptr || known->code.empty() ? "INTERNAL" : known->code;
}

std::string_view status_phrase(int status) {
  const Status* known = find_status(status);
  return known == nullptr ? "Unknown" : known->phrase;
}

std::string problem_body(const Problem& problem, std::string_view request_id) {
  json::bj::object error{{"code", problem_code(problem.status)}, {"message", problem.message}};
  error["field"] = problem.field ? json::bj::value(*problem.field) : json::bj::value(nullptr);
  error["request_id"] = request_id;
  return json::to_text(json::bj::object{{"error", std::move(error)}});
}

}  // namespace hansard::http
