// The server as a whole, with real models: what is handed in comes out, and what is wrong is said.

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>

#include <fmt/format.h>

#include "base/file.h"
#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using http::Client;
using http::ClientResponse;

class ServerModel : public ServerProgram {};

// "{{ab*3}}" stands for ababab.
std::string expanded(std::string text) {
  for (size_t at = text.find("{{"); at != std::string::npos; at = text.find("{{", at)) {
    const size_t end = text.find("}}", at);
    const size_t star = text.rfind('*', end);
    const std::string unit = text.substr(at + 2, star - at - 2);
    std::string repeated;
    for (int i = std::stoi(text.substr(star + 1, end - star - 1)); i > 0; --i) repeated += unit;
    text.replace(at, end + 2 - at, repeated);
    at += repeated.size();
  }
  return text;
}

TEST_F(ServerModel, ARecordingGoesInAndItsTranscriptComesOut) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string id = server.submit(bytes_of("endgame_nagg_nell.wav"), {{"title", "Endgame"}});
  ASSERT_FALSE(id.empty());
  const std::string base = "/api/v1/transcriptions/" + id;
  EXPECT_EQ(server.get(base + "/transcript").status, 409);

  Client events(server.port());
  events.send("GET " + base + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string stream = events.read_until("never: the stream ends with the job");
  EXPECT_NE(stream.find("event: transcription.segment"), std::string::npos);
  EXPECT_NE(stream.find("event: transcription.completed"), std::string::npos);

  const bj::object job = object(server.get(base));
  EXPECT_EQ(job.at("status"), "completed");
  EXPECT_EQ(job.at("speaker_count"), 2);
  EXPECT_EQ(job.at("progress").to_number<double>(), 1);
  const bj::object transcript = object(server.get(base + "/transcript"));
  EXPECT_EQ(transcript.at("transcription_id"), id.c_str());
  EXPECT_NE(std::string(transcript.at("text").as_string()).find("Do you hear me?"), std::string::npos);
  EXPECT_EQ(transcript.at("speakers").as_array().size(), 2U);
  EXPECT_GT(transcript.at("words").as_array().size(), 50U);
  for (const char* format : {"text", "srt", "vtt", "md", "tsv", "csv", "docx", "rttm"}) {
    const ClientResponse response = server.get(base + "/transcript?format=" + format);
    EXPECT_EQ(response.status, 200) << format;
    EXPECT_FALSE(response.body.empty()) << format;
  }
  EXPECT_EQ(server.request("GET", base + "/transcript", {}, "Accept: application/x-subrip\r\n").body,
            server.get(base + "/transcript?format=srt").body);
  const auto accepted = [&](const std::string& accept) {
    return server.request("GET", base + "/transcript", {}, "Accept: " + accept + "\r\n")
        .headers.at("content-type");
  };
  EXPECT_EQ(accepted("text/vtt;q=0.3, application/x-subrip; q=0.8, */*;q=0.1"),
            "application/x-subrip; charset=utf-8");
  EXPECT_EQ(accepted("application/json;q=0.5, text/csv"), "text/csv; charset=utf-8");
  EXPECT_EQ(accepted("text/html, */*;q=0.8"), "application/json");
  EXPECT_EQ(accepted("text/vtt;q=0, image/png"), "application/json");
  for (const char* route : {"/executions", "/logs", "", "/transcript"})
    EXPECT_EQ(server.get(base + route).status, 200) << route;

  // The recording itself, in parts.
  const ClientResponse part = server.request("GET", base + "/audio", {}, "Range: bytes=0-3\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "RIFF");

  // A retry computes nothing again, a title can be changed, and what was deleted is gone.
  const ClientResponse retried = server.request("POST", base + ":retry");
  EXPECT_EQ(retried.status, 202);
  const std::string second(object(retried).at("id").as_string());
  const bj::object again = server.wait_for_end(second);
  EXPECT_EQ(again.at("status"), "completed");
  EXPECT_EQ(again.at("source_transcription_id"), id.c_str());
  EXPECT_EQ(server.request("POST", base + ":cancel").status, 409);
  EXPECT_EQ(object(server.request("PATCH", base, R"({"title":"Play"})")).at("title"), "Play");
  EXPECT_EQ(server.request("DELETE", base).status, 204);
  EXPECT_EQ(server.get(base).status, 404);

  const bj::array items = object(server.get("/api/v1/transcriptions")).at("items").as_array();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].at("id"), second.c_str());
}

