// hansard transcribe from end to end: real programs, real models, real recordings.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/json.h"
#include "base/process.h"
#include "base/test_server.h"
#include "program.h"

namespace hansard {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;

// Debian's pocketsphinx-testdata.
const fs::path kLibrivox = "/usr/share/pocketsphinx/test/data/librivox";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string lower_words(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!result.empty() && result.back() != ' ') {
      result += ' ';
    }
  }
  return result;
}

using TranscribeModel = Program;

TEST_F(TranscribeModel, FetchesWhatIsAtAnAddress) {
  const std::string bytes = read(recording("endgame_nagg_nell.wav"));
  const TestServer server([&](const TestRequest& request) -> TestResponse {
    if (request.path == "/moved.wav") return {.status = 302, .headers = {{"Location", "/a/talk.wav?key=1"}}};
    if (request.path == "/page") return {.headers = {{"Content-Type", "text/html"}}, .body = "<html></html>"};
    if (request.path == "/empty.wav") return {};
    if (request.path != "/a/talk.wav?key=1") return {.status = 404};
    return {.body = bytes};
  });
  const ProgramResult file = run({"transcribe", recording("endgame_nagg_nell.wav"), "--no-diarize",
                                  "--start-time", "5s", "--max-duration", "10s", "--format", "txt"});
  ASSERT_EQ(file.exit_code, 0) << file.err;
  const ProgramResult fetched =
      run({"transcribe", server.address() + "/moved.wav", "--no-diarize", "--start-time", "5s",
           "--max-duration", "10s", "--format", "txt", "-o", folder_ / "out/"});
  EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
  EXPECT_EQ(read(folder_ / "out/moved.txt"), file.out);
  EXPECT_FALSE(file.out.empty());
  const auto fails = [&](const std::string& address, int exit_code, const std::string& words) {
    const ProgramResult result = run({"transcribe", address});
    EXPECT_EQ(result.exit_code, exit_code) << address;
    EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
  };
  fails(server.address() + "/none.wav", 3, "127.0.0.1 answered 404: there is nothing at this address");
  fails(server.address() + "/page", 3, "not an audio or video file");
  fails(server.address() + "/empty.wav", 3, "what is at this address is empty");
  fails("http://127.0.0.1:1/a.wav", 3, "127.0.0.1: Couldn't connect to server");
  fails("ftp://example.org/a.wav", 2, "over http and https alone");
  EXPECT_TRUE(listing(folder_ / "data/spool").empty());
}

