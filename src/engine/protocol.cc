#include "engine/protocol.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "base/limits.h"

namespace hansard::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "frame sizes are written as they lie in memory");

constexpr std::string_view kMagic = "HSE1";
constexpr size_t kPrefixBytes = 12;

tl::unexpected<Error> broken(std::string detail) {
  return fail(ErrorCode::engine_crashed, "the engine process broke off", std::move(detail));
}

uint32_t read_u32(const char* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void append_u32(std::string& to, uint32_t value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// A frame without its payload.
std::string encode_head(const json::bj::object& header, size_t payload_size) {
  const std::string text = json::bj::serialize(header);
  std::string head(kMagic);
  append_u32(head, static_cast<uint32_t>(text.size()));
  append_u32(head, static_cast<uint32_t>(payload_size));
  return head += text;
}

}  // namespace

Result<void> FrameParser::feed(std::string_view bytes, std::vector<UniqueFd> descriptors) {
  buffer_ += bytes;
  for (UniqueFd& fd : descriptors) descriptors_.push_back(std::move(fd));
  if (descriptors_.size() > limits::kFrameDescriptors) return broken("too many descriptors");
  while (TRY(take_frame())) {
  }
  return {};
}

std::optional<Message> FrameParser::next() {
  if (ready_.empty()) return std::nullopt;
  Message message = std::move(ready_.front());
  ready_.erase(ready_.begin());
  return message;
}

Result<bool> FrameParser::take_frame() {
  const size_t seen = std::min(buffer_.size(), kMagic.size());
  if (buffer_.compare(0, seen, kMagic, 0, seen) != 0) return broken("a frame does not begin as it should");
  if (buffer_.size() < kPrefixBytes) return false;
  const size_t header_size = read_u32(buffer_.data() + 4);
  const size_t payload_size = read_u32(buffer_.data() + 8);
  if (header_size > limits::kFrameHeaderBytes || payload_size > limits::kFramePayloadBytes) {
    return broken("a frame is larger than allowed");
  }
  const size_t frame_size = kPrefixBytes + header_size + payload_size;
  if (buffer_.size() < frame_size) {
    buffer_.reserve(frame_size);  // a large payload is not copied while it grows
    return false;
  }
  Result<json::bj::object> header =
      json::parse_object(std::string_view(buffer_).substr(kPrefixBytes, header_size));
  if (!header) return broken("a frame's header is " + header.error().message);
  Message message;
  message.header = std::move(*header);
  Result<std::string> type = json::get_string(message.header, "type");
  if (!type) return broken("a frame has no type");
  message.type = std::move(*type);
  message.descriptors = std::move(descriptors_);
  descriptors_.clear();
  if (buffer_.size() == frame_size) {
    buffer_.erase(0, kPrefixBytes + header_size);
    message.payload = std::exchange(buffer_, {});
  } else {
    message.payload = buffer_.substr(kPrefixBytes + header_size, payload_size);
    buffer_.erase(0, frame_size);
  }
  ready_.push_back(std::move(message));
  return true;
}

std::string encode_frame(const json::bj::object& header, std::string_view payload) {
  return encode_head(header, payload.size()) += payload;
}

Channel::Channel(UniqueFd socket) : socket_(std::move(socket)) {
  // A side that takes nothing for so long hangs; without this a sender would hang with it.
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limits::kEngineSilence).count();
  const timeval timeout{.tv_sec = seconds, .tv_usec = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

Result<void> Channel::send(const json::bj::object& header, std::string_view payload,
                           std::span<const int> descriptors) {
  if (payload.size() > limits::kFramePayloadBytes || descriptors.size() > limits::kFrameDescriptors) {
    return fail(ErrorCode::invalid_request, "a message to the engine is over its limit");
  }
  const std::string head = encode_head(header, payload.size());
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * limits::kFrameDescriptors)> control{};
  const std::lock_guard lock(send_mutex_);
  size_t sent = 0;
  while (sent < head.size() + payload.size()) {
    const std::string_view rest = std::string_view(head).substr(std::min(sent, head.size()));
    const std::string_view more = payload.substr(sent - std::min(sent, head.size()));
    std::array<iovec, 2> parts{
        {{const_cast<char*>(rest.data()), rest.size()}, {const_cast<char*>(more.data()), more.size()}}};
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (sent == 0 && !descriptors.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
      std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    const ssize_t n = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return fail(ErrorCode::engine_timeout, "the engine process does not answer");
    }
    if (n < 0) return broken(system_error("cannot send", errno).message);
    sent += static_cast<size_t>(n);
  }
  return {};
}

Result<std::optional<Message>> Channel::receive(std::chrono::milliseconds timeout, int wake_fd) {
  // The longest there is means for ever: no time of day lies so far ahead.
  const bool for_ever = timeout == std::chrono::milliseconds::max();
  const auto deadline =
      std::chrono::steady_clock::now() + (for_ever ? std::chrono::milliseconds(0) : timeout);
  for (;;) {
    if (std::optional<Message> message = parser_.next()) return message;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    std::array<pollfd, 2> polled{{{socket_.get(), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
    const int wait_ms = for_ever ? -1 : static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1 << 30));
    const int n = ::poll(polled.data(), polled.size(), wait_ms);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return broken(system_error("cannot wait", errno).message);
    if (n == 0) return std::optional<Message>();
    if (polled[0].revents != 0) {
      TRY(read_some());
    } else {
      return std::optional<Message>();
    }
  }
}

Result<void> Channel::read_some() {
  std::array<char, 64 * 1024> bytes;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * limits::kFrameDescriptors)> control;
  iovec part{bytes.data(), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t n = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  if (n < 0) return broken(system_error("cannot receive", errno).message);
  if (n == 0) return broken("the connection ended");
  std::vector<UniqueFd> descriptors;
  for (cmsghdr* part_of = CMSG_FIRSTHDR(&message); part_of != nullptr;
       part_of = CMSG_NXTHDR(&message, part_of)) {
    if (part_of->cmsg_level != SOL_SOCKET || part_of->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part_of->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part_of) + i * sizeof(int), sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) return broken("too many descriptors");
  return parser_.feed({bytes.data(), static_cast<size_t>(n)}, std::move(descriptors));
}

Result<std::pair<UniqueFd, UniqueFd>> make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(system_error("cannot make a socket pair", errno));
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

}  // namespace hansard::engine
