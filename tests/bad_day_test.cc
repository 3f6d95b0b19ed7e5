// Bad input and bad days, over HTTP: each gets its answer, leaves nothing behind, and the next request is
// served.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "server_program.h"
#include "store/sqlite/full_text.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using http::Client;
using http::ClientResponse;

constexpr std::string_view kTiny = R"({"model":"whisper-tiny.en"})";
constexpr std::string_view kTinyWords = R"({"model":"whisper-tiny.en","diarization":false})";

class BadDayModel : public ServerProgram {
 protected:
  BadDayModel() {
    fs::create_directory(folder_ / "bin");
    for (const char* name : {"hansard", "hansard-engine"})
      fs::copy_file(fs::path(HANSARD_BINARY_DIR "/bin/chaos") / name, folder_ / "bin" / name);
  }

  // A server with seams and an engine that follows orders.
  Serving serve_ordered(std::vector<std::string> more = {}) const {
    more.push_back(fmt::format("CHAOS_LOG={}", (folder_ / "points").string()));
    return serve(std::move(more), {}, folder_ / "bin/hansard");
  }
  // tests/engine_seam.cc: "voices abort"
  void order(const std::string& orders) const { std::ofstream(folder_ / "bin/orders") << orders; }
  void take_orders_back() const {
    fs::remove(folder_ / "bin/orders");
    fs::remove(folder_ / "bin/orders.obeyed");
  }
  void wait_until_obeyed() const {
    while (!fs::exists(folder_ / "bin/orders.obeyed")) std::this_thread::sleep_for(1ms);
  }

  static std::string speech() { return read_file(recording("endgame_nagg_nell.wav"), 64 << 20).value(); }
  static std::string submit(const Serving& server, std::string_view options = kTiny) {
    const std::string id = server.submit(speech(), {{"options", std::string(options)}});
    EXPECT_FALSE(id.empty());
    return id;
  }
  static std::string path_of(const std::string& id) { return "/api/v1/transcriptions/" + id; }
  static std::string status_of(const Serving& server, const std::string& id) {
    return text(object(server.get(path_of(id))), "status");
  }
  // Follows a job until it is at a stage.
  static void wait_for_stage(const Serving& server, const std::string& id, const std::string& stage) {
    Client events(server.port());
    events.send("GET " + path_of(id) + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_NE(events.read_until(fmt::format("\"stage\":\"{}\"", stage)).find(stage), std::string::npos)
        << stage;
  }
  // Cancels a job in work, and sees to it that its slot is free within two seconds.
  static void expect_cancel_frees_the_slot(const Serving& server, const std::string& id) {
    const auto began = Clock::now();
    EXPECT_EQ(server.request("POST", path_of(id) + ":cancel").status, 200);
    EXPECT_EQ(status_of(server, id), "canceled");
    while (object(server.get("/api/v1/admin/queue?scope=all")).at("running") != 0) {
      ASSERT_LT(Clock::now() - began, 30s);
      std::this_thread::sleep_for(5ms);
    }
    EXPECT_LT(Clock::now() - began, 2s);
    EXPECT_EQ(server.request("POST", path_of(id) + ":cancel").status, 409);
  }

  std::string points() const { return read_file(folder_ / "points", 64 << 20).value_or(""); }
  void wait_for_point(const std::string& point) const {
    while (points().find(point) == std::string::npos) std::this_thread::sleep_for(2ms);
  }
  static uint64_t most_resident_kb(pid_t pid) {
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6));
    }
    return 0;
  }
  // SQL in the database of a server, beside it or when it has ended; the first column of what it gives.
  std::vector<std::string> sql(const std::string& statements) const {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open((data() / "hansard.db").c_str(), &database), SQLITE_OK);
    EXPECT_TRUE(store::add_full_text(database));  // changes of the schema look at the index, too
    std::vector<std::string> values;
    const auto add = [](void* to, int, char** row, char**) {
      static_cast<std::vector<std::string>*>(to)->emplace_back(row[0] == nullptr ? "" : row[0]);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(database, statements.c_str(), add, &values, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
    return values;
  }
  static std::string upload(const Serving& server, const std::string& bytes) {
    return text(
        object(server.request("POST", "/api/v1/files", http::form(bytes, "a.wav"), http::kFormHeader)), "id");
  }
};

