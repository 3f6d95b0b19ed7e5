#include "engine/child/whisper/languages.h"

#include <gtest/gtest.h>

namespace hansard::engine::whisper {
namespace {

const std::vector<std::string> kPresent{"en", "fr"};

TEST(Languages, AWindowOfTwoIsNotSure) {
  EXPECT_EQ(sure_language({28, {{"en", 0.98F}}}, kPresent), "en");
  EXPECT_FALSE(sure_language({28, {{"fr", 0.93F}, {"de", 0.05F}}}, kPresent));
  EXPECT_FALSE(sure_language({28, {{"de", 0.99F}}}, kPresent));  // it may be a slip
}

TEST(Languages, APartTakesTheLikeliestOfThoseThatAreThere) {
  EXPECT_EQ(language_of_part({2.5, {{"it", 0.6F}, {"fr", 0.3F}, {"en", 0.1F}}}, kPresent), "fr");
  EXPECT_EQ(language_of_part({2.5, {}}, kPresent), "en");
}

TEST(Languages, APartThatIsLongAndSureNeedNotBeOfThem) {
  const std::vector<std::pair<std::string, float>> german{{"de", 0.97F}, {"en", 0.02F}};
  EXPECT_EQ(language_of_part({4.5, german}, kPresent), "de");
  EXPECT_EQ(language_of_part({2.5, german}, kPresent), "en");
}

TEST(Languages, ALanguageIsThereWhereItHasATenth) {
  const std::vector<Heard> heard{{90, {{"en", 1.0F}}}, {20, {{"fr", 1.0F}}}, {5, {{"it", 1.0F}}}};
  const Shares shares = shares_of(heard);
  EXPECT_EQ(largest(shares), "en");
  EXPECT_EQ(present(shares), kPresent);
}

}  // namespace
}  // namespace hansard::engine::whisper
