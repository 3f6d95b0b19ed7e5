// hansard backup and restore, beside a server at work and without one.

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using http::Client;

class BackupModel : public ServerProgram {
 protected:
  std::string file() const { return (folder_ / "backups/library.tar").string(); }
  BackupModel() { fs::create_directories(folder_ / "backups"); }
};

TEST_F(BackupModel, MadeWhileAJobRunsItHoldsAllAndTheJobEndsWhereItIsRestored) {
  const std::string bytes = bytes_of("endgame_nagg_nell.wav");
  std::string first;
  std::string second;
  std::string transcript;
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    first = server.submit(bytes, {{"title", "First"}});
    server.wait_for_end(first);
    transcript = server.get("/api/v1/transcriptions/" + first + "/transcript").body;
    second = server.submit(bytes, {{"options", R"({"no_cache":true,"diarization":false})"}});
    Client events(server.port());
    events.send("GET /api/v1/transcriptions/" + second + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    events.read_until("\"stage\":\"transcribing\"");
    const ProgramResult made = run({"backup", file()});
    ASSERT_EQ(made.exit_code, 0) << made.err << server.log();
    EXPECT_NE(made.out.find("recordings and transcripts: 3;"), std::string::npos) << made.out;
    EXPECT_EQ(server.wait_for_end(second).at("status"), "completed");
    EXPECT_EQ(fs::status(file()).permissions() & fs::perms::all,
              fs::perms::owner_read | fs::perms::owner_write);
    // While a server has the folder nothing is restored into it.
    const ProgramResult refused = run({"restore", file(), "--force"});
    EXPECT_EQ(refused.exit_code, 5);
    EXPECT_NE(refused.err.find("another hansard serve has this data folder"), std::string::npos)
        << refused.err;
  }
  EXPECT_EQ(files_under(folder_ / "backups"), 1U);
  EXPECT_EQ(files_under(data() / "run"), 0U);

  const fs::path other = folder_ / "other";
  const ProgramResult restored = run({"restore", file(), "--data-dir", other.string()});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  Serving server = serve({}, {"--data-dir", other.string()});
  ASSERT_TRUE(server.listens()) << server.log();
  EXPECT_EQ(server.get("/api/v1/transcriptions/" + first + "/transcript").body, transcript);
  EXPECT_EQ(object(server.get("/api/v1/transcriptions/" + first)).at("title"), "First");
  const bj::object ended = server.wait_for_end(second);
  EXPECT_EQ(ended.at("status"), "completed");
  EXPECT_EQ(server.get("/api/v1/transcriptions/" + second + "/transcript").status, 200);
  for (const std::string& id : {first, second})
    EXPECT_EQ(server.get("/api/v1/transcriptions/" + id + "/audio").body, bytes);
}

TEST_F(BackupModel, WithoutAServerAndOverWhatIsThere) {
  const std::string bytes = bytes_of("endgame_nagg_nell.wav");
  const auto upload = [&](const Serving& server) {
    return std::string(
        object(server.request("POST", "/api/v1/files", http::form(bytes, "a.wav"), http::kFormHeader))
            .at("id")
            .as_string());
  };
  std::string saved;
  std::string later;
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    saved = upload(server);
  }
  ASSERT_EQ(run({"backup", file()}).exit_code, 0);
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    later = upload(server);
  }
  const ProgramResult refused = run({"restore", file()});
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_NE(refused.err.find("--force"), std::string::npos) << refused.err;
  const ProgramResult forced = run({"restore", file(), "--force"});
  ASSERT_EQ(forced.exit_code, 0) << forced.err;
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    EXPECT_EQ(server.get("/api/v1/files/" + saved + "/audio").body, bytes);
    EXPECT_EQ(server.get("/api/v1/files/" + later).status, 404);
  }
  // What was there lies aside, and is a data folder itself.
  const size_t at = forced.out.find("before-restore-");
  ASSERT_NE(at, std::string::npos) << forced.out;
  const fs::path aside = data() / forced.out.substr(at, forced.out.find(' ', at) - at);
  Serving server = serve({}, {"--data-dir", aside.string()});
  ASSERT_TRUE(server.listens()) << server.log();
  EXPECT_EQ(server.get("/api/v1/files/" + later + "/audio").body, bytes);
}

TEST_F(BackupModel, WhatCannotBeDoneIsSaidAndLeavesNothing) {
  const ProgramResult nothing = run({"backup", file()});
  EXPECT_EQ(nothing.exit_code, 3);
  EXPECT_NE(nothing.err.find("there is no database in the data folder"), std::string::npos) << nothing.err;
  EXPECT_TRUE(fs::is_empty(folder_ / "backups"));
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    for (const std::string& target : {(folder_ / "nowhere/a.tar").string(), (folder_ / "backups").string()}) {
      const ProgramResult result = run({"backup", target});
      EXPECT_NE(result.exit_code, 0) << target;
      EXPECT_NE(result.err.find(target), std::string::npos) << result.err;
    }
    ASSERT_EQ(run({"backup", file()}).exit_code, 0);
    // A second one takes the first one's place.
    ASSERT_EQ(run({"backup", file()}).exit_code, 0);
    EXPECT_EQ(files_under(folder_ / "backups"), 1U);
  }
  const std::vector<std::string> before = listing(data());
  const std::string bytes = read_file(file(), 64 << 20).value();
  const fs::path half = write("half.tar", bytes.substr(0, bytes.size() / 2));
  const fs::path other = write("other.tar", "not a tar");
  for (const fs::path& broken : {half, other, folder_ / "missing.tar"}) {
    const ProgramResult result = run({"restore", broken.string(), "--force"});
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_NE(result.err.find(broken.string()), std::string::npos) << result.err;
  }
  EXPECT_EQ(listing(data()), before);
}

}  // namespace
}  // namespace hansard
