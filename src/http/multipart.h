// multipart/form-data (RFC 7578) as it comes, piece by piece: constant memory whatever the body's size.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "http/problem.h"

namespace hansard::http {

struct Part {
  std::string name;
  std::string file_name;     // empty where it is a plain field
  std::string content_type;  // as the client says
};

// What to do with the parts, in the order in which they come.
class PartHandler {
 public:
  virtual ~PartHandler() = default;
  virtual Outcome<void> begin(const Part& part) = 0;
  virtual Outcome<void> data(std::string_view bytes) = 0;
  virtual Outcome<void> end() = 0;
};

// The boundary of a Content-Type. Errors: 415 where it is another type, 400 where it names no boundary.
Outcome<std::string> multipart_boundary(std::string_view content_type);

// Problems: 400 for what is not well formed, 413 for too many parts or too long part headers, and the
// handler's own.
class MultipartParser {
 public:
  MultipartParser(std::string boundary, PartHandler& handler);
  Outcome<void> take(std::string_view bytes);
  // The body is over: 400 where it broke off.
  Outcome<void> finish();

 private:
  enum class State { preamble, after_boundary, headers, body, epilogue };

  Outcome<void> step(bool& more);
  Outcome<void> begin_part(std::string_view headers);

  std::string delimiter_;  // "\r\n--boundary"
  PartHandler& handler_;
  std::string held_;  // not yet understood: shorter than a delimiter, or than the longest headers
  State state_ = State::preamble;
  int parts_ = 0;
};

}  // namespace hansard::http
