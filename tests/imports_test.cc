// Recordings that the server brings from addresses: from a server on the loopback, which the configuration
// must allow.

#include <gtest/gtest.h>

#include <csignal>
#include <latch>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/test_server.h"
#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
using http::Client;
using http::ClientResponse;

constexpr const char* kAllow = "HANSARD_FETCH_ALLOW=127.0.0.1";

class ImportsModel : public ServerProgram {
 protected:
  static ClientResponse import(const Serving& server, const std::string& url, std::string_view title = {},
                               std::string_view headers = {}) {
    bj::object body{{"url", url}};
    if (!title.empty()) body["title"] = title;
    return server.request("POST", "/api/v1/files:import-url", json::to_text(body), headers);
  }
  // A client that hears of everything from now on.
  static Client events(const Serving& server) {
    Client client(server.port());
    client.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.read_until("id: 0\n\n");
    return client;
  }
  // The event that ends the import, as it stands in the stream.
  static std::string end_of(Client& client, const std::string& id) {
    for (;;) {
      const std::string event = client.read_until("\n\n");
      const bool end = event.find("event: file.ready") != std::string::npos ||
                       event.find("event: file.failed") != std::string::npos;
      if (event.empty() || (end && event.find(id) != std::string::npos)) return event;
    }
  }
};

TEST_F(ImportsModel, ARecordingIsBroughtAndTranscribedByOneWhoDidNotWait) {
  const std::string bytes = bytes_of("endgame_nagg_nell.wav");
  std::latch gate(1);
  const TestServer source([&](const TestRequest& request) -> TestResponse {
    if (request.path == "/talk")
      return {.status = 302, .headers = {{"Location", "/files/a%20talk.wav?signed=1"}}};
    gate.wait();
    return {.body = bytes};
  });
  Serving server = serve({kAllow});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string key = "Idempotency-Key: one\r\n";
  const ClientResponse made = import(server, source.address() + "/talk", {}, key);
  ASSERT_EQ(made.status, 202) << made.body;
  const std::string id = text(object(made), "id");
  EXPECT_EQ(made.headers.at("location"), "/api/v1/files/" + id);
  EXPECT_EQ(object(made).at("status"), "processing");
  EXPECT_EQ(object(made).at("kind"), "url");
  EXPECT_EQ(import(server, source.address() + "/talk", {}, key).body, made.body);
  expect_problem(import(server, source.address() + "/other", {}, key), 409, "CONFLICT");

  const ClientResponse job =
      server.request("POST", "/api/v1/transcriptions",
                     json::to_text(bj::object{{"file_id", id},
                                              {"options", {{"diarization", false}, {"model", "tiny.en"}}}}));
  ASSERT_EQ(job.status, 202) << job.body;
  EXPECT_EQ(object(job).at("progress_stage"), "downloading");
  expect_problem(server.get("/api/v1/files/" + id + "/audio"), 404, "NOT_FOUND");
  expect_problem(server.get("/api/v1/files/" + id + "/waveform"), 409, "CONFLICT");
  expect_problem(server.request("DELETE", "/api/v1/files/" + id), 409, "CONFLICT");
  gate.count_down();
  EXPECT_EQ(server.wait_for_end(text(object(job), "id")).at("status"), "completed");
  const bj::object file = object(server.get("/api/v1/files/" + id));
  EXPECT_EQ(file.at("status"), "ready");
  EXPECT_EQ(file.at("title"), "a talk.wav");
  EXPECT_EQ(text(file, "sha256"), sha256_hex(bytes));
  EXPECT_EQ(server.get("/api/v1/files/" + id + "/audio").body, bytes);
  EXPECT_EQ(source.count("/talk"), 1);
}

