// Working on a transcript, over HTTP: versions, and what exports show of them.

#include <gtest/gtest.h>

#include <thread>

#include <fmt/format.h>

#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
using http::ClientResponse;

class ServedTranscriptModel : public ServerProgram {
 protected:
  // Two people, transcribed: the path of the transcription.
  std::string transcribed(const Serving& server) const {
    const std::string id =
        server.submit(bytes_of("endgame_nagg_nell.wav"), {{"options", R"({"num_speakers":2})"}});
    EXPECT_EQ(server.wait_for_end(id).at("status"), "completed");
    return "/api/v1/transcriptions/" + id;
  }
  static bj::object segment(const ClientResponse& response, size_t place) {
    return object(response).at("segments").as_array().at(place).as_object();
  }
  static ClientResponse change(const Serving& server, const std::string& base, const bj::object& segment,
                               std::string_view headers = {}) {
    return server.request("PATCH", base + "/transcript",
                          json::to_text(bj::object{{"segments", bj::array{segment}}}), headers);
  }
};

TEST_F(ServedTranscriptModel, IsCorrectedNamedAndBroughtBack) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string base = transcribed(server);
  const ClientResponse machine = server.get(base + "/transcript");
  const bj::object first = segment(machine, 0);
  const bj::array words = object(machine).at("words").as_array();
  const std::string said = text(first, "text");
  ASSERT_GE(words.size(), 4U);

  // A word more at the end: the others are as they were.
  const ClientResponse edited = change(server, base, {{"id", first.at("id")}, {"text", said + " Indeed."}});
  ASSERT_EQ(edited.status, 200) << edited.body;
  EXPECT_EQ(text(segment(edited, 0), "text"), said + " Indeed.");
  const bj::array after = object(edited).at("words").as_array();
  ASSERT_EQ(after.size(), words.size() + 1);
  EXPECT_EQ(after[0], words[0]);
  EXPECT_EQ(after.back(), words.back());
  EXPECT_EQ(server.get(base + "/transcript").body, edited.body);
  EXPECT_EQ(server.get(base + "/transcript").headers.at("etag"), edited.headers.at("etag"));
  EXPECT_NE(edited.headers.at("etag"), machine.headers.at("etag"));
  EXPECT_EQ(server.get(base + "/transcript?version=1").body, machine.body);
  EXPECT_EQ(server.get(base + "/transcript?version=3").status, 404);
  // The same once more changes nothing.
  EXPECT_EQ(change(server, base, {{"id", first.at("id")}, {"text", said + " Indeed."}}).headers.at("etag"),
            edited.headers.at("etag"));

  const ClientResponse named = server.request("PATCH", base + "/speakers", R"({"SPEAKER_00":"Nagg"})");
  ASSERT_EQ(named.status, 200) << named.body;
  EXPECT_EQ(object(named).at("speakers").at(0).at("name"), "Nagg");
  EXPECT_NE(server.get(base + "/transcript?format=text").body.find("Nagg: "), std::string::npos);
  EXPECT_NE(server.get(base + "/transcript?format=vtt").body.find("<v Nagg>"), std::string::npos);
  EXPECT_EQ(server.get(base + "/transcript?format=text&version=1").body.find("Nagg: "), std::string::npos);
  EXPECT_EQ(object(server.get(base)).at("speaker_count"), 2);
  const ClientResponse merged =
      server.request("POST", base + "/speakers:merge", R"({"from":"SPEAKER_01","into":"SPEAKER_00"})");
  ASSERT_EQ(merged.status, 200) << merged.body;
  EXPECT_EQ(object(merged).at("speakers").as_array().size(), 1U);
  EXPECT_EQ(object(server.get(base)).at("speaker_count"), 1);

  // Cut after the first word and joined again.
  const size_t count = object(merged).at("segments").as_array().size();
  const ClientResponse cut =
      server.request("POST", base + "/transcript:split",
                     json::to_text(bj::object{{"segment", first.at("id")}, {"word", 1}}));
  ASSERT_EQ(cut.status, 200) << cut.body;
  EXPECT_EQ(object(cut).at("segments").as_array().size(), count + 1);
  const ClientResponse joined = server.request(
      "POST", base + "/transcript:join",
      json::to_text(bj::object{{"segments", bj::array{segment(cut, 0).at("id"), segment(cut, 1).at("id")}}}));
  ASSERT_EQ(joined.status, 200) << joined.body;
  EXPECT_EQ(joined.body, merged.body);

  const ClientResponse restored = server.request("POST", base + "/transcript:restore", R"({"version":1})");
  ASSERT_EQ(restored.status, 200) << restored.body;
  EXPECT_EQ(restored.body, machine.body);
  EXPECT_EQ(object(server.get(base)).at("speaker_count"), 2);
  const bj::array versions = object(server.get(base + "/transcript/versions")).at("items").as_array();
  ASSERT_EQ(versions.size(), 7U);
  EXPECT_EQ(versions[0].at("version"), 7);
  EXPECT_EQ(versions[0].at("kind"), "edit");
  EXPECT_TRUE(versions[0].at("created_by").is_string());
  EXPECT_EQ(versions[6].at("kind"), "machine");
  EXPECT_TRUE(versions[6].at("created_by").is_null());
  // Still there after a restart; and the audit log knows of it.
  const bj::array audit = object(server.get("/api/v1/admin/audit")).at("items").as_array();
  EXPECT_EQ(std::count_if(audit.begin(), audit.end(),
                          [](const bj::value& entry) { return entry.at("action") == "transcript.edit"; }),
            6);
}

