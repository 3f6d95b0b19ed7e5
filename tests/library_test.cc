// What people keep on the server, over HTTP: recordings in parts, and what is made of them for looking and
// listening.

#include <gtest/gtest.h>

#include <csignal>

#include <fmt/format.h>

#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using http::Client;
using http::ClientResponse;

class ServedLibraryModel : public ServerProgram {
 protected:
  // The code and the field of a refusal.
  static std::string refusal(const ClientResponse& response) {
    const bj::object answer = object(response);
    const bj::value* error = answer.if_contains("error");
    if (error == nullptr) return "(none)";
    return fmt::format("{} {} {}", response.status, text(error->as_object(), "code"),
                       text(error->as_object(), "field"));
  }
  // Nine megabytes of sound, which are two parts.
  static std::string long_recording() {
    uint32_t seed = 1;
    return wav(4'700'000, [&seed](size_t) {
      seed = seed * 1664525 + 1013904223;
      return static_cast<double>(seed >> 16) / 65536 - 0.5;
    });
  }
  static constexpr size_t kPartBytes = 8 << 20;
  std::string begin_upload(const Serving& server, const std::string& bytes, const std::string& sha256) const {
    const ClientResponse made = server.request(
        "POST", "/api/v1/uploads",
        json::to_text(bj::object{{"name", "long.wav"}, {"size_bytes", bytes.size()}, {"sha256", sha256}}));
    EXPECT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(object(made).at("part_bytes"), static_cast<int64_t>(kPartBytes));
    return text(object(made), "id");
  }
  ClientResponse put(const Serving& server, const std::string& id, int number, std::string_view bytes) const {
    return server.request("PUT", fmt::format("/api/v1/uploads/{}/parts/{}", id, number), bytes);
  }
};

TEST_F(ServedLibraryModel, AnUploadInPartsGoesOnAfterARestartAndBecomesOneFile) {
  const std::string bytes = long_recording();
  const std::string_view first = std::string_view(bytes).substr(0, kPartBytes);
  const std::string_view second = std::string_view(bytes).substr(kPartBytes);
  std::string id;
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    id = begin_upload(server, bytes, sha256_hex(bytes));
    const ClientResponse part = put(server, id, 2, second);
    EXPECT_EQ(part.status, 200) << part.body;
    EXPECT_EQ(text(object(part), "sha256"), sha256_hex(second));
    EXPECT_EQ(refusal(server.request("POST", "/api/v1/uploads/" + id + ":complete")), "409 CONFLICT ");
    // The next part breaks off, and the server dies.
    Client broken(server.port());
    broken.send(fmt::format(
        "PUT /api/v1/uploads/{}/parts/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\nRIFF", id,
        first.size()));
    server.child().kill(SIGKILL);
    server.child().wait();
  }
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const bj::object there = object(server.get("/api/v1/uploads/" + id));
  EXPECT_EQ(there.at("received_bytes"), static_cast<int64_t>(second.size()));
  ASSERT_EQ(there.at("parts").as_array().size(), 1U);
  EXPECT_EQ(there.at("parts").as_array()[0].at("number"), 2);
  EXPECT_EQ(put(server, id, 1, first).status, 200);
  const ClientResponse completed = server.request("POST", "/api/v1/uploads/" + id + ":complete");
  EXPECT_EQ(completed.status, 201) << completed.body;
  const bj::object file = object(completed);
  EXPECT_EQ(file.at("status"), "ready");
  EXPECT_EQ(file.at("title"), "long.wav");
  EXPECT_EQ(text(file, "sha256"), sha256_hex(bytes));
  // Once more gives the same file, and the parts are gone.
  const ClientResponse again = server.request("POST", "/api/v1/uploads/" + id + ":complete");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, completed.body);
  EXPECT_EQ(again.headers.at("location"), completed.headers.at("location"));
  EXPECT_EQ(server.get("/api/v1/uploads/" + id).status, 404);
  EXPECT_EQ(put(server, id, 1, first).status, 404);
  EXPECT_EQ(files_under(data() / "blobs"), 1U);
  EXPECT_EQ(server.get("/api/v1/files/" + text(file, "id") + "/audio").body, bytes);
}

