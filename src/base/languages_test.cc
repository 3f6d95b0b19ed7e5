#include "base/languages.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hansard {
namespace {

TEST(Languages, CodesAreSortedAndSingle) {
  EXPECT_TRUE(std::is_sorted(languages().begin(), languages().end(),
                             [](const Language& a, const Language& b) { return a.code < b.code; }));
  EXPECT_EQ(languages().size(), 100U);
}

TEST(Languages, AreFoundByWhatPeopleWrite) {
  EXPECT_EQ(parse_language("en").value(), "en");
  EXPECT_EQ(parse_language("EN-us").value(), "en");
  EXPECT_EQ(parse_language("German").value(), "de");
  EXPECT_EQ(parse_language("haitian creole").value(), "ht");
  EXPECT_EQ(parse_language("auto").value(), "auto");
  EXPECT_NE(parse_language("klingon").error().message.find("klingon"), std::string::npos);
  EXPECT_FALSE(parse_language(""));
}

TEST(Languages, HaveEnglishNames) {
  EXPECT_EQ(language_name("fr"), "French");
  EXPECT_EQ(language_name("xx"), "xx");
}

}  // namespace
}  // namespace hansard
