#include "http/forwarded.h"

#include <gtest/gtest.h>

namespace hansard::http {
namespace {

Networks networks(const std::vector<std::string>& ranges) {
  return Networks::parse(ranges).value();
}

// What is found of a request that `from` sends with these headers, behind proxies in 10.0.0.0/8.
std::string found(const std::string& from, Headers headers) {
  Request request;
  request.headers = std::move(headers);
  const auto caller = find_caller(request, {from, std::nullopt, "direct"}, networks({"10.0.0.0/8", "::1"}));
  if (!caller) return std::to_string(caller.error().status);
  return caller->peer + " " + caller->scheme.value_or("-") + " " + caller->host.value_or("-");
}

TEST(Forwarded, OnlyTrustedProxiesAreBelieved) {
  EXPECT_EQ(found("203.0.113.9", {{"x-forwarded-for", "198.51.100.1"}, {"x-forwarded-proto", "https"}}),
            "203.0.113.9 - direct");
  EXPECT_EQ(found("10.0.0.1", {{"x-forwarded-for", "198.51.100.1"},
                               {"x-forwarded-proto", "HTTPS"},
                               {"x-forwarded-host", "hansard.example"}}),
            "198.51.100.1 https hansard.example");
  EXPECT_EQ(found("::1", {{"forwarded", "for=198.51.100.1;proto=https;host=\"hansard.example:444\""}}),
            "198.51.100.1 https hansard.example:444");
  EXPECT_EQ(found("10.0.0.1", {}), "10.0.0.1 - direct");
}

TEST(Forwarded, WhatAClientWroteItselfIsNotBelieved) {
  // The proxies append: what stands before the first address that is not theirs is anyone's.
  EXPECT_EQ(found("10.0.0.1", {{"x-forwarded-for", "127.0.0.1, 198.51.100.1"}}), "198.51.100.1 - direct");
  EXPECT_EQ(
      found("10.0.0.1", {{"x-forwarded-for", "127.0.0.1"}, {"x-forwarded-for", "198.51.100.1, 10.0.0.2"}}),
      "198.51.100.1 - direct");
  EXPECT_EQ(found("10.0.0.1", {{"x-forwarded-for", "garbage, 10.0.0.2"}}), "10.0.0.2 - direct");
  EXPECT_EQ(found("10.0.0.1", {{"x-forwarded-for", "garbage"}}), "10.0.0.1 - direct");
  EXPECT_EQ(found("10.0.0.1", {{"forwarded", "for=127.0.0.1;proto=https, for=198.51.100.1;proto=http"}}),
            "198.51.100.1 http direct");
  EXPECT_EQ(found("10.0.0.1", {{"forwarded", "for=unknown;proto=https"}}), "10.0.0.1 https direct");
  EXPECT_EQ(found("10.0.0.1", {{"x-forwarded-proto", "javascript"}}), "10.0.0.1 - direct");
  // Of two kinds only one is the proxy's.
  EXPECT_EQ(found("10.0.0.1", {{"x-forwarded-for", "198.51.100.1"}, {"forwarded", "for=127.0.0.1"}}), "400");
  EXPECT_EQ(
      found("10.0.0.1", {{"x-forwarded-for", "198.51.100.1"}, {"forwarded", "for=198.51.100.1;proto=https"}}),
      "198.51.100.1 https direct");
}

TEST(Forwarded, ReadsAddressesWithAndWithoutPorts) {
  for (const char* node : {"2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711"}) {
    EXPECT_EQ(found("10.0.0.1", {{"x-forwarded-for", node}}), "2001:db8::1 - direct") << node;
  }
  EXPECT_EQ(found("10.0.0.1", {{"forwarded", "For=\"[2001:db8::1]:4711\""}}), "2001:db8::1 - direct");
  EXPECT_EQ(found("10.0.0.1", {{"x-forwarded-for", "192.0.2.7:80"}}), "192.0.2.7 - direct");
  EXPECT_EQ(found("::ffff:10.0.0.1", {{"x-forwarded-for", "::ffff:192.0.2.7"}}), "192.0.2.7 - direct");
}

TEST(Origin, IsTheServersOwnOrForeign) {
  const Caller plain{"", std::nullopt, "hansard.example:8080"};
  EXPECT_TRUE(same_origin("http://hansard.example:8080", plain));
  EXPECT_TRUE(same_origin("HTTP://Hansard.Example:8080", plain));
  EXPECT_FALSE(same_origin("http://hansard.example", plain));
  EXPECT_FALSE(same_origin("null", plain));
  EXPECT_FALSE(same_origin("http://other.example:8080", plain));
  const Caller secure{"", "https", "hansard.example"};
  EXPECT_TRUE(same_origin("https://hansard.example:443", secure));
  EXPECT_FALSE(same_origin("http://hansard.example", secure));
  EXPECT_TRUE(same_origin("https://hansard.example", {"", std::nullopt, "hansard.example:443"}));
  EXPECT_FALSE(same_origin("http://x", {"", std::nullopt, std::nullopt}));
}

}  // namespace
}  // namespace hansard::http
