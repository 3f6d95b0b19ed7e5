#include "base/network.h"

#include <gtest/gtest.h>

namespace hansard {
namespace {

Networks networks(const std::vector<std::string>& ranges) {
  return Networks::parse(ranges).value();
}

TEST(Hosts, ThisMachinesOwnAreNoOthers) {
  for (const char* own : {"localhost", "127.0.0.1", "[::1]"}) EXPECT_TRUE(names_this_machine(own)) << own;
  for (const char* other : {"", "localhost.example", "127.0.0.1.example", "127.0.0.1:80", "::1"})
    EXPECT_FALSE(names_this_machine(other)) << other;
}

TEST(Networks, ContainWhatLiesInThem) {
  const Networks some = networks({"10.0.0.0/8", "192.168.4.0/23", "2001:db8::/33", "127.0.0.1", "::1"});
  for (const char* inside :
       {"10.255.0.1", "192.168.5.255", "2001:db8:7fff::1", "127.0.0.1", "::1", "::ffff:10.1.2.3"}) {
    EXPECT_TRUE(some.contain(inside)) << inside;
  }
  for (const char* outside :
       {"11.0.0.1", "192.168.6.0", "2001:db8:8000::1", "127.0.0.2", "::2", "", "10.1", "host"}) {
    EXPECT_FALSE(some.contain(outside)) << outside;
  }
  EXPECT_TRUE(networks({"0.0.0.0/0"}).contain("203.0.113.9"));
  EXPECT_FALSE(networks({"0.0.0.0/0"}).contain("2001:db8::1"));
  EXPECT_FALSE(networks({}).contain("127.0.0.1"));
}

TEST(Networks, WhatIsNoRangeIsNamed) {
  for (const char* range :
       {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "::/129", "proxy", "", "10.0.0/8"}) {
    const auto parsed = Networks::parse({"127.0.0.1", range});
    ASSERT_FALSE(parsed) << range;
    EXPECT_NE(parsed.error().message.find(std::string("\"") + range + "\""), std::string::npos);
  }
}

}  // namespace
}  // namespace hansard
