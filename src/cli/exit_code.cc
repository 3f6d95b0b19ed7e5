#include "cli/exit_code.h"

namespace hansard::cli {

ExitCode exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_request:
      return ExitCode::usage;
    case ErrorCode::not_found:
    case ErrorCode::unsupported_media:
    case ErrorCode::media_unreadable:
    case ErrorCode::unavailable:
    case ErrorCode::access_denied:
    case ErrorCode::age_restricted:
    case ErrorCode::too_large:
    case ErrorCode::address_refused:
      return ExitCode::input;
    case ErrorCode::model_unknown:
    case ErrorCode::model_unavailable:
    case ErrorCode::model_corrupt:
    case ErrorCode::network:
      return ExitCode::model;
    case ErrorCode::insufficient_storage:
    case ErrorCode::permission_denied:
    case ErrorCode::conflict:
      return ExitCode::output;
    case ErrorCode::out_of_memory:
    case ErrorCode::engine_crashed:
    case ErrorCode::engine_timeout:
      return ExitCode::engine;
    case ErrorCode::canceled:
      return ExitCode::interrupted;
    case ErrorCode::rate_limited:
    case ErrorCode::internal:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

}  // namespace hansard::cli