// ---- codes that need more than one request

TEST_F(BadDayModel, AStaleTagIsRefusedAndTheNewOneTaken) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string file = "/api/v1/files/" + upload(server, speech());
  const std::string tag = server.get(file).headers.at("etag");
  const std::string stale = fmt::format("If-Match: {}\r\n", tag);
  EXPECT_EQ(server.request("GET", file, {}, fmt::format("If-None-Match: {}\r\n", tag)).status, 304);
  const ClientResponse renamed = server.request("PATCH", file, R"({"title":"One"})", stale);
  EXPECT_EQ(renamed.status, 200);
  expect_problem(server.request("PATCH", file, R"({"title":"Two"})", stale), 412, "PRECONDITION_FAILED");
  EXPECT_EQ(text(object(server.get(file)), "title"), "One");
  EXPECT_EQ(server
                .request("PATCH", file, R"({"title":"Two"})",
                         fmt::format("If-Match: \"other\", {}\r\n", renamed.headers.at("etag")))
                .status,
            200);
}

TEST_F(BadDayModel, RangesThatCannotBeServed) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string bytes = speech();
  const std::string audio = "/api/v1/files/" + upload(server, bytes) + "/audio";
  for (const std::string& range : {fmt::format("bytes={}-", bytes.size()), std::string("bytes=-0"),
                                   std::string("bytes=99999999999-99999999999999")}) {
    const ClientResponse beyond = server.request("GET", audio, {}, "Range: " + range + "\r\n");
    expect_problem(beyond, 416, "RANGE_NOT_SATISFIABLE");
    EXPECT_EQ(beyond.headers.at("content-range"), fmt::format("bytes */{}", bytes.size())) << range;
  }
  for (const char* range : {"bytes=9-3", "bytes=0-1,4-5", "bytes=a-b", "bytes=", "bytes=-", "lines=0-1",
                            "bytes=1--2", "bytes=99999999999999999999999-"}) {
    const ClientResponse whole = server.request("GET", audio, {}, fmt::format("Range: {}\r\n", range));
    EXPECT_EQ(whole.status, 200) << range;
    EXPECT_EQ(whole.body.size(), bytes.size()) << range;
  }
  EXPECT_EQ(server.request("GET", audio, {}, "Range: bytes=-4\r\n").body, bytes.substr(bytes.size() - 4));
}

TEST_F(BadDayModel, WhatIsNeededOrNotThereYetIsAConflict) {
  order("plan hang");
  Serving server = serve_ordered();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string id = submit(server);
  wait_for_stage(server, id, "preparing");
  const std::string file = "/api/v1/files/" + text(object(server.get(path_of(id))), "file_id");
  expect_problem(server.get(path_of(id) + "/transcript"), 409, "CONFLICT");
  expect_problem(server.request("POST", path_of(id) + ":retry"), 409, "CONFLICT");
  expect_problem(server.request("DELETE", file), 409, "CONFLICT");
  expect_problem(server.request("DELETE", file + "?purge=true"), 409, "CONFLICT");
  EXPECT_EQ(server.get(file + "/audio").status, 200);
}

TEST_F(BadDayModel, AServerThatStopsTakesNothingNewAndForgetsNothing) {
  order("transcribe hang");
  std::string running;
  std::string waiting;
  {
    Serving server = serve_ordered();
    ASSERT_TRUE(server.listens()) << server.log();
    running = submit(server);
    waiting = submit(server, kTinyWords);
    wait_for_stage(server, running, "transcribing");
    server.child().kill(SIGTERM);
    while (server.get("/api/v1/ready").status == 200) std::this_thread::sleep_for(2ms);
    const std::string form = http::form(speech(), "a.wav");
    const std::string file = text(object(server.get(path_of(running))), "file_id");
    for (const ClientResponse& refused :
         {server.request("POST", "/api/v1/files", form, http::kFormHeader),
          server.request("POST", "/api/v1/transcriptions:submit", form, http::kFormHeader),
          server.request("POST", "/api/v1/transcriptions", fmt::format(R"({{"file_id":"{}"}})", file)),
          server.request("POST", path_of(running) + ":retry")}) {
      expect_problem(refused, 503, "SERVICE_UNAVAILABLE");
      EXPECT_GT(std::stoi(refused.headers.at("retry-after")), 0);
    }
    EXPECT_EQ(status_of(server, running), "processing");
    take_orders_back();
    server.child().kill(SIGTERM);  // now
    EXPECT_TRUE(server.child().wait().ok()) << server.log();
  }
  Serving server = serve_ordered();
  ASSERT_TRUE(server.listens()) << server.log();
  EXPECT_EQ(text(server.wait_for_end(running), "status"), "completed");
  EXPECT_EQ(text(server.wait_for_end(waiting), "status"), "completed");
}

