// hansard submit, jobs and get, as their users meet them: beside a real server, or none.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>

#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

class ClientModel : public ServerProgram {
 protected:
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }
  static std::string status(const Serving& server, const std::string& id) {
    const bj::object job = object(server.get("/api/v1/transcriptions/" + id));
    return job.contains("status") ? std::string(job.at("status").as_string()) : "";
  }
  // A line of a shell in which $HANSARD is the program.
  ProgramResult shell(const std::string& line, const std::vector<std::string>& more) {
    ChildOptions options;
    options.argv = {"bash", "-c", line};
    options.environment = server_environment();
    options.environment.insert(options.environment.end(), more.begin(), more.end());
    options.environment.push_back("HANSARD=" HANSARD_BINARY_DIR "/bin/hansard");
    const ChildOutput output = run_child(options, 2min, 1 << 20).value();
    return {output.exit.exit_code, output.standard_output, output.standard_error, 0};
  }
  const std::string input_ = recording("endgame_nagg_nell.wav").string();
};

TEST_F(ClientModel, FilesAndFoldersAreHandedInAndTheOthersSaid) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  fs::create_directories(folder_ / "recordings/deeper");
  for (const char* name : {"b.wav", "a.wav", "deeper/c.wav"}) fs::copy(input_, folder_ / "recordings" / name);
  write("recordings/notes.txt", "no recording");
  const std::string text = write("text.wav", "no recording either").string();
  const std::string missing = (folder_ / "missing.wav").string();
  const ProgramResult result =
      run({"submit", missing, (folder_ / "recordings").string(), text}, {url(server)});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2) << result.out;
  EXPECT_NE(result.err.find(missing + ": there is no such file"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find(text + ": this is not an audio or video file"), std::string::npos) << result.err;
  const ProgramResult listed = run({"jobs", "list"}, {url(server)});
  EXPECT_NE(listed.out.find("a.wav"), std::string::npos) << listed.out;
  EXPECT_EQ(listed.out.find("c.wav"), std::string::npos) << listed.out;

  fs::create_directories(folder_ / "empty");
  EXPECT_EQ(run({"submit", (folder_ / "empty").string()}, {url(server)}).exit_code, 3);
  const ProgramResult titled = run({"submit", input_, input_, "--title", "One"}, {url(server)});
  EXPECT_EQ(titled.exit_code, 2);
  EXPECT_NE(titled.err.find("--title is for one recording"), std::string::npos) << titled.err;
}

TEST_F(ClientModel, WhoIsNotThereIsSaid) {
  for (const std::vector<std::string>& command : {std::vector<std::string>{"jobs", "list"},
                                                  {"jobs", "watch", "tr_1"},
                                                  {"get", "tr_1"},
                                                  {"submit", input_}}) {
    const ProgramResult nobody = run(command, {"HANSARD_URL=http://127.0.0.1:1"});
    EXPECT_EQ(nobody.exit_code, 1);
    EXPECT_NE(nobody.err.find("no server answers at http://127.0.0.1:1: "), std::string::npos) << nobody.err;
    EXPECT_LT(nobody.seconds, 5);
    const ProgramResult wrong = run(command, {"HANSARD_URL=ftp://127.0.0.1"});
    EXPECT_EQ(wrong.exit_code, 2);
    EXPECT_NE(wrong.err.find("HANSARD_URL is \"ftp://127.0.0.1\"; allowed is"), std::string::npos)
        << wrong.err;
  }
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  for (const std::vector<std::string>& command : {std::vector<std::string>{"jobs", "show"},
                                                  {"jobs", "watch"},
                                                  {"jobs", "cancel"},
                                                  {"jobs", "retry"},
                                                  {"jobs", "rm"},
                                                  {"get"}}) {
    for (const char* id : {"tr_1", "../files", "a b?c#d"}) {
      std::vector<std::string> words = command;
      words.emplace_back(id);
      const ProgramResult result = run(words, {url(server)});
      EXPECT_EQ(result.exit_code, 3) << result.err;
      EXPECT_NE(result.err.find(std::string(id) + ": there is no such transcription"), std::string::npos)
          << result.err;
    }
  }
}

