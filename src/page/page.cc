#include "page/page.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/id.h"
#include "base/spelling.h"
#include "http/compress.h"
#include "http/field.h"
#include "http/range.h"

namespace hansard::page {
namespace {

constexpr std::string_view kAssets = "assets";
// May be served on another port; on this one it is nobody's.
constexpr std::string_view kMetrics = "metrics";
constexpr size_t kNonceBytes = 16;

// Nothing but what this server serves is run, shown or asked. Workers are held to the policy that comes with
// their own file.
std::string policy(std::string_view more_styles) {
  return fmt::format(
      "default-src 'none'; script-src 'self'; style-src 'self'{}; img-src 'self' data: blob:; media-src "
      "'self' "
      "blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'self'; "
      "form-action 'self'; frame-ancestors 'none'",
      more_styles);
}

std::string escape_attribute(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("&<>\"'").find(c) == std::string_view::npos) {
      escaped += c;
    } else {
      escaped += fmt::format("&#{};", static_cast<int>(c));
    }
  }
  return escaped;
}

void replace_all(std::string& text, std::string_view name, std::string_view value) {
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
}

// "/api/v1/health" → "api"
std::string_view first_segment(std::string_view path) {
  path.remove_prefix(1);
  return path.substr(0, path.find('/'));
}

bool wants_html(const http::Request& request) {
  std::string_view accept = request.header("accept").value_or("");
  while (!accept.empty()) {
    std::string_view parameters = http::take_element(accept);
    const std::string type = lower(http::take_element(parameters, ';'));
    if (type == "text/html" && http::quality(parameters).value_or(1) > 0) return true;
  }
  return false;
}

http::Response answer_file(const http::Request& request, const File& file) {
  const auto known = request.header("if-none-match");
  const bool same = known && http::names_etag(*known, file.etag);
  const bool compressed =
      !file.gzip.empty() && http::accepts_gzip(request.header("accept-encoding").value_or(""));
  const std::string_view bytes = compressed ? file.gzip : file.bytes;
  http::Response response =
      http::text_response(same ? 304 : 200, file.media_type, std::string(same ? std::string_view() : bytes));
  if (compressed && !same) response.with("Content-Encoding", "gzip");
  const bool for_ever = first_segment(file.path) == kAssets;
  response.with("ETag", std::string(file.etag))
      .with("Cache-Control", for_ever ? "public, max-age=31536000, immutable" : "no-cache")
      .with("Content-Security-Policy", policy(""));
  return response;
}

class Page {
 public:
  Page(const http::Router& router, const Site& site, const Built& built)
      : files_(built.files), document_(built.document), taken_{std::string(kAssets), std::string(kMetrics)} {
    for (const http::Route* route : router.routes()) taken_.emplace(first_segment(route->pattern));
    replace_all(document_, "{{base}}", escape_attribute(site.base_path + "/"));
    replace_all(document_, "{{accounts}}", site.accounts ? "required" : "none");
  }

  http::Answer answer(const http::Request& request) const {
    const std::string path = http::percent_decode(request.path).value_or("/");
    const auto file =
        std::find_if(files_.begin(), files_.end(), [&](const File& one) { return one.path == path; });
    if (file != files_.end()) return answer_file(request, *file);
    if (taken_.contains(first_segment(path)) || !wants_html(request)) return fail(http::nothing_there());
    return answer_document();
  }

 private:
  http::Response answer_document() const {
    const std::string nonce = random_hex(kNonceBytes);
    std::string document = document_;
    replace_all(document, "{{nonce}}", nonce);
    http::Response response = http::text_response(200, "text/html; charset=utf-8", std::move(document));
    response.with("Cache-Control", "no-cache")
        .with("Vary", "Accept")
        .with("Content-Security-Policy", policy(fmt::format(" 'nonce-{}'", nonce)));
    return response;
  }

  std::span<const File> files_;
  std::string document_;                      // but for the nonce
  std::set<std::string, std::less<>> taken_;  // how addresses begin where there is no page
};

}  // namespace

void add_page(http::Router& router, const Site& site, const Built& built) {
  router.set_fallback(
      [page = Page(router, site, built)](const http::Request& request) { return page.answer(request); });
}

}  // namespace hansard::page
