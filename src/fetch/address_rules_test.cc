#include "fetch/address_rules.h"

#include <gtest/gtest.h>

namespace hansard::fetch {
namespace {

bool allowed(const AddressRules& rules, const char* text) {
  const auto address = parse_ip_address(text);
  EXPECT_TRUE(address) << text;
  return address && rules.allow(*address);
}

TEST(AddressRules, PublicAddressesMayBeAsked) {
  const AddressRules rules;
  for (const char* text :
       {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "168.63.129.15", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
        "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "2001:200::1", "2606:4700::1111", "2a00:1450:4001:80b::200e",
        // Through NAT64 and 6to4.
        "64:ff9b::8.8.8.8", "2002:808:808::1"}) {
    EXPECT_TRUE(allowed(rules, text)) << text;
  }
}

TEST(AddressRules, AllElseMayNot) {
  const AddressRules rules;
  for (const char* text :
       {// This machine and this network.
        "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "::", "::1",
        // Private networks, carriers' networks, unique local addresses.
        "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
        "100.64.0.1", "100.127.255.255", "fc00::1", "fdff::1",
        // Metadata of clouds.
        "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "192.0.0.192",
        "168.63.129.16",
        // Links, sites, multicast, broadcast.
        "169.254.0.1", "fe80::1", "fec0::1", "224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1",
        // What is for protocols, tests and books.
        "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
        "240.0.0.1", "2001::1", "2001:2::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1",
        // Private ones within others: mapped, compatible, NAT64, 6to4, Teredo.
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::127.0.0.1",
        "::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8",
        "2002:7f00:1::1", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2001:0:7f00:1::1"}) {
    EXPECT_FALSE(allowed(rules, text)) << text;
  }
}

TEST(AddressRules, NetworksMayBeAllowedBesideThem) {
  const AddressRules rules(Networks::parse({"192.168.7.0/24", "fd12::/16"}).value());
  for (const char* text :
       {"192.168.7.1", "::ffff:192.168.7.1", "64:ff9b::192.168.7.1", "fd12::1", "8.8.8.8"}) {
    EXPECT_TRUE(allowed(rules, text)) << text;
  }
  for (const char* text : {"192.168.8.1", "127.0.0.1", "::1", "fd13::1"}) {
    EXPECT_FALSE(allowed(rules, text)) << text;
  }
}

}  // namespace
}  // namespace hansard::fetch
