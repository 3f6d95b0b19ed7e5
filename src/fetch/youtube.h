// Recordings from YouTube, by way of yt-dlp, where that is installed: a limited child that is given the id of
// one video and nothing else that anyone wrote. It asks YouTube itself; no proxy of the environment and no
// file of its user's (cookies, settings) reaches it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "fetch/fetch.h"

namespace hansard::fetch {

// Whether there is a yt-dlp in the PATH.
bool youtube_can_be_asked();

// The id of the video that an address of YouTube names ("https://youtu.be/…", "…/watch?v=…", shorts, live,
// embedded); nothing where it is another site's, or a list's or a channel's.
std::optional<std::string> youtube_video(const std::string& url);

struct GetVideo {
  std::string id;
  uint64_t most_bytes = 0;
  std::chrono::milliseconds time;  // for all of it
};
// The sound alone, where YouTube has it so; how large it will be is not known. Got::name is the video's
// title. Errors: unavailable, access_denied, age_restricted, rate_limited, too_large, network, canceled,
// not_found (no yt-dlp), and those of `take`.
Result<Got> get_video(const GetVideo& wanted, const Take& take, const OnBytes& on_bytes,
                      const std::stop_token& stop);

}  // namespace hansard::fetch
