#include "http/multipart.h"

#include <algorithm>
#include <optional>

#include "base/limits.h"
#include "base/spelling.h"
#include "http/field.h"

namespace hansard::http {
namespace {

// The value of `name` in "type; name=value; name2=\"value\"": browsers escape only quotes, as %22.
std::optional<std::string> parameter_of(std::string_view header, std::string_view name) {
  size_t at = header.find(';');
  while (at != std::string_view::npos) {
    ++at;
    const size_t equals = header.find('=', at);
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string key = lower(trim(header.substr(at, equals - at)));
    std::string value;
    at = equals + 1;
    while (at < header.size() && header[at] == ' ') ++at;
    if (at < header.size() && header[at] == '"') {
      for (++at; at < header.size() && header[at] != '"'; ++at) {
        if (header[at] == '\\' && at + 1 < header.size() &&
            (header[at + 1] == '"' || header[at + 1] == '\\')) {
          ++at;
        }
        value += header[at];
      }
      if (at == header.size()) return std::nullopt;
      at = header.find(';', at);
    } else {
      const size_t end = header.find(';', at);
      value = trim(header.substr(at, end == std::string_view::npos ? end : end - at));
      at = end;
    }
    if (key == name) return value;
  }
  return std::nullopt;
}

}  // namespace

Outcome<std::string> multipart_boundary(std::string_view content_type) {
  if (lower(trim(content_type.substr(0, content_type.find(';')))) != "multipart/form-data") {
    return fail(Problem(415, "send the file as multipart/form-data"));
  }
  const auto boundary = parameter_of(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) {
    return fail(Problem(400, "the Content-Type multipart/form-data names no usable boundary"));
  }
  return *boundary;
}

// The body is read as if it began with a line end, so that every delimiter is the same.
MultipartParser::MultipartParser(std::string boundary, PartHandler& handler)
    : delimiter_("\r\n--" + std::move(boundary)), handler_(handler), held_("\r\n") {}

Outcome<void> MultipartParser::take(std::string_view bytes) {
  if (state_ == State::epilogue) return {};
  held_ += bytes;
  for (bool more = true; more;) TRY(step(more));
  return {};
}

Outcome<void> MultipartParser::finish() {
  if (state_ != State::epilogue) return fail(Problem(400, "the multipart body breaks off"));
  return {};
}

Outcome<void> MultipartParser::step(bool& more) {
  more = false;
  switch (state_) {
    case State::preamble:
    case State::body: {
      const size_t found = held_.find(delimiter_);
      // The last bytes may be the beginning of a delimiter.
      const size_t sure = found != std::string::npos         ? found
                          : held_.size() < delimiter_.size() ? 0
                                                             : held_.size() - delimiter_.size() + 1;
      if (state_ == State::body && sure > 0) TRY(handler_.data(std::string_view(held_).substr(0, sure)));
      if (state_ == State::preamble && sure > limits::kPartHeaderBytes) {
        return fail(
            Problem(400, "the multipart body has no part of the boundary that its Content-Type names"));
      }
      if (found == std::string::npos) {
        if (state_ == State::body) held_.erase(0, sure);
        return {};
      }
      if (state_ == State::body) TRY(handler_.end());
      held_.erase(0, found + delimiter_.size());
      state_ = State::after_boundary;
      more = true;
      return {};
    }
    case State::after_boundary: {
      if (held_.size() < 2) return {};
      if (held_.starts_with("--")) {
        state_ = State::epilogue;
        held_.clear();
        return {};
      }
      const size_t line_end = held_.find("\r\n");
      if (line_end == std::string::npos) {
        if (held_.size() > limits::kPartHeaderBytes)
          return fail(Problem(400, "the multipart body is not well formed"));
        return {};
      }
      if (!trim(std::string_view(held_).substr(0, line_end)).empty()) {
        return fail(Problem(400, "the multipart body is not well formed"));
      }
      // The line end stays, so that a part without headers ends them at once.
      held_.erase(0, line_end);
      state_ = State::headers;
      more = true;
      return {};
    }
    case State::headers: {
      const size_t end = held_.find("\r\n\r\n");
      if (end > limits::kPartHeaderBytes && held_.size() > limits::kPartHeaderBytes) {
        return fail(Problem(413, "the headers of a part of the body are too long"));
      }
      if (end == std::string::npos) return {};
      TRY(begin_part(std::string_view(held_).substr(0, end + 2)));
      // The line end before the body stays: a delimiter may follow at once.
      held_.erase(0, end + 4);
      state_ = State::body;
      held_.insert(0, "");
      more = true;
      return {};
    }
    case State::epilogue:
      return {};
  }
  return {};
}

Outcome<void> MultipartParser::begin_part(std::string_view headers) {
  if (++parts_ > limits::kMultipartParts) return fail(Problem(413, "the body has too many parts"));
  Part part;
  bool disposed = false;
  while (!headers.empty()) {
    const size_t line_end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, line_end);
    headers.remove_prefix(line_end + 2);
    const size_t colon = line.find(':');
    if (line.empty()) continue;
    if (colon == std::string_view::npos) return fail(Problem(400, "a part of the body has a broken header"));
    const std::string name = lower(trim(line.substr(0, colon)));
    const std::string_view value = trim(line.substr(colon + 1));
    if (name == "content-disposition") {
      const auto field = parameter_of(value, "name");
      if (!field) return fail(Problem(400, "a part of the body has no name"));
      part.name = *field;
      part.file_name = parameter_of(value, "filename").value_or("");
      disposed = true;
    } else if (name == "content-type") {
      part.content_type = value;
    }
  }
  if (!disposed) return fail(Problem(400, "a part of the body has no Content-Disposition"));
  return handler_.begin(part);
}

}  // namespace hansard::http