TEST_F(ServedTranscriptModel, WhatWasSaidIsFoundInItsNewestVersion) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string base = transcribed(server);
  const auto search = [&](const std::string& query) {
    return object(server.get("/api/v1/search?" + query)).at("items").as_array();
  };
  ASSERT_EQ(change(server, base, {{"id", "seg_000001"}, {"text", "Zebras & <quaggas> café."}}).status, 200);
  ASSERT_EQ(server.request("PATCH", base + "/speakers", R"({"SPEAKER_00":"Nagg"})").status, 200);
  const bj::array hits = search("q=%22zebras%22%20QUAG*%20cafe");
  ASSERT_EQ(hits.size(), 1U);
  const bj::object& hit = hits[0].as_object();
  EXPECT_EQ("/api/v1/transcriptions/" + text(hit, "transcription_id"), base);
  EXPECT_EQ(text(hit, "title"), "recording.wav");
  EXPECT_EQ(text(hit, "segment_id"), "seg_000001");
  EXPECT_EQ(hit.at("start").to_number<double>(),
            segment(server.get(base + "/transcript"), 0).at("start").to_number<double>());
  EXPECT_EQ(text(hit, "speaker"), "SPEAKER_00");
  EXPECT_EQ(text(hit, "speaker_name"), "Nagg");
  EXPECT_EQ(text(hit, "snippet"),
            "<mark>Zebras</mark> &amp; &lt;<mark>quaggas</mark>&gt; <mark>café</mark>.");
  EXPECT_EQ(search("q=zebras%20rhubarb").size(), 0U);

  // The machine's words are found as soon as it is done, and again when they are brought back.
  ASSERT_EQ(server.request("POST", base + "/transcript:restore", R"({"version":1})").status, 200);
  EXPECT_EQ(search("q=zebras").size(), 0U);
  const bj::array words = object(server.get(base + "/transcript")).at("words").as_array();
  const std::string spoken = text(words.back().as_object(), "word");
  EXPECT_GE(search("q=" + spoken.substr(0, spoken.find_last_not_of(".?!,") + 1)).size(), 1U);
  // Page by page.
  ASSERT_EQ(change(server, base, {{"id", "seg_000001"}, {"text", "Zebras."}}).status, 200);
  ASSERT_EQ(change(server, base, {{"id", "seg_000002"}, {"text", "Zebras again."}}).status, 200);
  const bj::object page = object(server.get("/api/v1/search?q=zebras&limit=1"));
  EXPECT_EQ(text(page.at("items").at(0).as_object(), "segment_id"), "seg_000001");
  const bj::object rest =
      object(server.get("/api/v1/search?q=zebras&limit=1&cursor=" + text(page, "next_cursor")));
  EXPECT_EQ(text(rest.at("items").at(0).as_object(), "segment_id"), "seg_000002");
  EXPECT_TRUE(rest.at("next_cursor").is_null());

  for (const auto& [query, field] :
       std::map<std::string, std::string>{{"", "q"},
                                          {"q=", "q"},
                                          {"q=" + std::string(501, 'a'), "q"},
                                          {"q=a" + std::string(500, '+'), "q"},
                                          {"q=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q", "q"},
                                          {"q=a&limit=0", "limit"},
                                          {"q=a&cursor=1", "cursor"}}) {
    expect_problem(server.get("/api/v1/search?" + query), 422, "UNPROCESSABLE", field);
  }
  EXPECT_EQ(server.request("DELETE", base).status, 204);
  EXPECT_EQ(search("q=zebras").size(), 0U);
}

TEST_F(ServedTranscriptModel, AnEditOfWhatHasChangedIsRefusedAndNoneIsLost) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string base = transcribed(server);
  const ClientResponse read = server.get(base + "/transcript");
  const bj::array segments = object(read).at("segments").as_array();
  ASSERT_GE(segments.size(), 4U);
  const std::string mine = "If-Match: " + read.headers.at("etag") + "\r\n";
  const ClientResponse first = change(server, base, {{"id", segments[0].at("id")}, {"text", "One."}}, mine);
  EXPECT_EQ(first.status, 200) << first.body;
  expect_problem(change(server, base, {{"id", segments[1].at("id")}, {"text", "Two."}}, mine), 412,
                 "PRECONDITION_FAILED");
  EXPECT_EQ(change(server, base, {{"id", segments[1].at("id")}, {"text", "Two."}},
                   "If-Match: " + first.headers.at("etag") + "\r\n")
                .status,
            200);

  // Four at once, each on a segment of its own, many times: all of them are there.
  std::vector<std::jthread> people;
  for (size_t i = 0; i < 4; ++i) {
    people.emplace_back([&, i] {
      for (int round = 0; round <= 5; ++round) {
        EXPECT_EQ(
            change(server, base, {{"id", segments[i].at("id")}, {"text", fmt::format("{} {}.", i, round)}})
                .status,
            200);
      }
    });
  }
  people.clear();
  const ClientResponse last = server.get(base + "/transcript");
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(text(segment(last, i), "text"), fmt::format("{} 5.", i));
  EXPECT_EQ(object(server.get(base + "/transcript/versions")).at("items").as_array().size(), 27U);
}

