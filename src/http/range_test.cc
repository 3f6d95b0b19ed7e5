#include "http/range.h"

#include <gtest/gtest.h>

namespace hansard::http {
namespace {

std::string choose(std::optional<std::string_view> header, uint64_t size) {
  const RangeChoice choice = choose_range(header, size);
  if (choice.kind == RangeKind::unsatisfiable) return "416";
  const std::string kind = choice.kind == RangeKind::whole ? "all " : "";
  return kind + std::to_string(choice.range.first) + "+" + std::to_string(choice.range.length);
}

TEST(Range, OneRangeIsHonoured) {
  EXPECT_EQ(choose("bytes=0-0", 10), "0+1");
  EXPECT_EQ(choose("bytes=2-5", 10), "2+4");
  EXPECT_EQ(choose("bytes=2-500", 10), "2+8");
  EXPECT_EQ(choose("bytes=3-", 10), "3+7");
  EXPECT_EQ(choose("bytes=-4", 10), "6+4");
  EXPECT_EQ(choose("bytes=-40", 10), "0+10");
  EXPECT_EQ(choose("bytes= 1 - 2 ", 10), "1+2");
}

TEST(Range, WhatLiesBeyondIsUnsatisfiable) {
  EXPECT_EQ(choose("bytes=10-", 10), "416");
  EXPECT_EQ(choose("bytes=10-20", 10), "416");
  EXPECT_EQ(choose("bytes=-0", 10), "416");
  EXPECT_EQ(choose("bytes=0-", 0), "416");
}

TEST(Range, EverythingElseGivesTheWhole) {
  for (const char* header : {"bytes=5-2", "bytes=0-1,3-4", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-b",
                             "items=0-1", "bytes=99999999999999999999-", "bytes=0--1", "0-1", ""}) {
    EXPECT_EQ(choose(header, 10), "all 0+10") << header;
  }
  EXPECT_EQ(choose(std::nullopt, 10), "all 0+10");
}

TEST(Range, TagsAreFoundInLists) {
  EXPECT_TRUE(names_etag("\"a\", W/\"b\"", "\"b\""));
  EXPECT_TRUE(names_etag("*", "\"b\""));
  EXPECT_FALSE(names_etag("\"a\"", "\"b\""));
}

}  // namespace
}  // namespace hansard::http