TEST_F(BadDayModel, WhatFailsInsideIsSaidWithoutSayingWhat) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  sql("ALTER TABLE files RENAME TO elsewhere");
  const ClientResponse failed = server.get("/api/v1/files");
  expect_problem(failed, 500, "INTERNAL");
  EXPECT_EQ(failed.body.find("SQL"), std::string::npos) << failed.body;
  EXPECT_EQ(failed.body.find("elsewhere"), std::string::npos) << failed.body;
  // The log says what, under the request's id.
  EXPECT_NE(server.log().find(failed.headers.at("x-request-id") + ": "), std::string::npos) << server.log();
  EXPECT_EQ(server.get("/api/v1/health").status, 200);
}

// ---- uploads

TEST_F(BadDayModel, UploadsThatAreNotWhatTheySayLeaveNothing) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string form = http::form(speech(), "a.wav");
  const auto sent = [&](std::string_view headers, std::string_view body) {
    Client client(server.port());
    client.send(fmt::format("POST /api/v1/files HTTP/1.1\r\nHost: localhost\r\n{}\r\n", headers));
    client.send(body);
    client.shutdown_sending();
    return client.receive();
  };
  const auto length = [](uint64_t bytes) {
    return fmt::format("{}Content-Length: {}\r\n", http::kFormHeader, bytes);
  };
  expect_problem(sent(length(form.size() + 10), form), 400, "INVALID_REQUEST");
  expect_problem(sent(length(form.size() - 10), form), 400, "INVALID_REQUEST");
  expect_problem(sent(length(1ULL << 62), form), 413, "PAYLOAD_TOO_LARGE", "file");
  expect_problem(sent(fmt::format("{}Content-Length: 99999999999999999999\r\n", http::kFormHeader), form),
                 400, "INVALID_REQUEST");
  expect_problem(sent(fmt::format("{}Transfer-Encoding: chunked\r\n", http::kFormHeader), "5\r\n--b\r\n"),
                 400, "INVALID_REQUEST");
  expect_problem(
      sent(fmt::format("Content-Type: multipart/form-data; boundary=other\r\nContent-Length: {}\r\n",
                       form.size()),
           form),
      400, "INVALID_REQUEST");
  std::string parts;
  for (int i = 0; i < 1000; ++i)
    parts += "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nx\r\n";
  expect_problem(sent(length(parts.size()), parts), 413, "PAYLOAD_TOO_LARGE");
  const std::string twice = http::form(speech(), "a.wav").substr(0, form.size() - 7) + "\r\n" + form;
  expect_problem(sent(length(twice.size()), twice), 400, "INVALID_REQUEST", "file");
  const std::string hostile = http::form(speech(), "../../../etc/passwd");
  EXPECT_EQ(text(object(sent(length(hostile.size()), hostile)), "title"), "passwd");
  // A name in another encoding is a name all the same.
  const std::string latin = http::form(speech(), "caf\xe9.wav");
  EXPECT_EQ(text(object(sent(length(latin.size()), latin)), "title"), "caf\uFFFD.wav");
  EXPECT_EQ(files_under(data() / "blobs"), 2U);
  EXPECT_EQ(object(server.get("/api/v1/files")).at("items").as_array().size(), 2U);
}

