#include "base/result.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace hansard {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_request:
      return "INVALID_REQUEST";
    case ErrorCode::not_found:
      return "NOT_FOUND";
    case ErrorCode::unsupported_media:
      return "UNSUPPORTED_MEDIA";
    case ErrorCode::media_unreadable:
      return "MEDIA_UNREADABLE";
    case ErrorCode::model_unknown:
      return "MODEL_UNKNOWN";
    case ErrorCode::model_unavailable:
      return "MODEL_UNAVAILABLE";
    case ErrorCode::model_corrupt:
      return "MODEL_CORRUPT";
    case ErrorCode::out_of_memory:
      return "OUT_OF_MEMORY";
    case ErrorCode::engine_crashed:
      return "ENGINE_CRASHED";
    case ErrorCode::engine_timeout:
      return "ENGINE_TIMEOUT";
    case ErrorCode::canceled:
      return "CANCELED";
    case ErrorCode::insufficient_storage:
      return "INSUFFICIENT_STORAGE";
    case ErrorCode::permission_denied:
      return "PERMISSION_DENIED";
    case ErrorCode::network:
      return "NETWORK";
    case ErrorCode::rate_limited:
      return "RATE_LIMITED";
    case ErrorCode::conflict:
      return "CONFLICT";
    case ErrorCode::unavailable:
      return "UNAVAILABLE";
    case ErrorCode::access_denied:
      return "PRIVATE";
    case ErrorCode::age_restricted:
      return "AGE_RESTRICTED";
    case ErrorCode::too_large:
      return "TOO_LARGE";
    case ErrorCode::address_refused:
      return "ADDRESS_REFUSED";
    case ErrorCode::internal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

std::optional<ErrorCode> parse_error_code(std::string_view name) {
  for (int number = 0; number <= static_cast<int>(ErrorCode::internal); ++number) {
    const auto code = static_cast<ErrorCode>(number);
    if (error_code_name(code) == name) return code;
  }
  return std::nullopt;
}

Error system_error(std::string_view what, int error_number) {
  ErrorCode code = ErrorCode::internal;
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      code = ErrorCode::not_found;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = ErrorCode::permission_denied;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      code = ErrorCode::insufficient_storage;
      break;
    case ENOMEM:
      code = ErrorCode::out_of_memory;
      break;
    case EEXIST:
      code = ErrorCode::conflict;
      break;
    default:
      break;
  }
  char buffer[128];
  const char* text = ::strerror_r(error_number, buffer, sizeof buffer);
  return Error{code, fmt::format("{}: {}", what, text), {}};
}

}  // namespace hansard