TEST_F(ServerModel, EveryRefusalHasItsCodeItsFieldAndItsRequestId) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const bj::value cases =
      json::parse(read_file(fs::path(HANSARD_SOURCE_DIR) / "tests/contract/errors.json", 1 << 20).value())
          .value();
  for (const bj::value& value : cases.as_array()) {
    const bj::object& expected = value.as_object();
    const std::string name(expected.at("name").as_string());
    const std::string line = expanded(text(expected, "request"));
    std::string body = expanded(text(expected, "body"));
    if (expected.contains("body_hex")) {
      const std::string hex(expected.at("body_hex").as_string());
      for (size_t i = 0; i < hex.size(); i += 2)
        body += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    std::string request = line + " HTTP/1.1\r\nX-Request-ID: case\r\nHost: ";
    request += expected.contains("host") ? std::string(expected.at("host").as_string()) : "localhost";
    request += "\r\n";
    request += expanded(text(expected, "headers"));
    if (!body.empty()) request += fmt::format("Content-Length: {}\r\n", body.size());
    Client client(server.port());
    client.send(request + "\r\n" + body);
    const ClientResponse response = client.receive();
    SCOPED_TRACE(name);
    const auto status = static_cast<int>(expected.at("status").as_int64());
    expect_problem(response, status, text(expected, "code"), text(expected, "field"));
    // Where not even the headers were read the id is the server's own.
    if (status != 431) {
      EXPECT_EQ(response.headers.at("x-request-id"), "case");
    }
  }
  // Nothing of all that was kept.
  EXPECT_EQ(files_under(data() / "blobs"), 0U);
  EXPECT_TRUE(object(server.get("/api/v1/files")).at("items").as_array().empty());
}