TEST_F(BadDayModel, APartsNameOfFourGigabytesTakesNoMemory) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  EXPECT_EQ(server.get("/api/v1/health").status, 200);
  const uint64_t before_kb = most_resident_kb(server.child().pid());
  Client client(server.port());
  constexpr uint64_t kLength = 4ULL << 30;
  client.send(
      fmt::format("POST /api/v1/files HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\n\r\n--b\r\n"
                  "Content-Disposition: form-data; name=\"",
                  http::kFormHeader, kLength));
  // It is refused long before its end, and what still comes is not kept.
  const std::string name(1 << 20, 'x');
  for (int i = 0; i < 100; ++i) client.send(name);
  expect_problem(client.receive(), 413, "PAYLOAD_TOO_LARGE");
  EXPECT_LT(most_resident_kb(server.child().pid()) - before_kb, 32U << 10);
  EXPECT_EQ(files_under(data() / "blobs"), 0U);
}

// A server whose data folder is a file system of a few megabytes that it alone sees.
TEST_F(BadDayModel, AFullDiskIsSaidAndHarmsNothing) {
  if (const auto tried = run_child({.argv = {"unshare", "-rm", "true"}}, 10s, 1 << 10);
      !tried || !tried->exit.ok()) {
    GTEST_SKIP() << "a disk of its own needs user namespaces (unshare -rm)";
  }
  fs::create_directory(data());
  const fs::path script =
      write("on-a-small-disk",
            fmt::format("#!/bin/sh\nexec unshare -rm sh -c 'mount -t tmpfs -o size=16m tmpfs {} && exec "
                        "{}/bin/hansard \"$@\"' sh \"$@\"\n",
                        data().string(), HANSARD_BINARY_DIR));
  fs::permissions(script, fs::perms::owner_all);
  Serving server = serve({}, {}, script);
  ASSERT_TRUE(server.listens()) << server.log();
  const fs::path disk = fmt::format("/proc/{}/root{}", server.child().pid(), data().string());
  ASSERT_TRUE(fs::exists(disk / "hansard.db"));

  const std::string large = http::form(wav(12'000'000, [](size_t) { return 0.0; }), "large.wav");
  const ClientResponse full = server.request("POST", "/api/v1/files", large, http::kFormHeader);
  expect_problem(full, 507, "INSUFFICIENT_STORAGE");
  EXPECT_NE(full.body.find("the disk is full; make room in the data folder"), std::string::npos) << full.body;
  EXPECT_EQ(files_under(disk / "blobs"), 0U);
  EXPECT_TRUE(object(server.get("/api/v1/files")).at("items").as_array().empty());
  const std::string file = upload(server, speech());
  EXPECT_FALSE(file.empty());

  // Full to the last byte: what cannot be written is said, what can be read is read.
  {
    std::ofstream filler(disk / "filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (filler << block << std::flush) {
    }
  }
  const ClientResponse refused =
      server.request("POST", "/api/v1/files", http::form(speech(), "a.wav"), http::kFormHeader);
  expect_problem(refused, 507, "INSUFFICIENT_STORAGE");
  EXPECT_EQ(server.get("/api/v1/files/" + file + "/audio").body.size(), speech().size());
  int status = 0;
  for (int i = 0; i < 200 && status != 507; ++i) {
    const std::string title = fmt::format(R"({{"title":"{}{}"}})", std::string(400, 't'), i);
    const ClientResponse renamed = server.request("PATCH", "/api/v1/files/" + file, title);
    status = renamed.status;
    if (status != 200) expect_problem(renamed, 507, "INSUFFICIENT_STORAGE");
  }
  EXPECT_EQ(status, 507) << "the database never felt the disk";
  fs::remove(disk / "filler");
  EXPECT_EQ(server.request("PATCH", "/api/v1/files/" + file, R"({"title":"Room again"})").status, 200);
  EXPECT_EQ(text(object(server.get("/api/v1/files/" + file)), "title"), "Room again");
  EXPECT_EQ(object(server.get("/api/v1/files")).at("items").as_array().size(), 1U);
}

// ---- engines

