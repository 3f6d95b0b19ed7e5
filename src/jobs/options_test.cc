#include "jobs/options.h"

#include <gtest/gtest.h>

namespace hansard::jobs {
namespace {

tl::expected<JobOptions, OptionProblem> parse(std::string_view text) {
  return parse_options(json::parse_object(text).value());
}

// "field: message", or what was expected not to be.
std::string problem(std::string_view text) {
  const auto parsed = parse(text);
  if (parsed) return "accepted";
  return (parsed.error().unknown ? "unknown " : "") + parsed.error().field;
}

TEST(JobOptions, NothingGivenIsTheDefaults) {
  const JobOptions options = parse("{}").value();
  EXPECT_TRUE(options.pipeline.diarize && options.use_cache && options.word_timestamps);
  EXPECT_EQ(options.pipeline.language, "auto");
  EXPECT_EQ(options.priority, 5);
  EXPECT_TRUE(parse(R"({"language":null,"num_speakers":null,"vad":null})"));
}

TEST(JobOptions, EachIsRead) {
  const JobOptions options =
      parse(R"({"model":"base","language":"english","task":"translate","diarization":true,"min_speakers":2,
                "max_speakers":4,"start_time":1.5,"end_time":60,"word_timestamps":false,"initial_prompt":"Hm.",
                "hotwords":["Hansard","Hamm"],"beam_size":3,"temperature":0,"no_cache":true,"priority":1,
                "device":"cpu","compute_type":"int8","vad":{"threshold":0.4,"min_silence_ms":300}})")
          .value();
  EXPECT_EQ(options.pipeline.transcription_model, "base");
  EXPECT_EQ(options.pipeline.language, "en");
  EXPECT_EQ(options.pipeline.transcribe.task, engine::Task::translate);
  EXPECT_EQ(options.pipeline.speakers.least, 2);
  EXPECT_EQ(options.pipeline.speakers.most, 4);
  EXPECT_EQ(options.pipeline.range.start_s, 1.5);
  EXPECT_EQ(options.pipeline.range.end_s, 60);
  EXPECT_FALSE(options.word_timestamps);
  EXPECT_EQ(options.pipeline.transcribe.initial_prompt, "Hm.");
  EXPECT_EQ(options.pipeline.transcribe.hotwords.size(), 2U);
  EXPECT_EQ(options.pipeline.transcribe.beam_size, 3);
  EXPECT_FALSE(options.use_cache);
  EXPECT_EQ(options.priority, 1);
  EXPECT_EQ(options.engine.device, engine::Device::cpu);
  EXPECT_EQ(options.engine.compute_type, engine::ComputeType::int8);
  EXPECT_FLOAT_EQ(options.pipeline.speech.threshold, 0.4F);
  EXPECT_EQ(options.pipeline.speech.min_silence_ms, 300);
  EXPECT_FALSE(parse(R"({"vad":false})")->pipeline.speech.voice_activity);
}

TEST(JobOptions, WhatIsWrongIsNamed) {
  EXPECT_EQ(problem(R"({"colour":1})"), "unknown colour");
  for (const char* text : {R"({"model":1})",
                           R"({"language":"klingon"})",
                           R"({"task":"sing"})",
                           R"({"diarization":"yes"})",
                           R"({"num_speakers":0})",
                           R"({"num_speakers":1.5})",
                           R"({"num_speakers":101})",
                           R"({"start_time":-1})",
                           R"({"start_time":1e9})",
                           R"({"beam_size":21})",
                           R"({"temperature":0.2})",
                           R"({"priority":-1})",
                           R"({"hotwords":"one"})",
                           R"({"hotwords":[1]})",
                           R"({"vad":1})",
                           R"({"vad":{"threshold":2}})",
                           R"({"vad":{"colour":2}})",
                           R"({"device":"tpu"})",
                           R"({"compute_type":"int4"})",
                           R"({"no_cache":0})"}) {
    const std::string field(json::parse_object(text)->begin()->key());
    EXPECT_EQ(problem(text), field) << text;
  }
  EXPECT_EQ(problem(R"({"num_speakers":2,"min_speakers":1})"), "num_speakers");
  EXPECT_EQ(problem(R"({"min_speakers":3,"max_speakers":2})"), "min_speakers");
  EXPECT_EQ(problem(R"({"diarization":false,"num_speakers":2})"), "diarization");
  EXPECT_EQ(problem(R"({"start_time":5,"end_time":5})"), "end_time");
}

namespace bj = json::bj;

TEST(Options, WhatIsSaidLaterGoesOverWhatWasSaidBefore) {
  const bj::object profile{{"language", "de"}, {"beam_size", 5}, {"min_speakers", 2}, {"max_speakers", 4}};
  const bj::object request{{"language", "en"}, {"num_speakers", 3}, {"beam_size", nullptr}};
  const auto merged = parse_options(merge_options(profile, request));
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->pipeline.language, "en");
  EXPECT_EQ(merged->pipeline.transcribe.beam_size, 0);
  EXPECT_EQ(merged->pipeline.speakers.exact, 3);
  EXPECT_FALSE(merged->pipeline.speakers.least);
  EXPECT_EQ(merge_options(profile, {}), profile);
}

TEST(Options, WrittenDownTheyAreTheSameAgain) {
  const bj::object given{{"model", "small"},       {"device", "cpu"},
                         {"compute_type", "int8"}, {"no_cache", true},
                         {"language", "de"},       {"task", "translate"},
                         {"min_speakers", 2},      {"max_speakers", 4},
                         {"start_time", 1.5},      {"end_time", 9},
                         {"beam_size", 5},         {"word_timestamps", false},
                         {"initial_prompt", "Ah"}, {"hotwords", {"Clov"}},
                         {"priority", 2},          {"vad", {{"threshold", 0.25}, {"min_silence_ms", 300}}}};
  const bj::object channels{{"multichannel", true}, {"diarization", false}};
  for (const bj::object& options :
       {given, channels, bj::object{{"vad", false}, {"diarization", false}, {"num_speakers", nullptr}},
        bj::object()}) {
    const auto parsed = parse_options(options);
    ASSERT_TRUE(parsed) << parsed.error().message;
    const bj::object written = to_json(*parsed);
    const auto again = parse_options(written);
    ASSERT_TRUE(again) << again.error().field << ": " << again.error().message;
    EXPECT_EQ(to_json(*again), written);
    for (const auto& field : options) {
      if (!field.value().is_null())
        EXPECT_EQ(json::to_text(written.at(field.key())), json::to_text(field.value())) << field.key();
    }
  }
}

}  // namespace
}  // namespace hansard::jobs
