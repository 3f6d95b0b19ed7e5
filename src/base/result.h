// Result<T>: a value, or why there is none. For what a caller must expect; bugs assert, libraries' exceptions
// are caught at the border of the folder that uses the library.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace hansard {

// What kind of failure it was. Names as a client reads them: error_code_name().
enum class ErrorCode {
  invalid_request,    // the caller's words are off; the message says which and what is allowed
  not_found,          // no such input, model or row
  unsupported_media,  // not something ffmpeg can decode, or without sound
  media_unreadable,   // media that breaks off or cannot be decoded
  model_unknown,      // no model of that name
  model_unavailable,  // known, not installed, and not to be had now
  model_corrupt,      // installed, but its bytes are not those of the catalog
  out_of_memory,
  engine_crashed,  // the engine process ended, or broke the protocol
  engine_timeout,  // the engine process said nothing for too long
  canceled,
  insufficient_storage,  // a disk or quota is full
  permission_denied,
  network,          // a download failed in a way that may pass
  rate_limited,     // too much is asked at once; it may be asked again later
  conflict,         // something is there already, or in use
  unavailable,      // what an address names is not there, or not any more
  access_denied,    // what an address names is not for everyone
  age_restricted,   // it is given to those alone who say how old they are
  too_large,        // more than may be taken
  address_refused,  // an address that may not be asked: not a public one
  internal,         // a bug, or a failure that has no better name
};

std::string_view error_code_name(ErrorCode code);  // "MODEL_UNAVAILABLE"
std::optional<ErrorCode> parse_error_code(std::string_view name);

// An error has two texts: `message` may be read by anyone (one sentence, says what to do, holds no path but
// one the reader gave, no token, no command's output); `detail` is for the log alone.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  std::string detail;
};

template <typename T>
using Result = tl::expected<T, Error>;

// return fail(ErrorCode::not_found, "…"): an error for any Result<T>.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string detail = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(detail)});
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// An error out of errno, made next to the system call: `what` as in "cannot write the spool file".
Error system_error(std::string_view what, int error_number);

namespace detail {
template <typename T, typename E>
T take(tl::expected<T, E>& result) {
  return std::move(*result);
}
template <typename E>
void take(tl::expected<void, E>&) {}
}  // namespace detail

}  // namespace hansard

// auto value = TRY(expression of Result<T>): the value, or return its error from this function.
#define TRY(...) HANSARD_TRY_AS(HANSARD_TRY_JOIN(try_result_, __COUNTER__), __VA_ARGS__)
#define HANSARD_TRY_JOIN(a, b) HANSARD_TRY_JOIN_EXPANDED(a, b)
#define HANSARD_TRY_JOIN_EXPANDED(a, b) a##b
#define HANSARD_TRY_AS(name, ...)                               \
  ({                                                            \
    auto&& name = (__VA_ARGS__);                                \
    if (!name) return ::hansard::fail(std::move(name).error()); \
    ::hansard::detail::take(name);                              \
  })