TEST_F(BadDayModel, AnEngineThatAbortsInEveryDiarizationStillGivesEveryJobItsText) {
  order("voices abort");
  Serving server = serve_ordered();
  ASSERT_TRUE(server.listens()) << server.log();
  std::vector<std::string> ids;
  for (const char* end : {"9", "14", "19"}) {
    ids.push_back(submit(server, fmt::format(R"({{"model":"whisper-tiny.en","end_time":{}}})", end)));
  }
  for (const std::string& id : ids) {
    const bj::object job = server.wait_for_end(id);
    EXPECT_EQ(text(job, "status"), "completed");
    EXPECT_EQ(job.at("attempt"), 1);
    ASSERT_EQ(job.at("warnings").as_array().size(), 1U);
    EXPECT_EQ(job.at("warnings").as_array()[0].at("code"), "DIARIZATION_FAILED");
    const bj::object transcript = object(server.get(path_of(id) + "/transcript"));
    EXPECT_GT(text(transcript, "text").size(), 20U);
    EXPECT_FALSE(transcript.at("segments").as_array()[0].as_object().contains("speaker"));
  }
  // A retry tells the speakers, and decodes nothing again.
  take_orders_back();
  const std::string retried = text(object(server.request("POST", path_of(ids[0]) + ":retry")), "id");
  const bj::object job = server.wait_for_end(retried);
  EXPECT_TRUE(job.at("warnings").as_array().empty());
  EXPECT_GT(job.at("speaker_count").as_int64(), 0);
  size_t decoded = 0;
  const std::string log = points();
  for (size_t at = log.find("group_decoded"); at != std::string::npos; at = log.find("group_decoded", at + 1))
    ++decoded;
  EXPECT_EQ(decoded, 3U);
}

TEST_F(BadDayModel, AnEngineThatAlwaysDiesFailsItsJobAndNoOther) {
  order("transcribe abort");
  Serving server = serve_ordered();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string id = submit(server, kTinyWords);
  const bj::object job = server.wait_for_end(id);
  EXPECT_EQ(text(job, "status"), "failed");
  EXPECT_EQ(text(job.at("error").as_object(), "code"), "ENGINE_CRASHED");
  EXPECT_EQ(object(server.get(path_of(id) + "/executions")).at("items").as_array().size(), 3U);
  take_orders_back();
  EXPECT_EQ(text(server.wait_for_end(submit(server, kTinyWords)), "status"), "completed");
}

// ---- cancel, at each stage

TEST_F(BadDayModel, CancelFreesTheSlotAtEachStageOfTheEngine) {
  Serving server = serve_ordered();
  ASSERT_TRUE(server.listens()) << server.log();
  for (const auto& [stage, orders] :
       {std::pair("preparing", "plan hang"), std::pair("transcribing", "transcribe hang"),
        std::pair("diarizing", "voices hang"), std::pair("diarizing", "voices stop")}) {
    SCOPED_TRACE(orders);
    order(orders);
    const std::string id = submit(server);
    const std::string next = submit(server, R"({"model":"whisper-tiny.en","priority":9})");
    wait_for_stage(server, id, stage);
    wait_until_obeyed();
    // One that is queued goes at once.
    EXPECT_EQ(server.request("POST", path_of(next) + ":cancel").status, 200);
    EXPECT_EQ(status_of(server, next), "canceled");
    expect_cancel_frees_the_slot(server, id);
    expect_problem(server.get(path_of(id) + "/transcript"), 409, "CONFLICT");
    take_orders_back();
  }
  EXPECT_EQ(text(server.wait_for_end(submit(server)), "status"), "completed");
}

TEST_F(BadDayModel, CancelFreesTheSlotWhileFfmpegSaysNothing) {
  fs::create_directory(folder_ / "path");
  const fs::path ffmpeg = write("path/ffmpeg", "#!/bin/sh\nexec sleep 1000\n");
  fs::permissions(ffmpeg, fs::perms::owner_all);
  Serving server = serve({fmt::format("PATH={}:{}", ffmpeg.parent_path().string(), std::getenv("PATH"))});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string id = submit(server);
  wait_for_stage(server, id, "preparing");
  expect_cancel_frees_the_slot(server, id);
}

