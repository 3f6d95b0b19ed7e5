// What the two programs say to each other over a socket pair. A frame is
//
//   4 bytes  "HSE1"
//   4 bytes  size of the header, little-endian
//   4 bytes  size of the payload
//   header   a JSON object with at least "type"
//   payload  raw bytes
//
// and carries the descriptors that its header's type calls for (SCM_RIGHTS with its first bytes). Either side
// may be hostile or broken: sizes are bounded by base/limits.h before memory is taken, and whatever does not
// parse ends the connection.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/json.h"
#include "base/result.h"

namespace hansard::engine {

// Raised whenever a message changes its meaning. Both programs are built together: another version is
// refused.
inline constexpr int kProtocolVersion = 1;

struct Message {
  std::string type;
  json::bj::object header;  // with "type"
  std::string payload;
  std::vector<UniqueFd> descriptors;
};

// Bytes to messages, in whatever pieces they come. Not for use by two threads at once.
class FrameParser {
 public:
  // Errors: engine_crashed (what came is no frame); the parser is of no use then.
  Result<void> feed(std::string_view bytes, std::vector<UniqueFd> descriptors);
  std::optional<Message> next();

 private:
  Result<bool> take_frame();

  std::string buffer_;
  std::vector<UniqueFd> descriptors_;
  std::vector<Message> ready_;
};

std::string encode_frame(const json::bj::object& header, std::string_view payload);

// One end of the socket pair. send() may be called by any thread; receive() by one at a time.
class Channel {
 public:
  explicit Channel(UniqueFd socket);

  // `header` holds "type". The descriptors stay the caller's. Errors: engine_crashed (the other side is
  // gone), engine_timeout (it takes nothing any more), invalid_request (over a limit).
  Result<void> send(const json::bj::object& header, std::string_view payload = {},
                    std::span<const int> descriptors = {});

  // The next message; nothing when `timeout` passed or `wake` became readable. Errors: engine_crashed.
  Result<std::optional<Message>> receive(std::chrono::milliseconds timeout, int wake_fd = -1);

  int fd() const { return socket_.get(); }

 private:
  Result<void> read_some();

  UniqueFd socket_;
  std::mutex send_mutex_;
  FrameParser parser_;
};

// A connected pair: {ours, the child's}.
Result<std::pair<UniqueFd, UniqueFd>> make_socket_pair();

}  // namespace hansard::engine