TEST_F(TranscribeModel, TellsTheTwoSpeakersOfAConversation) {
  const ProgramResult result = run({"transcribe", recording("endgame_nagg_nell.wav"), "--format", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const bj::object document = bj::parse(result.out).as_object();
  EXPECT_EQ(document.at("language"), "en");
  EXPECT_EQ(document.at("speakers").as_array().size(), 2U);
  // Both are heard in turn, not one in the first half and the other in the second.
  int changes = 0;
  std::string last;
  for (const bj::value& segment : document.at("segments").as_array()) {
    const std::string speaker(segment.at("speaker").as_string());
    if (speaker != last) ++changes;
    last = speaker;
  }
  EXPECT_GT(changes, 4);
  EXPECT_GT(document.at("words").as_array().size(), 60U);
}

TEST_F(TranscribeModel, EachChannelIsASpeaker) {
  // One reads Dickens in the left channel, two talk in the right one.
  const fs::path both = folder_ / "both.wav";
  const Result<ChildOutput> made = run_child(
      {.argv = {"ffmpeg", "-v", "error", "-t", "12", "-i", recording("two_cities.wav"), "-ss", "5", "-t",
                "12", "-i", recording("endgame_nagg_nell.wav"), "-filter_complex",
                "[0:a]aresample=16000,pan=mono|c0=c0[l];[1:a]aresample=16000,pan=mono|c0=c0[r];[l][r]amerge",
                both.string()}},
      std::chrono::seconds(60), 1 << 20);
  ASSERT_TRUE(made && made->exit.ok()) << (made ? made->standard_error : made.error().message);
  const ProgramResult result = run({"transcribe", both, "--multichannel", "--format", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const bj::object document = bj::parse(result.out).as_object();
  std::map<std::string, std::string> said;
  for (const bj::value& word : document.at("words").as_array()) {
    said[std::string(word.at("speaker").as_string())] += " " + std::string(word.at("word").as_string());
  }
  ASSERT_EQ(said.size(), 2U);
  EXPECT_NE(lower_words(said["SPEAKER_00"]).find("best of times"), std::string::npos) << said["SPEAKER_00"];
  EXPECT_EQ(lower_words(said["SPEAKER_01"]).find("best of times"), std::string::npos) << said["SPEAKER_01"];
  EXPECT_GT(said["SPEAKER_01"].size(), 20U);
  const ProgramResult refused = run({"transcribe", both, "--multichannel", "--num-speakers", "3"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("each channel a speaker"), std::string::npos) << refused.err;
}

TEST_F(TranscribeModel, TimesNeverDecreaseAndLieWithinTheMedia) {
  const ProgramResult result =
      run({"transcribe", recording("two_cities.wav"), "--model", "tiny.en", "--format", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const bj::object document = bj::parse(result.out).as_object();
  const double duration = document.at("duration_seconds").to_number<double>();
  double last = 0;
  for (const bj::value& word : document.at("words").as_array()) {
    const double start = word.at("start").to_number<double>();
    const double end = word.at("end").to_number<double>();
    EXPECT_GE(start, last);
    EXPECT_GE(end, start);
    EXPECT_LE(end, duration);
    last = start;
  }
  EXPECT_NE(lower_words(std::string(document.at("text").as_string())).find("it was the worst of times"),
            std::string::npos);
}

TEST_F(TranscribeModel, TheSameFileAgainCostsNothing) {
  const std::vector<std::string> command{"transcribe", recording("endgame_nagg_nell.wav"), "--format",
                                         "json"};
  const ProgramResult first = run(command);
  const auto kept = listing(folder_ / "data/cache");
  const ProgramResult second = run(command);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(second.out, first.out);
  EXPECT_EQ(listing(folder_ / "data/cache"), kept);
  EXPECT_LT(second.seconds, first.seconds / 2);
}

TEST_F(TranscribeModel, AnotherNumberOfSpeakersCostsOnlyTheClustering) {
  const std::string file = recording("endgame_nagg_nell.wav");
  ASSERT_EQ(run({"transcribe", file}).exit_code, 0);
  const auto before = listing(folder_ / "data/cache");
  const ProgramResult result = run({"transcribe", file, "--num-speakers", "1", "--format", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(bj::parse(result.out).at("speakers").as_array().size(), 1U);
  // Everything that was kept is as it was; the only thing that came is the turns for one speaker.
  auto after = listing(folder_ / "data/cache");
  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
  ASSERT_EQ(after.size(), before.size() + 1);
  std::vector<std::string> added;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(added));
  EXPECT_TRUE(added[0].starts_with("turns/")) << added[0];
}

TEST_F(TranscribeModel, NoCacheKeepsNothing) {
  const fs::path file = kLibrivox / "sense_and_sensibility_01_austen_64kb-0880.wav";
  ASSERT_EQ(run({"transcribe", file, "--model", "tiny.en", "--no-cache"}).exit_code, 0);
  EXPECT_TRUE(listing(folder_ / "data/cache").empty());
  EXPECT_TRUE(listing(folder_ / "data/spool").empty());
}

TEST_F(TranscribeModel, WritesEveryFormatByItsExtension) {
  const std::string file = recording("two_cities.wav");
  const std::vector<std::pair<std::string, std::string>> beginnings{{"md", "# two_cities\n"},
                                                                    {"srt", "1\n00:00:0"},
                                                                    {"vtt", "WEBVTT\n"},
                                                                    {"tsv", "start_ms\tend_ms\t"},
                                                                    {"json", "{"}};
  for (const auto& [format, beginning] : beginnings) {
    const fs::path output = folder_ / ("out." + format);
    const ProgramResult result = run({"transcribe", file, "--model", "tiny.en", "-o", output});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(read(output).starts_with(beginning)) << format << ": " << read(output).substr(0, 80);
    EXPECT_TRUE(result.out.empty());
  }
  EXPECT_EQ(run({"transcribe", file, "--model", "tiny.en", "-o", folder_ / "out.txt"}).exit_code, 0);
  EXPECT_NE(lower_words(read(folder_ / "out.txt")).find("age of wisdom"), std::string::npos);
}

TEST_F(TranscribeModel, ManyInputsKeepTheirNamesAndOneFailureStopsNoOther) {
  fs::create_directory(folder_ / "in");
  for (const char* number : {"0880", "0930"}) {
    fs::copy(kLibrivox / (std::string("sense_and_sensibility_01_austen_64kb-") + number + ".wav"),
             folder_ / "in" / (std::string(number) + ".wav"));
  }
  write("in/broken.mp3", "this is text");
  const ProgramResult result =
      run({"transcribe", folder_ / "in", "--model", "tiny.en", "--format", "txt", "-o", folder_ / "out/"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_NE(result.err.find("broken.mp3"), std::string::npos);
  EXPECT_NE(lower_words(read(folder_ / "out/0880.txt")).find("young man"), std::string::npos);
  EXPECT_NE(lower_words(read(folder_ / "out/0930.txt")).find("amiable"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "out/broken.txt"));
}

TEST_F(TranscribeModel, TimesOfAPartAreThoseOfTheRecording) {
  const ProgramResult result =
      run({"transcribe", recording("two_cities.wav"), "--model", "tiny.en", "--format", "json",
           "--start-time", "20s", "--max-duration", "0:15", "--no-diarize"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const bj::value document = bj::parse(result.out);
  const bj::array& words = document.at("words").as_array();
  ASSERT_GT(words.size(), 10U);
  EXPECT_GE(words.front().at("start").to_number<double>(), 20.0);
  EXPECT_LE(words.back().at("end").to_number<double>(), 35.01);
  EXPECT_FALSE(document.as_object().contains("speakers"));
}

TEST_F(TranscribeModel, ReadsStandardInput) {
  const std::string bytes = read(kLibrivox / "sense_and_sensibility_01_austen_64kb-0930.wav");
  const ProgramResult result = run({"transcribe", "-", "--model", "tiny.en"}, {}, bytes);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(lower_words(result.out).find("amiable"), std::string::npos);
}

TEST_F(TranscribeModel, SilenceGivesAnEmptyTranscriptAndSaysSo) {
  const fs::path file = write("silence.wav", wav(16000 * 5, [](size_t) { return 0.0; }));
  const ProgramResult result = run({"transcribe", file, "--format", "json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("No speech was found"), std::string::npos);
  EXPECT_TRUE(bj::parse(result.out).at("words").as_array().empty());
}

TEST_F(TranscribeModel, JsonProgressIsJsonToTheLastLine) {
  const fs::path good = write("silence.wav", wav(16000, [](size_t) { return 0.0; }));
  const fs::path bad = write("text.mp3", "this is text");
  const ProgramResult result =
      run({"transcribe", good, bad, "--model", "tiny.en", "-v", "--json-progress", "-o", folder_ / "out/"});
  EXPECT_EQ(result.exit_code, 3);
  std::istringstream lines(result.err);
  std::vector<std::string> events;
  for (std::string line; std::getline(lines, line);) {
    boost::system::error_code error;
    const bj::value value = bj::parse(line, error);
    ASSERT_FALSE(error) << line;
    const std::string event(value.at("event").as_string());
    if (events.empty() || events.back() != event) events.push_back(event);
  }
  EXPECT_EQ(events,
            (std::vector<std::string>{"log", "progress", "warning", "done", "progress", "error", "log"}));
}

TEST_F(TranscribeModel, AShortRecordingCanBeTooShortForWords) {
  const fs::path file =
      write("short.wav", wav(800, [](size_t i) { return 0.3 * static_cast<double>(i % 40) / 40; }));
  const ProgramResult result = run({"transcribe", file});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

// Without its model diarization fails; the words must not.
TEST_F(TranscribeModel, AFailedDiarizationCostsNoTranscript) {
  fs::create_directories(folder_ / "models");
  for (const char* id : {"whisper-tiny.en", "speech-silero"}) {
    fs::create_directory_symlink(models() / id, folder_ / "models" / id);
  }
  const ProgramResult result =
      run({"transcribe", recording("two_cities.wav"), "--model", "tiny.en", "-o", folder_ / "out.json"},
          {"SPEECH_ENGINE_AUTO_DOWNLOAD=false", "SPEECH_ENGINE_CACHE_DIR=" + (folder_ / "models").string(),
           "HANSARD_MODEL_PATH=none"});
  EXPECT_EQ(result.exit_code, 7) << result.err;
  EXPECT_NE(result.err.find("model diarization-default is not installed; run: hansard models"),
            std::string::npos)
      << result.err;
  const bj::value document = bj::parse(read(folder_ / "out.json"));
  EXPECT_GT(document.at("words").as_array().size(), 60U);
  EXPECT_EQ(document.at("warnings").as_array().at(0).at("code"), "DIARIZATION_FAILED");
}

TEST_F(TranscribeModel, TwoRunsMayShareADataFolder) {
  const std::string file = recording("two_cities.wav");
  RunningProgram one = start({"transcribe", file, "--model", "tiny.en", "-o", folder_ / "one.json"});
  RunningProgram two = start({"transcribe", file, "--model", "tiny.en", "-o", folder_ / "two.json"});
  EXPECT_TRUE(one.child().wait().ok());
  EXPECT_TRUE(two.child().wait().ok());
  EXPECT_EQ(read(folder_ / "one.json"), read(folder_ / "two.json"));
}

// Too little memory says how much is needed; and that is enough, and gives the same.
TEST_F(TranscribeModel, AMemoryLimitChangesNoWord) {
  const fs::path& file = recording("two_cities.wav");
  const auto with_limit = [&](int megabytes) {
    return run({"transcribe", file, "--model", "tiny.en", "--no-diarize", "--no-cache", "--format", "txt",
                "--memory-limit", std::to_string(megabytes)});
  };
  const ProgramResult free = with_limit(0);
  ASSERT_EQ(free.exit_code, 0) << free.err;
  int limit = 80;
  ProgramResult refused = with_limit(limit);
  // In a sanitizer's engine the model itself takes more, and it is ended before it can say how much.
  while (kSanitized && refused.err.find("the engine grew over its memory limit of") != std::string::npos) {
    refused = with_limit(limit += 40);
  }
  EXPECT_EQ(refused.exit_code, 6) << refused.err;
  std::smatch needed;
  ASSERT_TRUE(std::regex_search(refused.err, needed, std::regex("the model needs ([0-9]+) MB at least")))
      << refused.err;
  const ProgramResult enough = with_limit(std::stoi(needed[1]) + 20);
  EXPECT_EQ(enough.exit_code, 0) << enough.err;
  EXPECT_EQ(enough.out, free.out);
}

TEST_F(TranscribeModel, PresetsAreThree) {
  for (const char* preset : {"fast", "accurate"}) {
    const ProgramResult result = run({"transcribe", recording("two_cities.wav"), "--model", "tiny.en",
                                      "--no-diarize", "--preset", preset, "--format", "txt"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NE(lower_words(result.out).find("age of wisdom"), std::string::npos) << result.out;
  }
  const ProgramResult none = run({"transcribe", recording("two_cities.wav"), "--preset", "quick"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_NE(none.err.find("fast, balanced, accurate"), std::string::npos) << none.err;
}

TEST_F(TranscribeModel, ResultsDoNotDependOnThreads) {
  const std::string file = recording("two_cities.wav");
  const ProgramResult one =
      run({"transcribe", file, "--model", "tiny.en", "--threads", "1", "--no-cache", "--format", "json"});
  const ProgramResult two =
      run({"transcribe", file, "--model", "tiny.en", "--threads", "2", "--no-cache", "--format", "json"});
  ASSERT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(one.out, two.out);
}

}  // namespace
}  // namespace hansard
