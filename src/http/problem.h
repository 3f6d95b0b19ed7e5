// What a client reads when it cannot have what it asked for. One table gives each status its code, one each
// kind of error its status.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hansard::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Problem {
  int status = 500;
  std::string message;               // for anyone: no path, no token
  std::optional<std::string> field;  // dotted: "options.language"
  std::string code;                  // for routes that have codes of their own
  std::string detail;                // for the log alone
  Headers headers;                   // "Retry-After", "Allow", …

  Problem(int http_status, std::string text, std::optional<std::string> which = std::nullopt)
      : status(http_status), message(std::move(text)), field(std::move(which)) {}
  // What went wrong inside gets a message that says nothing of it; the detail keeps what it was.
  Problem(Error error);  // NOLINT(google-explicit-constructor): TRY turns errors into problems
};

template <typename T>
using Outcome = tl::expected<T, Problem>;

Problem nothing_there();  // at the address that was asked

std::string_view problem_code(int status);  // "NOT_FOUND"; "INTERNAL" for what the table does not hold
std::string_view status_phrase(int status);

// {"error":{"code","message","field","request_id"}}
std::string problem_body(const Problem& problem, std::string_view request_id);

}  // namespace hansard::http

namespace hansard {

inline tl::unexpected<http::Problem> fail(http::Problem problem) {
  return tl::unexpected<http::Problem>(std::move(problem));
}

}  // namespace hansard