TEST_F(BadDayModel, CancelFreesTheSlotWhileAModelIsFetched) {
  // Takes connections and says nothing.
  const UniqueFd hub(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): the interface of bind()
  ASSERT_EQ(::bind(hub.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(hub.get(), 8), 0);
  ASSERT_EQ(::getsockname(hub.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
  Serving server = serve({fmt::format("HF_ENDPOINT=http://127.0.0.1:{}", ntohs(address.sin_port))});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string id = submit(server, R"({"model":"whisper-small"})");
  wait_for_stage(server, id, "downloading");
  expect_cancel_frees_the_slot(server, id);
}

TEST_F(BadDayModel, CancelWhileATranscriptIsSavedLeavesNone) {
  const fs::path hold = write("hold", "");
  Serving server = serve_ordered(
      {"CHAOS_POINT=blob.after_sync transcripts/", fmt::format("CHAOS_HOLD={}", hold.string())});
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string id = submit(server, kTinyWords);
  wait_for_point("blob.after_sync transcripts/");
  EXPECT_EQ(server.request("POST", path_of(id) + ":cancel").status, 200);
  EXPECT_EQ(status_of(server, id), "canceled");
  fs::remove(hold);
  while (object(server.get("/api/v1/admin/queue?scope=all")).at("running") != 0)
    std::this_thread::sleep_for(2ms);
  EXPECT_EQ(status_of(server, id), "canceled");
  EXPECT_EQ(files_under(data() / "blobs/transcripts"), 0U);
  expect_problem(server.get(path_of(id) + "/transcript"), 409, "CONFLICT");
}

// ---- starts

TEST_F(BadDayModel, RecoveryEndsBeforeTheFirstClaim) {
  {
    ASSERT_TRUE(serve().listens());
  }
  // Jobs that a server held when it died, jobs that wait, and a witness of every claim that comes too early.
  const std::string job =
      "INSERT INTO transcriptions (id, user_id, file_id, client, title, status, options, priority, progress, "
      "progress_stage, queued_at, available_at, started_at, claimed_by, claim_expires_at, attempt, failures, "
      "crashes, recoveries, warnings, created_at, updated_at) "
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) "
      "SELECT printf('tr_{0}%03d', i), users.id, 'file_none', 'api', 't', '{0}', '{{}}', 5, 0, 'queued', "
      "1000, "
      "1000, {1}, 0, 0, 0, '[]', 1000, 1000 FROM n, users;";
  sql("INSERT INTO files (id, user_id, title, kind, status, blob, size_bytes, sha256, created_at, "
      "updated_at) "
      "SELECT 'file_none', id, 't', 'audio', 'ready', 'files/none', 1, hex(zeroblob(32)), 1, 1 FROM users;" +
      fmt::format(fmt::runtime(job), "processing", "1000, 'dead/0', 9000000000000, 1") +
      fmt::format(fmt::runtime(job), "queued", "NULL, NULL, NULL, 0") +
      "CREATE TABLE early (id TEXT);"
      "CREATE TRIGGER witness BEFORE UPDATE ON transcriptions WHEN NEW.status = 'processing' AND OLD.status "
      "= "
      "'queued' AND EXISTS (SELECT 1 FROM transcriptions WHERE claimed_by = 'dead/0') "
      "BEGIN INSERT INTO early VALUES (NEW.id); END;");
  Serving server = serve({"TRANSCRIPTION_WORKERS=4"});
  ASSERT_TRUE(server.listens()) << server.log();
  // Their recording is gone, so they come to an end at once.
  while (object(server.get("/api/v1/admin/queue?scope=all")).at("failed") != 100)
    std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(sql("SELECT id FROM early").empty());
  EXPECT_EQ(sql("SELECT COUNT(*) FROM transcriptions WHERE recoveries = 1 AND attempt = 3").front(), "50");
  EXPECT_EQ(sql("SELECT COUNT(*) FROM transcriptions WHERE recoveries = 0 AND attempt = 1").front(), "50");
}

TEST_F(BadDayModel, EventsThatWereMissedAreToldAfterARestartOnceAndInOrder) {
  struct Told {
    int64_t id;
    std::string text;
    bool operator==(const Told&) const = default;
  };
  // The events that are kept: those with an id.
  const auto kept = [](std::string stream) {
    stream.erase(0, stream.find("\r\n\r\n") + 4);
    std::vector<Told> events;
    for (size_t at = 0; at < stream.size();) {
      const size_t end = std::min(stream.find("\n\n", at), stream.size());
      const std::string event = stream.substr(at, end - at);
      at = end + 2;
      if (event.starts_with("id: ") && event.find("\ndata: ") != std::string::npos)
        events.push_back({std::stoll(event.substr(4)), event});
    }
    return events;
  };
  const auto stream = [](const Serving& server, const std::string& target, int64_t after,
                         const std::string& until) {
    Client client(server.port());
    client.send(
        fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {}\r\n\r\n", target, after));
    return client.read_until(until);
  };
  const std::string kEnd = "\"stage\":\"completed\",\"attempt\":1}\n\n";
  std::string id;
  std::vector<Told> live;
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    Client client(server.port());
    client.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0\r\n\r\n");
    id = submit(server, kTinyWords);
    live = kept(client.read_until(kEnd));
  }
  ASSERT_GE(live.size(), 4U);
  for (size_t i = 1; i < live.size(); ++i) EXPECT_LT(live[i - 1].id, live[i].id);
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  for (size_t seen = 0; seen < live.size(); ++seen) {
    const int64_t after = seen == 0 ? 0 : live[seen - 1].id;
    const std::vector<Told> missed(live.begin() + static_cast<std::ptrdiff_t>(seen), live.end());
    EXPECT_EQ(kept(stream(server, "/api/v1/events", after, kEnd)), missed) << after;
    std::vector<Told> of_job;
    for (const Told& event : missed) {
      if (event.text.find(id) != std::string::npos) of_job.push_back(event);
    }
    EXPECT_EQ(kept(stream(server, path_of(id) + "/events", after, "never: it ends with the job")), of_job)
        << after;
  }
  EXPECT_NE(stream(server, path_of(id) + "/events", 1'000'000, "never").find("stream.reset"),
            std::string::npos);
  EXPECT_EQ(
      server.request("GET", path_of(id) + "/events", {}, fmt::format("Last-Event-ID: {}\r\n", live.back().id))
          .status,
      204);
}

TEST_F(BadDayModel, AStartThatCannotBeSaysWhyAndWhatToDo) {
  const auto refused = [&](const std::vector<std::string>& environment, std::vector<std::string> needles) {
    const ProgramResult result = Program::run({"serve", "--port", "0"}, environment);
    EXPECT_EQ(result.exit_code == 0, false);
    for (const std::string& needle : needles)
      EXPECT_NE(result.err.find(needle), std::string::npos) << needle << " is not in: " << result.err;
  };
  for (const auto& [setting, needle] :
       {std::pair("HANSARD_BASE_PATH=hansard", "HANSARD_BASE_PATH is \"hansard\"; allowed is"),
        std::pair("HANSARD_BASE_PATH=/hansard/", "HANSARD_BASE_PATH is \"/hansard/\"; allowed is"),
        std::pair("HANSARD_ALLOWED_HOSTS=a.example,http://b.example",
                  "HANSARD_ALLOWED_HOSTS has \"http://b.example\"; allowed are"),
        std::pair("HANSARD_HOST=example.org", "HANSARD_HOST is \"example.org\"; allowed is"),
        std::pair("TRANSCRIPTION_LEASE_RENEW_INTERVAL=10m",
                  "TRANSCRIPTION_LEASE_RENEW_INTERVAL is \"10m\"; allowed is less than"),
        std::pair("TRANSCRIPTION_QUEUE_POLL_INTERVAL=0s",
                  "TRANSCRIPTION_QUEUE_POLL_INTERVAL is \"0s\"; allowed is a time from 0.1s to 1h")}) {
    refused({setting}, {needle});
  }
  fs::create_directory(data());
  sql("PRAGMA user_version = 999");
  refused({}, {"newer Hansard", "install that version"});
  std::ofstream(data() / "hansard.db") << std::string(8192, 'x');
  refused({}, {"the database is damaged", "restore"});
  const fs::path closed = folder_ / "closed";
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms::owner_read | fs::perms::owner_exec);
  // Root may write into any folder of its own.
  const std::string folder = ::geteuid() == 0 ? "/sys/hansard" : (closed / "data").string();
  refused({"HANSARD_DATA_DIR=" + folder}, {"data folder", "cannot be used", "HANSARD_DATA_DIR"});
}

}  // namespace
}  // namespace hansard