TEST_F(ServedTranscriptModel, WhatCannotBeHadLeavesTheVersionsAlone) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string base = transcribed(server);
  const struct {
    const char* method;
    const char* path;
    const char* body;
    int status;
    const char* code;
    const char* field;
  } kCases[] = {
      {"PATCH", "/transcript", "{}", 422, "UNPROCESSABLE", "segments"},
      {"PATCH", "/transcript", R"({"segments":[]})", 422, "UNPROCESSABLE", "segments"},
      {"PATCH", "/transcript", R"({"segments":[1]})", 422, "UNPROCESSABLE", "segments[0]"},
      {"PATCH", "/transcript", R"({"segments":[{"id":"seg_000001"}]})", 422, "UNPROCESSABLE", "segments[0]"},
      {"PATCH", "/transcript", R"({"segments":[{"text":"x"}]})", 422, "UNPROCESSABLE", "segments[0].id"},
      {"PATCH", "/transcript", R"({"segments":[{"id":"seg_000001","text":1}]})", 422, "UNPROCESSABLE",
       "segments[0].text"},
      {"PATCH", "/transcript", R"({"segments":[{"id":"seg_000001","start":1}]})", 400, "INVALID_REQUEST",
       "segments[0].start"},
      {"PATCH", "/transcript", R"({"segments":[{"id":"seg_000001","speaker":"Ada"}]})", 422, "UNPROCESSABLE",
       "segments[0].speaker"},
      {"PATCH", "/transcript", R"({"segments":[{"id":"seg_999999","text":"x"}]})", 422, "UNPROCESSABLE",
       "segments[0].id"},
      {"PATCH", "/transcript", R"({"words":[]})", 400, "INVALID_REQUEST", "words"},
      {"POST", "/transcript:split", R"({"segment":"seg_000001"})", 422, "UNPROCESSABLE", "word"},
      {"POST", "/transcript:split", R"({"segment":"seg_000001","word":1,"time":1})", 422, "UNPROCESSABLE",
       "word"},
      {"POST", "/transcript:split", R"({"segment":"seg_000001","word":"a"})", 422, "UNPROCESSABLE", "word"},
      {"POST", "/transcript:split", R"({"segment":"seg_000001","time":1000})", 422, "UNPROCESSABLE", "time"},
      {"POST", "/transcript:split", R"({"word":1})", 422, "UNPROCESSABLE", "segment"},
      {"POST", "/transcript:join", R"({"segments":["seg_000001"]})", 422, "UNPROCESSABLE", "segments"},
      {"POST", "/transcript:join", R"({"segments":["seg_000001","seg_000003"]})", 422, "UNPROCESSABLE",
       "segments[1]"},
      {"POST", "/transcript:restore", R"({"version":9})", 404, "NOT_FOUND", "version"},
      {"POST", "/transcript:restore", "{}", 422, "UNPROCESSABLE", "version"},
      {"PATCH", "/speakers", R"({"SPEAKER_09":"Ada"})", 422, "UNPROCESSABLE", "SPEAKER_09"},
      {"PATCH", "/speakers", R"({"SPEAKER_00":1})", 422, "UNPROCESSABLE", "SPEAKER_00"},
      {"POST", "/speakers:merge", R"({"from":"SPEAKER_00"})", 422, "UNPROCESSABLE", "into"},
      {"POST", "/speakers:merge", R"({"from":"SPEAKER_00","into":"SPEAKER_00"})", 422, "UNPROCESSABLE",
       "into"},
  };
  for (const auto& one : kCases) {
    SCOPED_TRACE(fmt::format("{} {} {}", one.method, one.path, one.body));
    expect_problem(server.request(one.method, base + one.path, one.body), one.status, one.code, one.field);
  }
  // What is too long is so as it was sent, also where less would be kept of it.
  const bj::object padded{{"SPEAKER_00", "Ada" + std::string(198, ' ')}};
  expect_problem(server.request("PATCH", base + "/speakers", bj::serialize(padded)), 422, "UNPROCESSABLE",
                 "SPEAKER_00");
  EXPECT_EQ(object(server.get(base + "/transcript/versions")).at("items").as_array().size(), 1U);
  // One that is not completed has nothing to be changed.
  const std::string id =
      server.submit(bytes_of("endgame_nagg_nell.wav"), {{"options", R"({"no_cache":true})"}});
  expect_problem(server.request("PATCH", "/api/v1/transcriptions/" + id + "/speakers", "{}"), 409,
                 "CONFLICT");
  EXPECT_EQ(server.request("POST", "/api/v1/transcriptions/" + id + ":cancel").status, 200);
}

}  // namespace
}  // namespace hansard
