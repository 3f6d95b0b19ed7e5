// The routes that clients of other services ask, with real models: what those services answer is what comes.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using http::Client;
using http::ClientResponse;
using Fields = std::map<std::string, std::string>;
using namespace std::chrono_literals;

class OthersModel : public ServerProgram {
 protected:
  // The first column of what a query of the server's database gives.
  std::vector<std::string> rows(const std::string& query) const {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open((data() / "hansard.db").c_str(), &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    std::vector<std::string> values;
    const auto add = [](void* to, int, char** row, char**) {
      static_cast<std::vector<std::string>*>(to)->emplace_back(row[0] == nullptr ? "" : row[0]);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(database, query.c_str(), add, &values, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
    return values;
  }
  // Asks until it is so.
  void wait_for(const std::string& query, const std::string& value) const {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (rows(query) != std::vector{value}) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << query;
      std::this_thread::sleep_for(5ms);
    }
  }
  static ClientResponse post(const Serving& server, std::string_view route, std::string_view recording,
                             const Fields& fields, std::string_view headers = {}) {
    return server.request("POST", route, http::form(recording, "a.wav", fields),
                          std::string(http::kFormHeader).append(headers));
  }
  static std::string sound(size_t samples) {
    return wav(samples, [](size_t i) { return 0.3 * static_cast<double>(i % 100) / 100; });
  }
  // Of an event stream: the data of each event of this name.
  static std::vector<bj::object> events(std::string_view stream, const std::string& name) {
    std::vector<bj::object> found;
    const std::string line = "event: " + name + "\ndata: ";
    for (size_t at = stream.find(line); at != std::string_view::npos; at = stream.find(line, at)) {
      at += line.size();
      found.push_back(
          json::parse_object(stream.substr(at, stream.find('\n', at) - at)).value_or(bj::object()));
    }
    return found;
  }
};

// ---- OpenAI

constexpr const char* kTranscriptions = "/v1/audio/transcriptions";

TEST_F(OthersModel, OpenAiGetsATranscriptInEachFormatAndNothingIsLeftInLists) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string recording = bytes_of("endgame_nagg_nell.wav");
  const auto ask = [&](Fields fields) {
    fields.emplace("model", "tiny.en");
    const ClientResponse response = post(server, kTranscriptions, recording, fields);
    EXPECT_EQ(response.status, 200) << response.body;
    return response;
  };
  const bj::object plain = object(ask({}));
  EXPECT_NE(text(plain, "text").find("hear me"), std::string::npos);
  EXPECT_EQ(plain.at("usage").at("seconds"), 29);
  EXPECT_EQ(ask({{"response_format", "text"}}).body, text(plain, "text") + "\n");
  EXPECT_TRUE(ask({{"response_format", "srt"}}).body.starts_with("1\n00:00:0"));
  EXPECT_TRUE(ask({{"response_format", "vtt"}}).body.starts_with("WEBVTT\n\n"));

  const Fields verbose{{"response_format", "verbose_json"}, {"language", "en"}, {"unknown", "ignored"}};
  bj::object detailed = object(ask(verbose));
  EXPECT_EQ(text(detailed, "language"), "english");
  EXPECT_EQ(text(detailed, "task"), "transcribe");
  EXPECT_GT(detailed.at("segments").as_array().size(), 3U);
  EXPECT_LT(detailed.at("segments").at(0).at("avg_logprob").to_number<double>(), 0);
  EXPECT_FALSE(detailed.contains("words"));
  Fields timed = verbose;
  timed["timestamp_granularities[]"] = "word";
  detailed = object(ask(timed));
  EXPECT_GT(detailed.at("words").as_array().size(), 50U);
  EXPECT_FALSE(detailed.contains("segments"));
  timed["timestamp_granularities"] = "segment";
  detailed = object(ask(timed));
  EXPECT_TRUE(detailed.contains("words") && detailed.contains("segments"));

  const bj::object diarized = object(ask({{"response_format", "diarized_json"}}));
  std::set<std::string> speakers;
  for (const bj::value& segment : diarized.at("segments").as_array())
    speakers.insert(text(segment.as_object(), "speaker"));
  EXPECT_EQ(speakers, (std::set<std::string>{"A", "B"}));

  // Nothing of it is to be seen.
  for (const char* list : {"files", "transcriptions"})
    EXPECT_TRUE(object(server.get(std::string("/api/v1/") + list)).at("items").as_array().empty()) << list;
  EXPECT_EQ(object(server.get("/api/v1/admin/queue")).at("completed"), 0);
  const std::string id = rows("SELECT id FROM transcriptions LIMIT 1").at(0);
  EXPECT_EQ(server.get("/api/v1/transcriptions/" + id).status, 404);

  // Unless it is to be kept.
  ask({{"store", "true"}});
  EXPECT_EQ(object(server.get("/api/v1/transcriptions")).at("items").as_array().size(), 1U);
  EXPECT_EQ(object(server.get("/api/v1/files")).at("items").as_array().size(), 1U);
  Client everything(server.port());
  everything.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0\r\n\r\n");
  const std::string events = everything.read_until("event: transcription.completed");
  EXPECT_EQ(events.find("transcription.created"), events.rfind("transcription.created"));
  EXPECT_EQ(events.find(id), std::string::npos);

  // The models that are here.
  const bj::object models = object(server.get("/v1/models"));
  std::set<std::string> names;
  for (const bj::value& model : models.at("data").as_array()) names.insert(text(model.as_object(), "id"));
  EXPECT_EQ(names, (std::set<std::string>{"whisper-1", "whisper-base", "whisper-tiny.en"}));
  EXPECT_EQ(text(object(server.get("/v1/models/whisper-1")), "object"), "model");
  EXPECT_EQ(server.get("/v1/models/whisper-9").status, 404);
}

TEST_F(OthersModel, OpenAiGetsTextAsItComes) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string recording = bytes_of("endgame_nagg_nell.wav");
  const auto stream = [&](const Fields& fields) {
    const std::string body = http::form(recording, "a.wav", fields);
    Client client(server.port());
    client.send(fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\n\r\n",
                            kTranscriptions, http::kFormHeader, body.size()));
    client.send(body);
    return client.read_until("never: the stream ends with the transcript");
  };
  const std::string told = stream({{"model", "tiny.en"}, {"stream", "true"}});
  std::string joined;
  const auto deltas = events(told, "transcript.text.delta");
  EXPECT_GT(deltas.size(), 3U);
  for (const bj::object& delta : deltas) joined += text(delta, "delta");
  const auto done = events(told, "transcript.text.done");
  ASSERT_EQ(done.size(), 1U) << told;
  EXPECT_EQ(joined, text(done[0], "text"));
  EXPECT_TRUE(events(told, "transcript.text.segment").empty());

  const std::string diarized =
      stream({{"model", "tiny.en"}, {"stream", "true"}, {"response_format", "diarized_json"}});
  const auto segments = events(diarized, "transcript.text.segment");
  ASSERT_GT(segments.size(), 3U) << diarized;
  EXPECT_EQ(text(segments[0], "speaker"), "A");
  EXPECT_EQ(events(diarized, "transcript.text.done").size(), 1U);
}