TEST_F(ImportsModel, WhatIsNotPublicIsNotAsked) {
  const TestServer secret([](const TestRequest&) -> TestResponse { return {.body = "secret"}; });
  const std::string port = secret.address().substr(secret.address().rfind(':') + 1);
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  for (const char* host :
       {"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
        "0.0.0.0", "169.254.169.254", "10.0.0.1", "[fd00:ec2::254]"}) {
    expect_problem(import(server, fmt::format("http://{}:{}/", host, port)), 422, "UNPROCESSABLE", "url");
  }
  for (const char* url :
       {"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.org/a.mp3", "a.mp3", ""}) {
    expect_problem(import(server, url), 422, "UNPROCESSABLE", "url");
  }
  expect_problem(server.request("POST", "/api/v1/files:import-url", "{}"), 422, "UNPROCESSABLE", "url");
  expect_problem(server.request("POST", "/api/v1/files:import-url", R"({"url":7})"), 422, "UNPROCESSABLE",
                 "url");
  expect_problem(server.request("POST", "/api/v1/files:import-url", R"({"url":"http://a.example","at":1})"),
                 400, "INVALID_REQUEST", "at");
  EXPECT_TRUE(object(server.get("/api/v1/files")).at("items").as_array().empty());
  // What a name stands for is found out later.
  Client client = events(server);
  const std::string id = text(object(import(server, "http://localhost:" + port + "/")), "id");
  EXPECT_NE(end_of(client, id).find("ADDRESS_REFUSED"), std::string::npos);
  const bj::object error = object(server.get("/api/v1/files/" + id)).at("error").as_object();
  EXPECT_EQ(text(error, "code"), "ADDRESS_REFUSED");
  EXPECT_TRUE(secret.requests().empty());
  EXPECT_EQ(files_under(data() / "blobs"), 0U);
}

TEST_F(ImportsModel, ARedirectionToWhatIsNotPublicIsNotFollowed) {
  const TestServer secret([](const TestRequest&) -> TestResponse { return {.body = "secret"}; });
  const std::string port = secret.address().substr(secret.address().rfind(':') + 1);
  const TestServer source([&](const TestRequest& request) -> TestResponse {
    const std::string to = request.path == "/name" ? "localhost.localdomain" : request.path.substr(1);
    return {.status = 301, .headers = {{"Location", fmt::format("http://{}:{}/", to, port)}}};
  });
  Serving server = serve({kAllow});
  ASSERT_TRUE(server.listens()) << server.log();
  Client client = events(server);
  for (const char* to : {"127.0.0.2", "[::1]", "0x7f000002", "0.0.0.0"}) {
    const std::string id = text(object(import(server, source.address() + "/" + to)), "id");
    EXPECT_NE(end_of(client, id).find("ADDRESS_REFUSED"), std::string::npos) << to;
  }
  EXPECT_TRUE(secret.requests().empty());
}

TEST_F(ImportsModel, OneThatIsTooLargeOrNoRecordingFailsAndOneThatIsDeletedEnds) {
  const TestServer source([](const TestRequest& request) -> TestResponse {
    if (request.path == "/large") return {.body = std::string((1 << 20) + 1, 'x')};
    if (request.path == "/slow")
      return {.body = std::string(4000, 'x'), .break_after = 1000, .silent_after = true};
    return {.body = "no sound"};
  });
  Serving server = serve({kAllow, "HANSARD_MAX_UPLOAD_MB=1"});
  ASSERT_TRUE(server.listens()) << server.log();
  Client client = events(server);
  const auto fails_with = [&](const std::string& path) {
    const std::string id = text(object(import(server, source.address() + path, "Talk")), "id");
    end_of(client, id);
    const bj::object file = object(server.get("/api/v1/files/" + id));
    EXPECT_EQ(file.at("title"), "Talk");
    expect_problem(
        server.request("POST", "/api/v1/transcriptions", json::to_text(bj::object{{"file_id", id}})), 409,
        "CONFLICT", "file_id");
    return text(file.at("error").as_object(), "code");
  };
  EXPECT_EQ(fails_with("/large"), "TOO_LARGE");
  EXPECT_EQ(fails_with("/text"), "UNSUPPORTED_MEDIA");
  const std::string slow = text(object(import(server, source.address() + "/slow")), "id");
  client.read_until("received_bytes");
  EXPECT_EQ(server.request("DELETE", "/api/v1/files/" + slow).status, 204);
  EXPECT_EQ(server.get("/api/v1/files/" + slow).status, 404);
  expect_problem(server.request("POST", "/api/v1/files/" + slow + ":restore"), 404, "NOT_FOUND");
  server.child().kill(SIGTERM);
  EXPECT_TRUE(server.child().wait().ok()) << server.log();
  EXPECT_EQ(files_under(data() / "blobs"), 0U);
}

TEST_F(ImportsModel, AVideoIsBroughtByYtDlp) {
  write("video.wav", wav(16'000, [](size_t i) { return i % 2 == 0 ? 0.5 : -0.5; }));
  const std::filesystem::path script =
      write("yt-dlp",
            "#!/bin/sh\ncase \"$*\" in\n"
            "*dQw4w9WgXcQ) echo 'hansard-title:\"A talk\"' >&2; exec cat \"${0%/*}/video.wav\";;\n"
            "*) echo 'ERROR: [youtube] x: Private video' >&2; exit 1;;\nesac\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  Serving server = serve({fmt::format("PATH={}:{}", folder_.string(), std::getenv("PATH"))});
  ASSERT_TRUE(server.listens()) << server.log();
  Client client = events(server);
  const auto video = [&](const std::string& url) {
    return server.request("POST", "/api/v1/files:import-youtube", json::to_text(bj::object{{"url", url}}));
  };
  const ClientResponse made = video("https://youtu.be/dQw4w9WgXcQ?si=x");
  ASSERT_EQ(made.status, 202) << made.body;
  EXPECT_EQ(object(made).at("title"), "YouTube dQw4w9WgXcQ");
  const std::string id = text(object(made), "id");
  end_of(client, id);
  const bj::object file = object(server.get("/api/v1/files/" + id));
  EXPECT_EQ(file.at("status"), "ready");
  EXPECT_EQ(file.at("kind"), "youtube");
  EXPECT_EQ(file.at("title"), "A talk");
  const ClientResponse other = video("https://www.youtube.com/watch?v=AAAAAAAAAAA");
  const std::string failed = end_of(client, text(object(other), "id"));
  EXPECT_NE(failed.find(R"("error":{"code":"PRIVATE","message":"this video is not for everyone"})"),
            std::string::npos)
      << failed;
  for (const char* url :
       {"https://example.org/watch?v=dQw4w9WgXcQ", "https://www.youtube.com/playlist?list=x", ""}) {
    expect_problem(video(url), 422, "UNPROCESSABLE", "url");
  }
}

TEST_F(ImportsModel, WithoutYtDlpThatIsSaid) {
  // ffmpeg is there, and no yt-dlp.
  const std::filesystem::path programs = folder_ / "programs";
  std::filesystem::create_directory(programs);
  for (const char* name : {"ffmpeg", "ffprobe"}) {
    std::filesystem::create_symlink(std::filesystem::path("/usr/bin") / name, programs / name);
  }
  Serving server = serve({"PATH=" + programs.string()});
  ASSERT_TRUE(server.listens()) << server.log();
  const ClientResponse refused =
      server.request("POST", "/api/v1/files:import-youtube", R"({"url":"https://youtu.be/dQw4w9WgXcQ"})");
  expect_problem(refused, 501, "NOT_IMPLEMENTED");
  EXPECT_NE(refused.body.find("yt-dlp is not installed"), std::string::npos) << refused.body;
}

TEST_F(ImportsModel, AsUnderCesarAnAddressIsATranscriptionAndIsNotFetchedTwice) {
  const std::string bytes = wav(16'000, [](size_t i) { return i % 2 == 0 ? 0.5 : -0.5; });
  const TestServer source([&](const TestRequest& request) -> TestResponse {
    return {.body = request.path == "/a.wav" ? bytes : "no sound"};
  });
  Serving server = serve({kAllow});
  ASSERT_TRUE(server.listens()) << server.log();
  const auto transcribe = [&](const std::string& path) {
    const ClientResponse made =
        server.request("POST", "/transcribe/url",
                       json::to_text(bj::object{{"url", source.address() + path}, {"diarize", false}}));
    EXPECT_EQ(made.status, 202) << made.body;
    server.wait_for_end(text(object(made), "id"));
    return object(server.get("/jobs/" + text(object(made), "id")));
  };
  EXPECT_EQ(transcribe("/a.wav").at("status"), "completed");
  EXPECT_EQ(transcribe("/a.wav").at("status"), "completed");
  EXPECT_EQ(source.count("/a.wav"), 1);
  const bj::object failed = transcribe("/text");
  EXPECT_EQ(failed.at("status"), "error");
  EXPECT_NE(text(failed, "error_message").find("not an audio or video file"), std::string::npos);
  // What failed is tried anew.
  transcribe("/text");
  EXPECT_EQ(source.count("/text"), 2);
}

TEST_F(ImportsModel, ACrashCostsAnImportNothing) {
  const std::string bytes = wav(16'000, [](size_t i) { return i % 2 == 0 ? 0.5 : -0.5; });
  std::atomic<bool> silent = true;
  const TestServer source([&](const TestRequest&) -> TestResponse {
    return {.body = bytes,
            .break_after = silent ? std::optional<size_t>(1000) : std::nullopt,
            .silent_after = silent};
  });
  std::string id;
  {
    Serving server = serve({kAllow});
    ASSERT_TRUE(server.listens()) << server.log();
    Client client = events(server);
    id = text(object(import(server, source.address() + "/a.wav")), "id");
    client.read_until("received_bytes");
    server.child().kill(SIGKILL);
    server.child().wait();
  }
  silent = false;
  Serving server = serve({kAllow});
  ASSERT_TRUE(server.listens()) << server.log();
  Client client(server.port());
  client.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0\r\n\r\n");
  end_of(client, id);
  const bj::object file = object(server.get("/api/v1/files/" + id));
  EXPECT_EQ(file.at("status"), "ready");
  EXPECT_EQ(text(file, "sha256"), sha256_hex(bytes));
}

}  // namespace
}  // namespace hansard
