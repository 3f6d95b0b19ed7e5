#include "fetch/youtube.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "base/process.h"
#include "base/spelling.h"

namespace hansard::fetch {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* kProgram = "yt-dlp";
constexpr std::string_view kTitle = "hansard-title:";
constexpr size_t kIdCharacters = 11;
// It asks several pages, and tries each of them again, before the first byte of sound comes.
constexpr auto kSilence = 180s;
constexpr ChildLimits kLimits{
    .cpu_seconds = 3600, .file_size_bytes = 512U << 20, .open_files = 256, .nice = 5};

// ---- addresses

struct UrlFree {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  return result;
}

std::string_view parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
      return pair.substr(name.size() + 1);
  }
  return {};
}

// The part of a path after one of these: "/shorts/ID".
std::string_view below_folder(std::string_view path) {
  for (const std::string_view folder : {"/shorts/", "/live/", "/embed/", "/v/"}) {
    if (path.starts_with(folder)) return path.substr(folder.size());
  }
  return {};
}

bool is_video_id(std::string_view text) {
  return text.size() == kIdCharacters && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_';
         });
}

// ---- what yt-dlp says

struct Sign {
  std::string_view text;  // in lower case
  ErrorCode code;
};
// The first that is found counts: "Video unavailable. This video is private".
constexpr std::array kSigns{Sign{"confirm your age", ErrorCode::age_restricted},
                            Sign{"age-restricted", ErrorCode::age_restricted},
                            Sign{"inappropriate for some users", ErrorCode::age_restricted},
                            Sign{"not a bot", ErrorCode::rate_limited},
                            Sign{"http error 429", ErrorCode::rate_limited},
                            Sign{"too many requests", ErrorCode::rate_limited},
                            Sign{"rate-limit", ErrorCode::rate_limited},
                            Sign{"private", ErrorCode::access_denied},
                            Sign{"members", ErrorCode::access_denied},
                            Sign{"payment", ErrorCode::access_denied},
                            Sign{"premium", ErrorCode::access_denied},
                            Sign{"sign in", ErrorCode::access_denied},
                            Sign{"unavailable", ErrorCode::unavailable},
                            Sign{"not available", ErrorCode::unavailable},
                            Sign{"removed", ErrorCode::unavailable},
                            Sign{"terminated", ErrorCode::unavailable},
                            Sign{"does not exist", ErrorCode::unavailable},
                            Sign{"unable to download", ErrorCode::network},
                            Sign{"timed out", ErrorCode::network},
                            Sign{"connection", ErrorCode::network},
                            Sign{"name resolution", ErrorCode::network},
                            Sign{"getaddrinfo", ErrorCode::network}};

std::string_view message_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::age_restricted:
      return "YouTube gives this video to those alone who say how old they are";
    case ErrorCode::access_denied:
      return "this video is not for everyone";
    case ErrorCode::rate_limited:
      return "YouTube was asked too often from here; try again later";
    case ErrorCode::network:
      return "YouTube could not be reached; try again later";
    default:
      return "YouTube does not give this video";
  }
}

// Its last error; all else is about how it went.
std::string error_line(std::string_view text) {
  const size_t at = text.rfind("ERROR:");
  return at == std::string_view::npos ? "" : std::string(text.substr(at, text.find('\n', at) - at));
}

Error error_of(const ChildOutput& output) {
  const std::string line = error_line(output.standard_error);
  const std::string said = lower(line);
  const auto* sign = std::find_if(kSigns.begin(), kSigns.end(), [&](const Sign& each) {
    return said.find(each.text) != std::string::npos;
  });
  const ErrorCode code = sign == kSigns.end() ? ErrorCode::unavailable : sign->code;
  return {code, std::string(message_of(code)),
          line.empty() ? fmt::format("yt-dlp: exit {}, signal {}", output.exit.exit_code, output.exit.signal)
                       : line};
}

std::string title_in(std::string_view text) {
  const size_t at = text.find(kTitle);
  if (at == std::string_view::npos) return {};
  const size_t begin = at + kTitle.size();
  const auto title = json::parse(text.substr(begin, text.find('\n', begin) - begin));
  return title && title->is_string() ? std::string(title->get_string()) : "";
}

ChildOptions command(const std::string& id) {
  return {.argv = {kProgram, "--ignore-config", "--no-cache-dir", "--no-playlist", "--no-progress",
                   "--no-part", "--socket-timeout", "30", "--proxy", "",
                   // One file over https, which goes straight to the output; others need files in between.
                   "--format", "bestaudio[protocol=https]/best[protocol=https]",
                   // That never ends.
                   "--match-filters", "!is_live", "--no-simulate", "--print",
                   fmt::format("before_dl:{}%(title)j", kTitle), "--output", "-", "--",
                   "https://www.youtube.com/watch?v=" + id},
          .limits = kLimits};
}

}  // namespace

bool youtube_can_be_asked() {
  return ChildProcess::start({.argv = {kProgram, "--version"}}).has_value();
}

std::optional<std::string> youtube_video(const std::string& url) {
  if (!check_url(url, nullptr)) return std::nullopt;
  const std::unique_ptr<CURLU, UrlFree> parsed(curl_url());
  curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  std::string host = lower(part_of(parsed.get(), CURLUPART_HOST));
  for (const std::string_view prefix : {"www.", "m.", "music."}) {
    if (host.starts_with(prefix)) host.erase(0, prefix.size());
  }
  const std::string path = part_of(parsed.get(), CURLUPART_PATH);
  const std::string query = part_of(parsed.get(), CURLUPART_QUERY);
  std::string_view id;
  if (host == "youtu.be") id = std::string_view(path).substr(1);
  if (host == "youtube.com" || host == "youtube-nocookie.com") {
    id = path == "/watch" ? parameter(query, "v") : below_folder(path);
  }
  id = id.substr(0, id.find('/'));
  return is_video_id(id) ? std::optional(std::string(id)) : std::nullopt;
}

Result<Got> get_video(const GetVideo& wanted, const Take& take, const OnBytes& on_bytes,
                      const std::stop_token& stop) {
  const auto deadline = Clock::now() + wanted.time;
  Got got;
  const auto take_piece = [&](std::string_view bytes) -> Result<void> {
    if (bytes.size() > wanted.most_bytes - got.size_bytes) {
      return fail(ErrorCode::too_large,
                  fmt::format("the sound of this video is larger than the {} MB that are taken",
                              wanted.most_bytes >> 20));
    }
    if (Clock::now() > deadline) return fail(ErrorCode::network, "YouTube took too long; try again later");
    TRY(take(bytes));
    got.size_bytes += bytes.size();
    if (on_bytes) on_bytes(got.size_bytes, std::nullopt);
    return {};
  };
  const ChildOutput output = TRY(stream_child(command(wanted.id), kSilence, take_piece, stop));
  if (output.timed_out) return fail(ErrorCode::network, "YouTube could not be reached; try again later");
  if (!output.exit.ok()) return fail(error_of(output));
  if (got.size_bytes == 0) {
    return fail(ErrorCode::unavailable, "there is no recording in this video, or it is still being made");
  }
  got.name = title_in(output.standard_error);
  return got;
}

}  // namespace hansard::fetch