TEST_F(ClientModel, TranscriptsGoWhereTheyAreWantedAndPipesMayEnd) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const ProgramResult submitted = run({"submit", input_, "--wait", "-q"}, {url(server)});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_EQ(submitted.err, "");
  const std::string id = first_line(submitted.out);
  const auto served = [&](const std::string& format) {
    return server.get("/api/v1/transcriptions/" + id + "/transcript?format=" + format).body;
  };
  EXPECT_EQ(run({"get", id}, {url(server)}).out, served("md"));
  EXPECT_EQ(run({"get", id, "--format", "txt"}, {url(server)}).out, served("text"));
  EXPECT_EQ(run({"get", id, "-o", (folder_ / "new/a.vtt").string()}, {url(server)}).exit_code, 0);
  EXPECT_EQ(read_file(folder_ / "new/a.vtt", 1 << 20).value(), served("vtt"));
  EXPECT_EQ(run({"get", id, "-o", (folder_ / "new").string(), "--format", "srt"}, {url(server)}).exit_code,
            0);
  EXPECT_EQ(read_file(folder_ / "new" / (id + ".srt"), 1 << 20).value(), served("srt"));
  const ProgramResult full = run({"get", id, "--format", "srt", "-o", "/dev/full"}, {url(server)});
  EXPECT_EQ(full.exit_code, 5) << full.err;
  struct stat device = {};
  ASSERT_EQ(::stat("/dev/full", &device), 0);
  EXPECT_TRUE(S_ISCHR(device.st_mode));
  EXPECT_EQ(run({"get", id, "--format", "odt"}, {url(server)}).exit_code, 2);

  EXPECT_EQ(shell("$HANSARD jobs list | true; exit ${PIPESTATUS[0]}", {url(server)}).exit_code, 0);
  EXPECT_EQ(shell("$HANSARD get " + id + " --format json | head -c 1; exit ${PIPESTATUS[0]}", {url(server)})
                .exit_code,
            0);
  EXPECT_EQ(shell("$HANSARD jobs list > /dev/full", {url(server)}).exit_code, 5);
  EXPECT_EQ(run({"jobs", "cancel", id}, {url(server)}).exit_code, 1);
}

TEST_F(ClientModel, OnATerminalABarShowsWhatIsDone) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const ProgramResult result =
      shell("script -qec \"$HANSARD submit " + input_ + " --wait --no-cache\" /dev/null",
            {url(server), "TERM=xterm"});
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_NE(result.out.find("endgame_nagg_nell.wav [#"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("%  transcribing"), std::string::npos) << result.out;
}

TEST_F(ClientModel, AnInterruptEndsTheWaitingAndNotTheJob) {
  Serving server = serve();
  ASSERT_TRUE(server.listens()) << server.log();
  const std::string id =
      server.submit(bytes_of("endgame_nagg_nell.wav"), {{"options", R"({"no_cache":true})"}});
  RunningProgram watching = start({"jobs", "watch", id}, {url(server)});
  http::Client events(server.port());
  events.send("GET /api/v1/transcriptions/" + id + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  events.read_until("\"stage\":\"transcribing\"");
  const auto began = std::chrono::steady_clock::now();
  watching.child().kill(SIGINT);
  EXPECT_EQ(watching.child().wait().exit_code, 130);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
  EXPECT_EQ(server.wait_for_end(id).at("status"), "completed");
}

TEST_F(ClientModel, AServerThatRestartsIsWaitedFor) {
  std::string id;
  std::string port;
  std::optional<RunningProgram> watching;
  {
    Serving server = serve();
    ASSERT_TRUE(server.listens()) << server.log();
    port = std::to_string(server.port());
    id = server.submit(bytes_of("endgame_nagg_nell.wav"),
                       {{"options", R"({"no_cache":true,"diarization":false})"}});
    watching = start({"jobs", "watch", id}, {url(server)});
    // It has found the job.
    const std::string asked = "\"path\":\"/api/v1/transcriptions/" + id + "\"";
    while (server.log().find(asked) == std::string::npos && !watching->child().wait_for(5ms)) {
    }
    server.child().kill(SIGKILL);
    server.child().wait();
  }
  RunningProgram again =
      start({"serve", "--port", port}, {"HANSARD_AUTH=none", "HANSARD_MODEL_PATH=" + models().string()});
  EXPECT_TRUE(watching->wait_for_line(id + " completed"));
  EXPECT_EQ(watching->child().wait().exit_code, 0);
}

TEST_F(ClientModel, ATranscriptWithoutSpeakersHasItsExitCode) {
  fs::create_directories(folder_ / "models");
  for (const char* model : {"speech-silero", "whisper-base"})
    fs::create_directory_symlink(models() / model, folder_ / "models" / model);
  Serving server =
      serve({"HANSARD_MODEL_PATH=" + (folder_ / "models").string(), "SPEECH_ENGINE_AUTO_DOWNLOAD=false"});
  ASSERT_TRUE(server.listens()) << server.log();
  const ProgramResult result = run({"submit", input_, "--wait", "--language", "en"}, {url(server)});
  EXPECT_EQ(result.exit_code, 7) << result.err;
  EXPECT_NE(result.err.find("completed; "), std::string::npos) << result.err;
}

}  // namespace
}  // namespace hansard
