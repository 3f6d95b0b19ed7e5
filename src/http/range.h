// A file as an answer: whole, one range of it, or not changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace hansard::http {

struct ByteRange {
  uint64_t first = 0;
  uint64_t length = 0;
};
enum class RangeKind { whole, part, unsatisfiable };
struct RangeChoice {
  RangeKind kind = RangeKind::whole;
  ByteRange range;
};
// RFC 9110, 14: one range of bytes is honoured; several, other units and what is not well formed give the
// whole.
RangeChoice choose_range(std::optional<std::string_view> header, uint64_t size);

// Honours Range, If-Range and If-None-Match. `etag` with its quotes; `modified_ms` since 1970.
Answer file_answer(const Request& request, UniqueFd fd, uint64_t size, std::string_view content_type,
                   std::string_view etag, int64_t modified_ms);

// Whether an If-None-Match or If-Match header names this tag, as it is or of the compressed form, or any.
bool names_etag(std::string_view header, std::string_view etag);

// "Tue, 24 Nov 2026 16:04:33 GMT"
std::string http_date(int64_t time_ms);

}  // namespace hansard::http