TEST_F(ServerModel, AnUploadOverTheLimitOrBrokenOffLeavesNothing) {
  Serving server = serve({"HANSARD_MAX_UPLOAD_MB=1"});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string large = http::form(std::string(1'500'000, 'x'), "large.wav");
  EXPECT_EQ(server.request("POST", "/api/v1/files", large, http::kFormHeader).status, 413);
  Client chunked(server.port());
  chunked.send(
      fmt::format("POST /api/v1/files HTTP/1.1\r\nHost: localhost\r\n{}Transfer-Encoding: "
                  "chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                  http::kFormHeader, large.size(), large));
  EXPECT_EQ(chunked.receive().status, 413);
  {
    Client broken(server.port());
    broken.send(
        fmt::format("POST /api/v1/files HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: 900000\r\n\r\n{}",
                    http::kFormHeader, large.substr(0, 500'000)));
    broken.shutdown_sending();
    EXPECT_EQ(broken.receive().status, 400);
  }
  EXPECT_EQ(files_under(data() / "blobs"), 0U);
}

TEST_F(ServerModel, ACanceledJobEndsAtOnceAndFreesItsSlot) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string bytes = bytes_of("endgame_nagg_nell.wav");
  const std::string first = server.submit(bytes, {{"options", R"({"no_cache":true})"}});
  const std::string second = server.submit(bytes, {{"options", R"({"no_cache":true,"diarization":false})"}});
  Client events(server.port());
  events.send("GET /api/v1/transcriptions/" + first + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  events.read_until("\"stage\":\"transcribing\"");
  EXPECT_EQ(object(server.get("/api/v1/transcriptions/" + second)).at("queue_position"), 1);
  const ClientResponse canceled = server.request("POST", "/api/v1/transcriptions/" + first + ":cancel");
  EXPECT_EQ(canceled.status, 200);
  EXPECT_EQ(object(canceled).at("status"), "canceled");
  EXPECT_NE(events.read_until("never: the stream ends").find("transcription.canceled"), std::string::npos);
  EXPECT_EQ(server.wait_for_end(second).at("status"), "completed");
  EXPECT_EQ(object(server.get("/api/v1/transcriptions/" + first)).at("status"), "canceled");
}

TEST_F(ServerModel, WhatIsRunningWhenTheServerStopsGoesOnAfterIt) {
  std::string id;
  {
    Serving server = serve({"TRANSCRIPTION_STOP_TIMEOUT=1s"});
    ASSERT_TRUE(server.listens()) << server.log();
    id = server.submit(bytes_of("endgame_nagg_nell.wav"));
    Client events(server.port());
    events.send("GET /api/v1/transcriptions/" + id + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    events.read_until("\"stage\":\"preparing\"");
    server.child().kill(SIGTERM);
    server.child().kill(SIGTERM);  // now
    EXPECT_TRUE(server.child().wait().ok()) << server.log();
  }
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const bj::object job = server.wait_for_end(id);
  EXPECT_EQ(job.at("status"), "completed");
  EXPECT_EQ(job.at("attempt"), 3) << server.log();  // the release raised it, too
  // The events of before the restart are still told to whoever missed them.
  Client events(server.port());
  events.send("GET /api/v1/transcriptions/" + id +
              "/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1\r\n\r\n");
  const std::string stream = events.read_until("never: the stream ends");
  EXPECT_NE(stream.find("transcription.completed"), std::string::npos);
  EXPECT_EQ(stream.find("stream.reset"), std::string::npos);
}

TEST_F(ServerModel, ARepeatedRequestGetsTheSameAnswerAlsoAfterARestart) {
  const std::string body =
      http::form(bytes_of("endgame_nagg_nell.wav"), "a.wav", {{"options", R"({"diarization":false})"}});
  const std::string headers = std::string(http::kFormHeader) + "Idempotency-Key: one\r\n";
  const std::string other = std::string(http::kFormHeader) + "Idempotency-Key: two\r\n";
  std::string first;
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    const ClientResponse made = server.request("POST", "/api/v1/transcriptions:submit", body, headers);
    EXPECT_EQ(made.status, 202);
    first = made.body;
    const ClientResponse again = server.request("POST", "/api/v1/transcriptions:submit", body, headers);
    EXPECT_EQ(again.status, 202);
    EXPECT_EQ(again.body, first);
    EXPECT_EQ(again.headers.at("location"), made.headers.at("location"));
    const std::string changed = http::form("RIFF", "b.wav");
    // A request that failed leaves its key free.
    EXPECT_EQ(server.request("POST", "/api/v1/transcriptions:submit", changed, other).status, 415);
    EXPECT_EQ(server.request("POST", "/api/v1/transcriptions:submit", body, other).status, 202);
    const std::string titled = http::form(bytes_of("endgame_nagg_nell.wav"), "a.wav", {{"title", "Other"}});
    EXPECT_EQ(server.request("POST", "/api/v1/transcriptions:submit", titled, headers).status, 409);
    EXPECT_EQ(object(server.get("/api/v1/files")).at("items").as_array().size(), 2U);
    EXPECT_EQ(files_under(data() / "blobs/files"), 2U);
  }
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  EXPECT_EQ(server.request("POST", "/api/v1/transcriptions:submit", body, headers).body, first);
  const std::string id(json::parse_object(first)->at("id").as_string());
  server.wait_for_end(id);
  const std::string retry = "/api/v1/transcriptions/" + id + ":retry";
  const std::string key = "Idempotency-Key: one\r\n";
  EXPECT_EQ(server.request("POST", retry, {}, key).body, server.request("POST", retry, {}, key).body);
}

TEST_F(ServerModel, TheCommandLineAsksIt) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string url = fmt::format("HANSARD_URL=http://127.0.0.1:{}", server.port());
  const std::string input = recording("endgame_nagg_nell.wav").string();
  const ProgramResult submitted =
      run({"submit", input, "--wait", "--title", "Endgame", "--num-speakers", "2"}, {url});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const std::string id = submitted.out.substr(0, submitted.out.find('\n'));
  EXPECT_NE(submitted.err.find(id + " completed"), std::string::npos) << submitted.err;
  const ProgramResult listed = run({"jobs", "list"}, {url});
  EXPECT_NE(listed.out.find(id), std::string::npos) << listed.err;
  EXPECT_NE(run({"jobs", "show", id}, {url}).out.find("Endgame"), std::string::npos);
  EXPECT_EQ(run({"get", id, "--format", "srt"}, {url}).out,
            server.get("/api/v1/transcriptions/" + id + "/transcript?format=srt").body);
  EXPECT_EQ(run({"get", id, "-o", (folder_ / "out.md").string()}, {url}).exit_code, 0);
  EXPECT_NE(read_file(folder_ / "out.md", 1 << 20)->find("Speaker 2"), std::string::npos);
  const ProgramResult retried = run({"jobs", "retry", id}, {url});
  EXPECT_EQ(retried.exit_code, 0) << retried.err;
  const std::string second = retried.out.substr(0, retried.out.find('\n'));
  EXPECT_EQ(run({"jobs", "watch", second}, {url}).exit_code, 0);
  EXPECT_EQ(run({"jobs", "cancel", id}, {url}).exit_code, 1);
  EXPECT_EQ(run({"jobs", "rm", id, second}, {url}).exit_code, 0);
  const ProgramResult gone = run({"jobs", "show", id}, {url});
  EXPECT_NE(gone.exit_code, 0);
  EXPECT_NE(gone.err.find("there is no such transcription"), std::string::npos) << gone.err;
  const ProgramResult wrong = run({"submit", input, "--num-speakers", "0"}, {url});
  EXPECT_NE(wrong.err.find("options.num_speakers"), std::string::npos) << wrong.err;
  const ProgramResult nobody = run({"jobs", "list"}, {"HANSARD_URL=http://127.0.0.1:1"});
  EXPECT_NE(nobody.exit_code, 0);
  EXPECT_NE(nobody.err.find("start one with hansard serve"), std::string::npos) << nobody.err;
}

TEST_F(ServerModel, WhatIsErasedLeavesNothingOfTheRecording) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string id = server.submit(bytes_of("endgame_nagg_nell.wav"));
  const std::string file(server.wait_for_end(id).at("file_id").as_string());
  EXPECT_GT(files_under(data() / "cache"), 0U);
  EXPECT_EQ(server.request("POST", "/api/v1/files/" + file + ":restore").status, 409);
  EXPECT_EQ(server.request("DELETE", "/api/v1/files/" + file).status, 204);
  EXPECT_EQ(server.get("/api/v1/files/" + file).status, 404);
  EXPECT_EQ(server.request("POST", "/api/v1/files/" + file + ":restore").status, 200);
  EXPECT_EQ(server.get("/api/v1/files/" + file + "/audio").status, 200);
  EXPECT_EQ(server.request("DELETE", "/api/v1/files/" + file + "?purge=true").status, 204);
  EXPECT_EQ(files_under(data() / "cache"), 0U);
  EXPECT_EQ(files_under(data() / "blobs/files"), 0U);
  EXPECT_EQ(server.get("/api/v1/transcriptions/" + id + "/audio").status, 404);
  EXPECT_EQ(server.get("/api/v1/transcriptions/" + id + "/transcript").status, 200);
  EXPECT_EQ(server.request("POST", "/api/v1/transcriptions/" + id + ":retry").status, 409);
}

TEST_F(ServerModel, ASecondServerOnOneDataFolderIsRefused) {
  Serving first = serve();
  ASSERT_TRUE(first.listens()) << first.log();
  const ProgramResult second = run({"serve", "--port", "0"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.err.find("another hansard serve has this data folder"), std::string::npos) << second.err;
  const ProgramResult taken =
      run({"serve", "--port", std::to_string(first.port()), "--data-dir", (folder_ / "other").string()});
  EXPECT_EQ(taken.exit_code, 1);
  EXPECT_NE(taken.err.find("is in use"), std::string::npos) << taken.err;
}

TEST_F(ServerModel, BadSettingsStopTheStart) {
  for (const auto& [variable, needle] :
       {std::pair("HANSARD_PORT=70000",
                  "HANSARD_PORT is \"70000\"; allowed is a whole number from 0 to 65535"),
        std::pair("HANSARD_HOST=0.0.0.0", "HANSARD_HOST is \"0.0.0.0\"; allowed is"),
        std::pair("TRANSCRIPTION_WORKERS=0",
                  "TRANSCRIPTION_WORKERS is \"0\"; allowed is a whole number from 1 to 64"),
        std::pair("TRANSCRIPTION_LEASE_TIMEOUT=10",
                  "TRANSCRIPTION_LEASE_TIMEOUT: \"10\" could mean 10 seconds"),
        std::pair("HANSARD_AUTH=some", "HANSARD_AUTH is \"some\"; allowed is one of: required none")}) {
    const ProgramResult result = run({"serve"}, {variable});
    EXPECT_NE(result.exit_code, 0) << variable;
    EXPECT_NE(result.err.find(needle), std::string::npos) << result.err;
  }
  std::ofstream(folder_ / "occupied") << "a file";
  const ProgramResult folder = run({"serve", "--data-dir", (folder_ / "occupied/data").string()});
  EXPECT_NE(folder.exit_code, 0);
  EXPECT_FALSE(folder.err.empty());
}

TEST_F(ServerModel, ASecondSignalRightAfterTheFirstStopsInOrder) {
  for (int i = 0; i < 20; ++i) {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    server.child().kill(SIGTERM);
    server.child().kill(SIGINT);
    ASSERT_TRUE(server.child().wait().ok()) << server.log();
  }
}

TEST_F(ServerModel, AHangupEndsNoServer) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  server.child().kill(SIGHUP);
  EXPECT_EQ(server.get("/api/v1/health").status, 200);
  server.child().kill(SIGTERM);
  EXPECT_TRUE(server.child().wait().ok()) << server.log();
}

TEST_F(ServerModel, TheRoundTripOfTheReadmeWorksAsItIsWritten) {
  const std::string readme = read_file(fs::path(HANSARD_SOURCE_DIR) / "README.md", 1 << 20).value();
  const std::string begin = "```bash\nHANSARD_AUTH=none hansard serve --port 8080 &\n";
  const size_t at = readme.find(begin);
  ASSERT_NE(at, std::string::npos);
  const size_t first = at + begin.size();
  std::string commands = readme.substr(first, readme.find("```", first) - first);
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const size_t port = commands.find(":8080");
  ASSERT_NE(port, std::string::npos);
  commands.replace(port, 5, fmt::format(":{}", server.port()));
  const fs::path here = folder_ / "here";
  fs::create_directories(here);
  fs::copy_file(recording("endgame_nagg_nell.wav"), here / "interview.wav");
  const Result<ChildOutput> output =
      run_child({.argv = {"bash", "-euc", fmt::format("cd '{}'\n{}", here.string(), commands)}},
                std::chrono::seconds(120), 16 << 20);
  ASSERT_TRUE(output && output->exit.ok()) << output->standard_error;
  EXPECT_NE(output->standard_output.find("event: transcription.segment"), std::string::npos);
  EXPECT_NE(output->standard_output.find("event: transcription.completed"), std::string::npos);
  EXPECT_NE(output->standard_output.find("### Speaker 2"), std::string::npos);
  const auto json = json::parse_object(read_file(here / "interview.json", 1 << 20).value());
  ASSERT_TRUE(json.has_value());
  EXPECT_GT(json->at("words").as_array().size(), 50U);
  EXPECT_TRUE(read_file(here / "interview.srt", 1 << 20).value().starts_with("1\n00:00:00,"));
}

}  // namespace
}  // namespace hansard