TEST_F(ServedLibraryModel, TitlesAreCountedInCharacters) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const auto eszetts = [](size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += "\u00df";
    return text;
  };
  const std::string sound = wav(16'000, [](size_t) { return 0.1; });
  const auto upload = [&](std::string_view name, const std::map<std::string, std::string>& fields = {}) {
    return server.request("POST", "/api/v1/files", http::form(sound, name, fields), http::kFormHeader);
  };
  // A name that is too long is cut between two characters.
  const bj::object file = object(upload("a" + eszetts(600)));
  EXPECT_EQ(text(file, "title"), "a" + eszetts(499));
  EXPECT_EQ(text(object(upload("a", {{"title", eszetts(500)}})), "title"), eszetts(500));
  EXPECT_EQ(refusal(upload("a", {{"title", eszetts(501)}})), "422 UNPROCESSABLE title");
  const auto rename = [&](const std::string& title) {
    return server.request("PATCH", "/api/v1/files/" + text(file, "id"),
                          json::to_text(bj::object{{"title", title}}));
  };
  EXPECT_EQ(rename(eszetts(500)).status, 200);
  EXPECT_EQ(refusal(rename(eszetts(501))), "422 UNPROCESSABLE title");
}

TEST_F(ServedLibraryModel, WhatIsWrongWithAnUploadInPartsIsSaid) {
  Serving server = serve({"HANSARD_MAX_UPLOAD_MB=16"});
  ASSERT_TRUE(server.listens()) << server.log();
  const auto create = [&](std::string_view body, std::string_view headers = {}) {
    return server.request("POST", "/api/v1/uploads", body, headers);
  };
  EXPECT_EQ(refusal(create(R"({"size_bytes":1})")), "422 UNPROCESSABLE name");
  EXPECT_EQ(refusal(create(R"({"name":"a"})")), "422 UNPROCESSABLE size_bytes");
  EXPECT_EQ(refusal(create(R"({"name":"a","size_bytes":0})")), "422 UNPROCESSABLE size_bytes");
  EXPECT_EQ(refusal(create(R"({"name":"a","size_bytes":1.5})")), "422 UNPROCESSABLE size_bytes");
  EXPECT_EQ(refusal(create(R"({"name":"a","size_bytes":16777217})")), "413 PAYLOAD_TOO_LARGE size_bytes");
  EXPECT_EQ(refusal(create(R"({"name":"a","size_bytes":18446744073709551615})")),
            "413 PAYLOAD_TOO_LARGE size_bytes");
  EXPECT_EQ(refusal(create(R"({"name":"a","size_bytes":1,"sha256":"F"})")), "422 UNPROCESSABLE sha256");
  EXPECT_EQ(refusal(create(R"({"name":"a","size_bytes":1,"more":1})")), "400 INVALID_REQUEST more");

  const std::string key = "Idempotency-Key: one\r\n";
  const std::string wanted = R"({"name":"a.wav","size_bytes":4.0})";
  const ClientResponse made = create(wanted, key);
  EXPECT_EQ(create(wanted, key).body, made.body);
  EXPECT_EQ(create(R"({"name":"b.wav","size_bytes":4})", key).status, 409);
  const std::string id = text(object(made), "id");
  for (const char* number : {"0", "2", "-1", "one", "1x", "99999999999999999999"}) {
    EXPECT_EQ(refusal(server.request("PUT", "/api/v1/uploads/" + id + "/parts/" + number, "1234")),
              "422 UNPROCESSABLE n")
        << number;
  }
  EXPECT_EQ(refusal(put(server, id, 1, "123")), "422 UNPROCESSABLE size_bytes");
  for (const char* chunks : {"5\r\n12345\r\n0\r\n\r\n", "3\r\n123\r\n0\r\n\r\n"}) {
    Client client(server.port());
    client.send(fmt::format(
        "PUT /api/v1/uploads/{}/parts/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        id, chunks));
    EXPECT_EQ(refusal(client.receive()), "422 UNPROCESSABLE size_bytes") << chunks;
  }
  EXPECT_EQ(put(server, "up_x", 1, "1234").status, 404);
  EXPECT_EQ(files_under(data() / "blobs"), 0U);

  // What arrived is no recording: nothing becomes of it, and deleting it leaves nothing.
  EXPECT_EQ(put(server, id, 1, "1234").status, 200);
  EXPECT_EQ(server.request("POST", "/api/v1/uploads/" + id + ":complete").status, 415);
  EXPECT_EQ(object(server.get("/api/v1/uploads/" + id)).at("received_bytes"), 4);
  EXPECT_EQ(server.request("DELETE", "/api/v1/uploads/" + id).status, 204);
  EXPECT_EQ(server.request("DELETE", "/api/v1/uploads/" + id).status, 404);
  EXPECT_EQ(server.request("POST", "/api/v1/uploads/" + id + ":complete").status, 404);
  const ClientResponse promised =
      create(json::to_text(bj::object{{"name", "a"}, {"size_bytes", 4}, {"sha256", sha256_hex("good")}}));
  const std::string other = text(object(promised), "id");
  EXPECT_EQ(put(server, other, 1, "evil").status, 200);
  EXPECT_EQ(refusal(server.request("POST", "/api/v1/uploads/" + other + ":complete")),
            "422 UNPROCESSABLE sha256");
  EXPECT_EQ(server.request("DELETE", "/api/v1/uploads/" + other).status, 204);
  EXPECT_EQ(files_under(data() / "blobs"), 0U);
  EXPECT_TRUE(object(server.get("/api/v1/files")).at("items").as_array().empty());
}

TEST_F(ServedLibraryModel, ARecordingIsDrawnAndPlayedAndBothGoWithIt) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  // A-law is what telephones record, and no browser plays.
  const std::string sound = wav(32'000, [](size_t i) { return i < 16'000 ? 0.0 : i % 2 == 0 ? 0.5 : -0.5; });
  const fs::path plain = write("plain.wav", sound);
  const fs::path alaw = folder_ / "alaw.wav";
  ASSERT_TRUE(run_child({.argv = {"ffmpeg", "-v", "error", "-i", plain, "-c:a", "pcm_alaw", alaw}},
                        std::chrono::seconds(30), 1 << 20)
                  ->exit.ok());
  const std::string bytes = read_file(alaw, 1 << 20).value();
  const ClientResponse made =
      server.request("POST", "/api/v1/files", http::form(bytes, "alaw.wav"), http::kFormHeader);
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string base = "/api/v1/files/" + text(object(made), "id");

  const ClientResponse drawn = server.get(base + "/waveform?points=4");
  ASSERT_EQ(drawn.status, 200) << drawn.body;
  EXPECT_NEAR(object(drawn).at("duration_seconds").to_number<double>(), 2, 0.01);
  const bj::array peaks = object(drawn).at("peaks").as_array();
  ASSERT_EQ(peaks.size(), 4U);
  EXPECT_NEAR(peaks[0].to_number<double>(), 0, 0.01);
  EXPECT_NEAR(peaks[3].to_number<double>(), 0.5, 0.05);
  EXPECT_EQ(object(server.get(base + "/waveform")).at("peaks").as_array().size(), 1000U);
  const std::string known = "If-None-Match: " + drawn.headers.at("etag") + "\r\n";
  EXPECT_EQ(server.request("GET", base + "/waveform?points=4", {}, known).status, 304);
  for (const char* points : {"0", "10001", "-3", "many", "1.5", ""}) {
    EXPECT_EQ(refusal(server.get(base + "/waveform?points=" + points)), "422 UNPROCESSABLE points") << points;
  }

  EXPECT_EQ(server.get(base + "/audio").body, bytes);
  const ClientResponse played = server.get(base + "/audio?rendition=playback");
  EXPECT_EQ(played.status, 200);
  EXPECT_EQ(played.headers.at("content-type"), "audio/mp4");
  EXPECT_EQ(played.body.substr(4, 4), "ftyp");
  const ClientResponse part =
      server.request("GET", base + "/audio?rendition=playback", {},
                     "Range: bytes=4-7\r\nIf-Range: " + played.headers.at("etag") + "\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "ftyp");
  EXPECT_NE(played.headers.at("etag"), server.get(base + "/audio").headers.at("etag"));
  EXPECT_EQ(refusal(server.get(base + "/audio?rendition=tape")), "422 UNPROCESSABLE rendition");

  EXPECT_EQ(files_under(data() / "blobs/renditions"), 2U);
  EXPECT_EQ(server.request("DELETE", base + "?purge=true").status, 204);
  EXPECT_EQ(files_under(data() / "blobs"), 0U);
  EXPECT_EQ(files_under(data() / "spool"), 0U);
}

TEST_F(ServedLibraryModel, ModelsAreInstalledListedAndRemoved) {
  // Nobody listens there.
  Serving server = serve({"HF_ENDPOINT=http://127.0.0.1:1"});
  ASSERT_TRUE(server.listens()) << server.log();
  std::map<std::string, bj::object> listed;
  const bj::object list = object(server.get("/api/v1/models/transcription"));
  for (const bj::value& item : list.at("items").as_array()) {
    listed[text(item.as_object(), "id")] = item.as_object();
  }
  EXPECT_TRUE(listed.at("whisper-base").at("installed").as_bool());
  EXPECT_EQ(listed.at("whisper-base").at("languages").as_array().size(), 99U);
  EXPECT_EQ(listed.at("whisper-large-v3").at("languages").as_array().size(), 100U);
  EXPECT_EQ(listed.at("whisper-tiny.en").at("languages"), bj::array{"en"});

  Client events(server.port());
  events.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_NE(events.read_until("id: 0\n\n").find("text/event-stream"), std::string::npos);
  const ClientResponse here = server.request("POST", "/api/v1/models/base:install");
  EXPECT_EQ(here.status, 202) << here.body;
  EXPECT_EQ(object(here), (bj::object{{"id", "whisper-base"}, {"status", "installing"}}));
  EXPECT_NE(events.read_until(R"(data: {"id":"whisper-base"})").find("event: model.ready"),
            std::string::npos);
  EXPECT_EQ(server.request("POST", "/api/v1/models/whisper-small:install").status, 202);
  const std::string failed = events.read_until("\"}}\n\n");
  EXPECT_NE(failed.find("event: model.failed"), std::string::npos) << failed;
  EXPECT_NE(failed.find(R"("id":"whisper-small","error":{"code":"MODEL_UNAVAILABLE")"), std::string::npos)
      << failed;
  EXPECT_EQ(failed.find(folder_.string()), std::string::npos) << failed;

  EXPECT_EQ(refusal(server.request("DELETE", "/api/v1/models/whisper-base")), "409 CONFLICT ");
  EXPECT_EQ(refusal(server.request("DELETE", "/api/v1/models/whisper-medium")), "404 NOT_FOUND ");
  EXPECT_EQ(refusal(server.request("POST", "/api/v1/models/whisper-huge:install")), "404 NOT_FOUND ");
}

TEST_F(ServedLibraryModel, AModelIsNotTakenFromUnderATranscription) {
  // A copy of our own, which could be removed.
  fs::create_directories(data() / "models");
  fs::copy(models() / "whisper-base", data() / "models/whisper-base", fs::copy_options::recursive);
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string bytes = read_file(recording("endgame_nagg_nell.wav"), 64 << 20).value();
  const std::string id = server.submit(bytes, {{"options", R"({"diarization":false})"}});
  Client events(server.port());
  events.send("GET /api/v1/transcriptions/" + id + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  events.read_until("\"status\":\"processing\"");
  const ClientResponse refused = server.request("DELETE", "/api/v1/models/base");
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.body.find("in work"), std::string::npos) << refused.body;
  EXPECT_EQ(server.wait_for_end(id).at("status"), "completed");
  EXPECT_EQ(server.request("DELETE", "/api/v1/models/base").status, 204);
  EXPECT_FALSE(fs::exists(data() / "models/whisper-base"));
}

TEST_F(ServedLibraryModel, ShortQueuesAndFullShelvesSayWhenAndWhatToDo) {
  // No slot finds an engine, so what is queued stays there or comes back.
  Serving server =
      serve({"HANSARD_QUEUE_LIMIT_PER_USER=1", "HANSARD_STORAGE_GB_PER_USER=1", "HANSARD_MAX_UPLOAD_MB=2000",
             "HANSARD_MODEL_PATH=none", "HF_ENDPOINT=http://127.0.0.1:1"});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string recording = wav(16'000, [](size_t) { return 0.0; });
  const std::string first = server.submit(recording);
  ASSERT_FALSE(first.empty());
  const auto refused = [&] {
    const ClientResponse response = server.request(
        "POST", "/api/v1/transcriptions",
        json::to_text(
            bj::object{{"file_id", text(object(server.get("/api/v1/transcriptions/" + first)), "file_id")}}));
    return response;
  };
  // The first may be in work for a moment: then there is room for one.
  ClientResponse full = refused();
  for (int i = 0; full.status == 202 && i < 3; ++i) full = refused();
  expect_problem(full, 429, "RATE_LIMITED");
  EXPECT_EQ(full.headers.at("retry-after"), "60");
  const size_t files = object(server.get("/api/v1/files")).at("items").as_array().size();
  EXPECT_TRUE(server.submit(recording).empty());
  EXPECT_EQ(object(server.get("/api/v1/files")).at("items").as_array().size(), files);

  const ClientResponse large =
      server.request("POST", "/api/v1/uploads",
                     json::to_text(bj::object{{"name", "long.wav"}, {"size_bytes", 1'000'000'000}}));
  expect_problem(large, 507, "INSUFFICIENT_STORAGE");
  EXPECT_NE(text(object(large).at("error").as_object(), "message").find("may take 1 GB"), std::string::npos);
  EXPECT_EQ(server
                .request("POST", "/api/v1/uploads",
                         json::to_text(bj::object{{"name", "long.wav"}, {"size_bytes", 900'000'000}}))
                .status,
            201);
}

TEST_F(ServedLibraryModel, EverythingOfAUserComesAsOneTar) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string recording = bytes_of("endgame_nagg_nell.wav");
  const std::string id = server.submit(
      recording,
      {{"title", "Nagg / Nell, das Gespräch"}, {"options", R"({"model":"tiny.en","diarization":false})"}});
  ASSERT_EQ(text(server.wait_for_end(id), "status"), "completed");
  const auto hook =
      server.request("POST", "/api/v1/webhooks",
                     R"({"url":"https://hooks.invalid/a","events":["transcription.completed"]})");
  ASSERT_EQ(hook.status, 201) << hook.body;
  const ClientResponse response = server.get("/api/v1/export");
  ASSERT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.at("content-type"), "application/x-tar");
  const fs::path tar = write("export.tar", response.body);
  auto archive = Archive::open(tar, Archive::Format::tar, {.bytes = 1 << 30}).value();
  std::map<std::string, std::string> members;
  while (auto entry = archive.next().value()) {
    ASSERT_TRUE(archive.read([&](std::string_view piece) -> Result<void> {
      members[entry->path] += piece;
      return {};
    }));
  }
  const std::string file = text(object(server.get("/api/v1/transcriptions/" + id)), "file_id");
  const std::string folder = "transcriptions/" + id;
  EXPECT_EQ(members.size(), 6U);
  EXPECT_EQ(members["recordings/" + file + "/Nagg _ Nell, das Gespräch.wav"], recording);
  EXPECT_EQ(members["recordings/" + file + "/recording.json"], server.get("/api/v1/files/" + file).body);
  EXPECT_EQ(members[folder + "/transcript.1.json"],
            server.get("/api/v1/transcriptions/" + id + "/transcript").body);
  EXPECT_EQ(members[folder + "/transcript.md"],
            server.get("/api/v1/transcriptions/" + id + "/transcript?format=md").body);
  EXPECT_TRUE(members.contains(folder + "/transcription.json"));
  const bj::object account = json::parse_object(members["account.json"]).value();
  EXPECT_TRUE(account.contains("profiles"));
  EXPECT_EQ(account.at("webhooks").at(0).at("url"), "https://hooks.invalid/a");
  EXPECT_EQ(members["account.json"].find("whsec_"), std::string::npos);
}

}  // namespace
}  // namespace hansard
