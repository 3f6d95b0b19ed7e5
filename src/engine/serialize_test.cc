#include "engine/serialize.h"

#include <gtest/gtest.h>

#include <functional>

namespace hansard::engine {
namespace {

Plan some_plan() {
  Plan plan;
  plan.windows = {{{{0, 16000}, {32000, 48000}}, "en"}, {{{48000, 96000}}, "fr"}, {{{100000, 100001}}, "en"}};
  plan.groups = {{0, 2}, {2, 1}};
  plan.language = "en";
  plan.language_probability = 0.75;
  plan.speech_seconds = 5.5;
  return plan;
}

GroupText some_group() {
  WindowText window;
  window.language = "en";
  window.tokens = {50, 7, 51864};
  window.average_log_probability = -0.25;
  window.no_speech_probability = 0.125;
  window.decoded_again = true;
  window.words = {{0.5, 0.75, " Grüße", 0.5F}, {0.75, 1, "!", 1.0F}};
  return {3, {window, WindowText{}}};
}

TEST(Serialize, WhatGoesOutComesBack) {
  EXPECT_EQ(plan_from_json(to_json(some_plan())).value(), some_plan());
  EXPECT_EQ(group_from_json(to_json(some_group())).value(), some_group());
  const std::vector<Turn> turns{{0, 1.5, 0}, {1, 2, 1}};
  EXPECT_EQ(turns_from_json(to_json(turns)).value(), turns);
  const SpeakerCount count{std::nullopt, 2, 4};
  EXPECT_EQ(speaker_count_from_json(to_json(count))->most, 4);
  EXPECT_FALSE(speaker_count_from_json(to_json(count))->exact);
}

TEST(Serialize, EqualValuesGiveEqualBytes) {
  EXPECT_EQ(json::bj::serialize(to_json(some_plan())), json::bj::serialize(to_json(some_plan())));
}

TEST(Serialize, RefusesPlansThatCannotBe) {
  const auto refused = [](const std::function<void(Plan&)>& spoil) {
    Plan plan = some_plan();
    spoil(plan);
    return !plan_from_json(to_json(plan)).has_value();
  };
  EXPECT_TRUE(refused([](Plan& p) { p.groups.pop_back(); }));
  EXPECT_TRUE(refused([](Plan& p) { p.groups[0].window_count = 1; }));
  EXPECT_TRUE(refused([](Plan& p) { p.groups[1].first_window = 900; }));
  EXPECT_TRUE(refused([](Plan& p) { p.windows[0].pieces[1].start = 15999; }));
  EXPECT_TRUE(refused([](Plan& p) { p.windows[0].pieces[0].start = -1; }));
  EXPECT_TRUE(refused([](Plan& p) { p.windows[1].pieces.clear(); }));
  EXPECT_TRUE(refused([](Plan& p) { p.speech_seconds = -1; }));
}

TEST(Serialize, RefusesWordsAndTurnsThatCannotBe) {
  GroupText group = some_group();
  group.windows[0].words[0].end = 0.25;
  EXPECT_FALSE(group_from_json(to_json(group)));
  EXPECT_FALSE(turns_from_json(to_json(std::vector<Turn>{{2, 1, 0}})));
  EXPECT_FALSE(turns_from_json(to_json(std::vector<Turn>{{0, 1, -1}})));
}

TEST(Serialize, NamesAreThoseOfTheCommandLine) {
  EXPECT_EQ(parse_device("cuda").value(), Device::cuda);
  EXPECT_EQ(name(ComputeType::float16), "float16");
  EXPECT_EQ(parse_compute_type("int4").error().message,
            "compute type \"int4\" is not one of auto, int8, float16, float32");
}

}  // namespace
}  // namespace hansard::engine
