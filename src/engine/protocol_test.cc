#include "engine/protocol.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "base/file.h"
#include "base/limits.h"

namespace hansard::engine {
namespace {

std::pair<Channel, Channel> connected() {
  auto ends = make_socket_pair();
  return {std::piecewise_construct, std::forward_as_tuple(std::move(ends->first)),
          std::forward_as_tuple(std::move(ends->second))};
}

TEST(FrameParser, TakesFramesInAnyPieces) {
  const std::string bytes =
      encode_frame({{"type", "a"}}, "payload") + encode_frame({{"type", "b"}, {"n", 2}}, "");
  for (size_t step = 1; step <= bytes.size(); ++step) {
    FrameParser parser;
    for (size_t at = 0; at < bytes.size(); at += step) {
      ASSERT_TRUE(parser.feed(std::string_view(bytes).substr(at, step), {}));
    }
    auto first = parser.next();
    auto second = parser.next();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->type, "a");
    EXPECT_EQ(first->payload, "payload");
    EXPECT_EQ(second->header.at("n").as_int64(), 2);
    EXPECT_FALSE(parser.next());
  }
}

TEST(FrameParser, RefusesWhatIsNoFrame) {
  const std::string good = encode_frame({{"type", "a"}}, "");
  const auto refused = [](std::string bytes) {
    FrameParser parser;
    const Result<void> fed = parser.feed(bytes, {});
    return !fed && fed.error().code == ErrorCode::engine_crashed;
  };
  EXPECT_TRUE(refused("GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(refused(encode_frame({{"no type", "a"}}, "")));
  EXPECT_TRUE(refused(encode_frame({{"type", 7}}, "")));
  std::string huge_header = good;
  huge_header[7] = '\x7f';
  EXPECT_TRUE(refused(huge_header));
  std::string huge_payload = good;
  huge_payload[11] = '\x7f';
  EXPECT_TRUE(refused(huge_payload));
  std::string no_json = good;
  no_json[12] = 'x';
  EXPECT_TRUE(refused(no_json));
  std::string bad_utf8 = good;
  bad_utf8[good.find('a', 14)] = '\xff';
  EXPECT_TRUE(refused(bad_utf8));
}

TEST(FrameParser, SurvivesDamagedFrames) {
  const std::string good =
      encode_frame({{"type", "group"}, {"text", {{"words", {1, 2, 3}}}}}, "some payload");
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good + good;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    FrameParser parser;
    const Result<void> fed = parser.feed(bytes, {});
    while (parser.next()) {
    }
    if (!fed) {
      EXPECT_EQ(fed.error().code, ErrorCode::engine_crashed);
    }
  }
}

TEST(Channel, CarriesMessagesPayloadsAndDescriptors) {
  auto [one, other] = connected();
  auto file = open_unnamed_file("/tmp");
  ASSERT_TRUE(file);
  ASSERT_TRUE(write_all(file->get(), "spool"));
  const std::string payload(3 << 20, 'x');
  std::thread sender([&] {
    const int fd = file->get();
    EXPECT_TRUE(one.send({{"type", "voices"}}, payload, {{fd}}));
    EXPECT_TRUE(one.send({{"type", "after"}}));
  });
  auto first = other.receive(std::chrono::seconds(10));
  auto second = other.receive(std::chrono::seconds(10));
  sender.join();
  ASSERT_TRUE(first && *first && second && *second);
  EXPECT_EQ((*first)->payload, payload);
  ASSERT_EQ((*first)->descriptors.size(), 1U);
  std::string bytes(5, ' ');
  ASSERT_TRUE(read_at((*first)->descriptors[0].get(), 0, std::as_writable_bytes(std::span(bytes))));
  EXPECT_EQ(bytes, "spool");
  EXPECT_EQ((*second)->type, "after");
  EXPECT_TRUE((*second)->descriptors.empty());
}

TEST(Channel, TellsAnEndFromSilence) {
  auto ends = make_socket_pair();
  ASSERT_TRUE(ends);
  Channel channel(std::move(ends->first));
  auto silence = channel.receive(std::chrono::milliseconds(1));
  ASSERT_TRUE(silence);
  EXPECT_FALSE(*silence);
  ends->second.reset();
  EXPECT_FALSE(channel.receive(std::chrono::seconds(10)));
  EXPECT_FALSE(channel.send({{"type", "a"}}));
}

}  // namespace
}  // namespace hansard::engine