TEST_F(OthersModel, OpenAiIsRefusedInItsOwnWords) {
  Serving server = serve({"HANSARD_MAX_UPLOAD_MB=1", "SPEECH_ENGINE_AUTO_DOWNLOAD=false"});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string recording = sound(16'000);
  const auto refused = [&](const Fields& fields, const std::string& bytes, const char* route) {
    const ClientResponse response = post(server, route, bytes, fields);
    const bj::object answer = object(response);
    const bj::value* error = answer.if_contains("error");
    if (error == nullptr || !error->is_object()) return fmt::format("{} {}", response.status, response.body);
    EXPECT_EQ(error->as_object().size(), 4U) << response.body;
    EXPECT_FALSE(text(error->as_object(), "message").empty());
    return fmt::format("{} {} {} {}", response.status, text(error->as_object(), "type"),
                       text(error->as_object(), "param"), text(error->as_object(), "code"));
  };
  const std::string kBad = "400 invalid_request_error ";
  for (const auto& [fields, expected] : std::initializer_list<std::pair<Fields, std::string>>{
           {{{"model", "gpt-4o-transcribe"}}, "404 invalid_request_error model model_not_found"},
           {{}, kBad + "model "},
           {{{"model", "whisper-1"}, {"response_format", "mp3"}}, kBad + "response_format "},
           {{{"model", "whisper-1"}, {"language", "xx"}}, kBad + "language "},
           {{{"model", "whisper-1"}, {"temperature", "hot"}}, kBad + "temperature "},
           {{{"model", "whisper-1"}, {"temperature", "0.4"}}, kBad + "temperature unsupported_parameter"},
           {{{"model", "whisper-1"}, {"include[]", "logprobs"}}, kBad + "include[] unsupported_parameter"},
           {{{"model", "whisper-1"}, {"known_speaker_names[]", "Ada"}},
            kBad + "known_speaker_names[] unsupported_parameter"},
           {{{"model", "whisper-1"}, {"chunking_strategy[type]", "server_vad"}},
            kBad + "chunking_strategy unsupported_parameter"},
           {{{"model", "whisper-1"}, {"timestamp_granularities[]", "word"}},
            kBad + "timestamp_granularities "},
           {{{"model", "whisper-1"}, {"stream", "true"}, {"response_format", "srt"}},
            kBad + "stream unsupported_parameter"},
           {{{"model", "whisper-1"}, {"stream", "yes"}}, kBad + "stream "},
           {{{"model", "small"}}, "503 server_error  "}}) {
    EXPECT_EQ(refused(fields, recording, kTranscriptions), expected);
  }
  EXPECT_EQ(refused({{"model", "whisper-1"}}, "no sound", kTranscriptions), kBad + " ");
  EXPECT_EQ(refused({{"model", "whisper-1"}}, std::string(3 << 20, 'x'), kTranscriptions),
            "413 invalid_request_error file ");
  EXPECT_EQ(refused({{"model", "whisper-1"}, {"response_format", "diarized_json"}}, recording,
                    "/v1/audio/translations"),
            kBad + "response_format ");
  const ClientResponse no_file =
      server.request("POST", kTranscriptions,
                     "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b--\r\n",
                     http::kFormHeader);
  EXPECT_EQ(no_file.status, 400);
  EXPECT_NE(no_file.body.find(R"("param":"file")"), std::string::npos) << no_file.body;
  EXPECT_EQ(server.get("/v1/models/none").body.find("request_id"), std::string::npos);
}

TEST_F(OthersModel, WhoeverMayNotAskIsToldSoInTheWordsOfTheRoute) {
  Serving server = serve({"HANSARD_AUTH=required"});
  ASSERT_TRUE(server.listens()) << server.log();
  const ClientResponse openai = post(server, kTranscriptions, sound(1000), {{"model", "whisper-1"}},
                                     "Authorization: Bearer sk-wrong\r\n");
  EXPECT_EQ(openai.status, 401);
  EXPECT_EQ(openai.headers.at("www-authenticate"), "Bearer realm=\"hansard\"");
  EXPECT_EQ(object(openai).at("error").at("code"), "invalid_api_key");
  EXPECT_EQ(object(server.get("/v1/models")).at("error").at("code"), "invalid_api_key");
}

TEST_F(OthersModel, WhoLeavesFreesTheSlotAndAServerThatStopsWaitsForNobody) {
  std::optional<Serving> server = serve();
  ASSERT_TRUE(server->listens()) << server->log();
  const std::string recording = bytes_of("two_cities.wav");
  const std::string body = http::form(recording, "a.wav", {{"model", "whisper-1"}});
  const std::string head = fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\n\r\n",
                                       kTranscriptions, http::kFormHeader, body.size());
  std::optional<Client> waiting(server->port());
  waiting->send(head);
  waiting->send(body);
  wait_for("SELECT status FROM transcriptions", "processing");
  waiting.reset();
  wait_for("SELECT status FROM transcriptions", "canceled");
  // The slot takes the next at once, and what was said of the first is nobody's.
  const ClientResponse next =
      post(*server, kTranscriptions, sound(16'000), {{"model", "tiny.en"}, {"response_format", "text"}});
  EXPECT_EQ(next.status, 200) << next.body;

  // A server that dies has left its clients: what they waited for is not done at the next start.
  waiting.emplace(server->port());
  waiting->send(head);
  waiting->send(body);
  wait_for("SELECT COUNT(*) FROM transcriptions WHERE status = 'processing'", "1");
  server->child().kill(SIGKILL);
  server->child().wait();
  server.reset();
  server.emplace(serve({"TRANSCRIPTION_STOP_TIMEOUT=0.01s"}));
  ASSERT_TRUE(server->listens()) << server->log();
  EXPECT_EQ(rows("SELECT DISTINCT status FROM transcriptions ORDER BY 1"),
            (std::vector<std::string>{"canceled", "completed"}));
  // One that stops says so.
  Client last(server->port());
  last.send(head);
  last.send(body);
  wait_for("SELECT COUNT(*) FROM transcriptions WHERE status = 'processing'", "1");
  server->child().kill(SIGTERM);
  const ClientResponse stopped = last.receive();
  EXPECT_EQ(stopped.status, 503) << stopped.body;
  EXPECT_EQ(stopped.headers.at("retry-after"), "10");
}

// ---- Cesar

// A slot that has nothing to do may have taken it up before the answer was written.
bool is_to_be_done(const bj::object& job) {
  const bj::string& status = job.at("status").as_string();
  return status == "queued" || status == "processing";
}

TEST_F(OthersModel, ACesarJobWhoseSpeakersCouldNotBeToldApartIsPartialAndIsTriedAgain) {
  // All models but the one that tells voices apart, which comes later.
  const fs::path here = folder_ / "some-models";
  fs::create_directory(here);
  for (const char* name : {"whisper-base", "speech-silero"})
    fs::create_directory_symlink(models() / name, here / name);
  Serving server = serve({"HANSARD_MODEL_PATH=" + here.string(), "SPEECH_ENGINE_AUTO_DOWNLOAD=false"});
  ASSERT_TRUE(server.listens()) << server.log();
  const ClientResponse made = post(server, "/transcribe", bytes_of("endgame_nagg_nell.wav"), {});
  ASSERT_EQ(made.status, 202) << made.body;
  const bj::object job = object(made);
  const std::string id = text(job, "id");
  EXPECT_TRUE(is_to_be_done(job)) << made.body;
  EXPECT_EQ(text(job, "model_size"), "base");
  EXPECT_TRUE(job.at("diarize").as_bool());
  EXPECT_EQ(server.request("POST", "/jobs/" + id + "/retry").status, 400);

  server.wait_for_end(id);
  const bj::object partial = object(server.get("/jobs/" + id));
  EXPECT_EQ(text(partial, "status"), "partial");
  EXPECT_EQ(text(partial, "diarization_error_code"), "diarization_failed");
  EXPECT_FALSE(text(partial, "diarization_error").empty());
  EXPECT_EQ(partial.at("diarized"), false);
  EXPECT_NE(text(partial, "result_text").find("hear me"), std::string::npos);
  EXPECT_EQ(text(partial, "detected_language"), "en");
  EXPECT_EQ(object(server.get("/jobs?status=partial")).size(), 0U) << "it is a list";
  EXPECT_NE(server.get("/jobs?status=partial").body.find(id), std::string::npos);
  EXPECT_EQ(server.get("/jobs?status=completed").body, "[]");

  fs::create_directory_symlink(models() / "diarization-default", here / "diarization-default");
  const ClientResponse retried = server.request("POST", "/jobs/" + id + "/retry");
  ASSERT_EQ(retried.status, 202) << retried.body;
  EXPECT_EQ(text(object(retried), "id"), id);
  EXPECT_TRUE(is_to_be_done(object(retried))) << retried.body;
  EXPECT_EQ(text(object(retried), "result_text"), text(partial, "result_text")) << "the first text stays";
  server.wait_for_end(rows("SELECT id FROM transcriptions ORDER BY id DESC LIMIT 1").at(0));
  const bj::object completed = object(server.get("/jobs/" + id));
  EXPECT_EQ(text(completed, "status"), "completed");
  EXPECT_EQ(completed.at("speaker_count"), 2);
  EXPECT_EQ(completed.at("progress"), 100);
  EXPECT_NE(text(completed, "result_text").find("### Speaker 1"), std::string::npos);
  EXPECT_EQ(json::parse(server.get("/jobs").body).value().as_array().size(), 1U) << "still one job";
  EXPECT_EQ(server.request("POST", "/jobs/" + id + "/retry").status, 400);
}

TEST_F(OthersModel, AJobWhoseRecordingIsStillLookedAtWaitsForIt) {
  // Looking takes longer than an upload waits for it.
  const fs::path programs = folder_ / "programs";
  fs::create_directory(programs);
  const std::string path = std::getenv("PATH");
  std::ofstream(programs / "ffprobe") << "#!/bin/sh\nsleep 6\nPATH=" << path << "\nexec ffprobe \"$@\"\n";
  fs::permissions(programs / "ffprobe", fs::perms::owner_all);
  Serving server = serve({"PATH=" + programs.string() + ":" + path});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string recording = sound(16'000);
  std::jthread other([&] {
    const std::string id =
        server.submit(recording, {{"options", R"({"model":"tiny.en","diarization":false})"}});
    EXPECT_EQ(text(server.wait_for_end(id), "status"), "completed");
  });
  const ClientResponse made = post(server, "/transcribe", recording, {{"diarize", "false"}});
  ASSERT_EQ(made.status, 202) << made.body;
  EXPECT_EQ(text(object(made), "status"), "downloading");
  const std::string id = text(object(made), "id");
  server.wait_for_end(id);
  EXPECT_EQ(text(object(server.get("/jobs/" + id)), "status"), "completed");
}

TEST_F(OthersModel, CesarIsRefusedInItsOwnWords) {
  Serving server = serve({"HANSARD_MAX_UPLOAD_MB=1"});
  ASSERT_TRUE(server.listens()) << server.log();
  const auto refused = [&](const ClientResponse& response, int status) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_FALSE(text(object(response), "detail").empty()) << response.body;
  };
  refused(server.get("/jobs?status=lost"), 400);
  refused(server.get("/jobs/tr_01m878kq30b2v7xj5t1n8e4s6h"), 404);
  refused(server.request("POST", "/jobs/tr_01m878kq30b2v7xj5t1n8e4s6h/retry"), 404);
  refused(post(server, "/transcribe", sound(1600), {{"model", "huge"}}), 422);
  refused(post(server, "/transcribe", sound(1600), {{"diarize", "perhaps"}}), 422);
  refused(post(server, "/transcribe", sound(1600), {{"min_speakers", "3"}, {"max_speakers", "2"}}), 422);
  refused(post(server, "/transcribe", "no sound", {}), 415);
  refused(post(server, "/transcribe", std::string(3 << 20, 'x'), {}), 413);
  EXPECT_EQ(server.get("/jobs").body, "[]");
  const bj::object health = object(server.get("/health"));
  EXPECT_EQ(text(health, "status"), "healthy");
  EXPECT_EQ(text(health, "worker"), "running");
}

// ---- whisper-asr-webservice

TEST_F(OthersModel, AsrGetsATranscriptAndTheLanguage) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const auto ask = [&](const std::string& target, const Fields& fields = {}) {
    std::string body = http::form(bytes_of("endgame_nagg_nell.wav"), "a.wav", fields);
    const std::string file = "name=\"file\"";
    body.replace(body.find(file), file.size(), "name=\"audio_file\"");
    return server.request("POST", target, body, http::kFormHeader);
  };
  const ClientResponse language = ask("/detect-language?encode=true");
  EXPECT_EQ(language.body, R"({"detected_language":"english","language_code":"en"})");
  const ClientResponse plain = ask("/asr?encode=true&task=transcribe&output=txt");
  EXPECT_EQ(plain.status, 200) << plain.body;
  EXPECT_NE(plain.body.find("hear me"), std::string::npos);
  EXPECT_TRUE(plain.headers.at("content-type").starts_with("text/plain"));
  EXPECT_TRUE(ask("/asr?output=vtt").body.starts_with("WEBVTT"));
  const bj::object detailed = object(ask("/asr?output=json&word_timestamps=true&diarize=true"));
  EXPECT_EQ(text(detailed, "language"), "en");
  const bj::object segment = detailed.at("segments").at(0).as_object();
  EXPECT_EQ(text(segment, "speaker"), "SPEAKER_00");
  EXPECT_FALSE(segment.at("words").as_array().empty());
  // A prompt that is too long for an address goes into the form.
  std::string prompt;
  std::string escaped;
  for (int i = 0; i < 400; ++i) {
    prompt += "Нагг ";
    escaped += "%D0%9D%D0%B0%D0%B3%D0%B3+";
  }
  EXPECT_EQ(ask("/asr?initial_prompt=" + escaped).status, 414);
  EXPECT_EQ(ask("/asr", {{"initial_prompt", prompt}}).status, 200);
  EXPECT_EQ(ask("/asr", {{"initial_prompt", prompt + "!"}}).status, 422);
  EXPECT_EQ(ask("/asr?output=mp3").status, 422);
  EXPECT_EQ(text(object(ask("/asr?language=xx")), "detail").substr(0, 10), "language: ");
  EXPECT_TRUE(object(server.get("/api/v1/transcriptions")).at("items").as_array().empty());
}

}  // namespace
}  // namespace hansard
