#include "http/compress.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "base/limits.h"
#include "base/spelling.h"
#include "http/field.h"

namespace hansard::http {
namespace {

// A transcript of 9 MB shrinks to a sixth in 0.07 s; zlib's default takes 0.19 s to make it a twentieth
// smaller.
constexpr int kLevel = 4;
constexpr int kGzipWindow = 15 + 16;  // the largest window, and gzip's header

std::string* find_header(Response& response, std::string_view lower_case_name) {
  for (auto& [name, value] : response.headers) {
    if (lower(name) == lower_case_name) return &value;
  }
  return nullptr;
}

bool is_text(std::string_view content_type) {
  static constexpr std::array<std::string_view, 5> kTypes{"application/json", "application/x-subrip",
                                                          "application/javascript", "application/yaml",
                                                          "image/svg+xml"};
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  return (type.starts_with("text/") && type != "text/event-stream") ||
         std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

std::string gzip(std::string_view bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("zlib has no memory");
  }
  std::string result(deflateBound(&stream, bytes.size()), '\0');
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-*-cast): zlib's interface; it does not write to its input
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());  // NOLINT(*-reinterpret-cast)
  stream.avail_out = static_cast<uInt>(result.size());
  const int ended = deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  if (ended != Z_STREAM_END) throw std::runtime_error("zlib did not compress");
  return result;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<double> gzip;
  std::optional<double> any;
  double identity = 0;  // taken, but no reason to send more bytes, unless the client says how gladly
  while (!accept_encoding.empty()) {
    std::string_view parameters = take_element(accept_encoding);
    const std::string coding = lower(take_element(parameters, ';'));
    const double q = quality(parameters).value_or(1);  // as if it were not there
    if (coding == "gzip" || coding == "x-gzip") gzip = q;
    if (coding == "*") any = q;
    if (coding == "identity") identity = q;
  }
  const double wanted = gzip ? *gzip : any.value_or(0);
  return wanted > 0 && wanted >= identity;
}

std::string gzip_etag(std::string_view etag) {
  std::string tag(etag);
  if (tag.ends_with('"')) tag.insert(tag.size() - 1, "-gzip");
  return tag;
}

void encode(const Request& request, Response& response) {
  auto* text = std::get_if<std::string>(&response.body);
  const std::string* type = find_header(response, "content-type");
  if (text == nullptr || type == nullptr || !is_text(*type) || response.status == 206) return;
  const bool unchanged = response.status == 304;
  const bool encoded = find_header(response, "content-encoding") != nullptr;
  if (!unchanged && !encoded && text->size() < limits::kCompressedBytes) return;
  if (std::string* vary = find_header(response, "vary")) {
    *vary += ", Accept-Encoding";
  } else {
    response.with("Vary", "Accept-Encoding");
  }
  std::string* etag = find_header(response, "etag");
  if (unchanged) {
    // What has not changed is what the client named.
    const auto known = request.header("if-none-match");
    if (etag != nullptr && known && known->find(gzip_etag(*etag)) != std::string_view::npos) {
      *etag = gzip_etag(*etag);
    }
    return;
  }
  if (!encoded) {
    if (!accepts_gzip(request.header("accept-encoding").value_or(""))) return;
    // zlib counts a call's bytes in 32 bits.
    if (text->size() > limits::kCompressedMostBytes) return;
    *text = gzip(*text);
  }
  if (etag != nullptr) *etag = gzip_etag(*etag);
  if (!encoded) response.with("Content-Encoding", "gzip");
}

}  // namespace hansard::http
