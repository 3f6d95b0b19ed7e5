// Nothing lost, nothing twice: a server that is killed again and again, at named points and at any moment,
// still gives each accepted recording exactly the transcript of an undisturbed one.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "program.h"
#include "serving.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Scale {
  int recordings = 8;
  int kills = 14;
};

// Where a kill can be asked for, and what is going on there.
const std::vector<std::pair<std::string, std::string>> kPoints{
    {"pipeline.group_decoded", "decode"}, {"pipeline.group_saved", "decode"},
    {"blob.after_write", "save"},         {"blob.after_sync", "save"},
    {"blob.after_rename", "save"},        {"store.before_commit", "commit"},
    {"store.after_commit", "commit"}};

class ChaosModel : public Program {
 protected:
  Serving serve(const std::string& program, const std::string& folder,
                std::vector<std::string> more = {}) const {
    std::vector<std::string> environment{fmt::format("PATH={}", std::getenv("PATH")),
                                         fmt::format("HOME={}", (folder_ / "home").string()),
                                         fmt::format("HANSARD_DATA_DIR={}", (folder_ / folder).string()),
                                         fmt::format("HANSARD_MODEL_PATH={}", models().string()),
                                         fmt::format("CHAOS_LOG={}", (folder_ / "points").string()),
                                         "LC_ALL=C.UTF-8"};
    environment.insert(environment.end(), more.begin(), more.end());
    return {HANSARD_BINARY_DIR "/bin/" + program, folder_ / (folder + ".log"), environment};
  }

  // Recordings of a few seconds that all differ, cut out of real ones.
  std::vector<std::string> cuts(int count) const {
    std::vector<std::string> result;
    for (int i = 0; i < count; ++i) {
      const std::string source = recording(i % 2 == 0 ? "endgame_nagg_nell.wav" : "two_cities.wav");
      const double start = 0.11 * static_cast<double>(i);
      const Result<ChildOutput> cut = run_child(
          {.argv = {"ffmpeg", "-v", "error", "-ss", fmt::format("{}", start), "-i", source, "-t",
                    fmt::format("{}", 3 + i % 3), "-ac", "1", "-ar", "16000", "-f", "wav", "-bitexact", "-"}},
          60s, 16 << 20);
      EXPECT_TRUE(cut && cut->exit.ok());
      result.push_back(cut->standard_output);
    }
    return result;
  }

  // A transcript without what names its job.
  static std::string transcript(const Serving& server, const std::string& id) {
    std::string text = server.get("/api/v1/transcriptions/" + id + "/transcript").body;
    for (size_t at = text.find(id); at != std::string::npos; at = text.find(id)) text.erase(at, id.size());
    return text;
  }

  static bool is_idle(const Serving& server) {
    const auto queue = json::parse_object(server.get("/api/v1/admin/queue").body);
    return queue && queue->contains("queued") && queue->at("queued") == 0 && queue->at("processing") == 0;
  }
  // Waits until nothing is queued or in work; false where the server ended before.
  static bool wait_until_idle(Serving& server) {
    while (!server.child().wait_for(20ms)) {
      if (is_idle(server)) return true;
    }
    return false;
  }

  static std::vector<pid_t> children_of(pid_t pid) {
    std::vector<pid_t> pids;
    std::error_code error;
    for (fs::directory_iterator tasks(fmt::format("/proc/{}/task", pid), error), end; !error && tasks != end;
         tasks.increment(error)) {
      std::ifstream file(tasks->path() / "children");
      for (pid_t child = 0; file >> child;) pids.push_back(child);
    }
    return pids;
  }

  // Whether these processes are gone, or zombies, within a second.
  static bool are_gone(const std::vector<pid_t>& pids) {
    const auto deadline = Clock::now() + 1s;
    for (const pid_t pid : pids) {
      while (::kill(pid, 0) == 0) {
        std::ifstream status(fmt::format("/proc/{}/stat", pid));
        std::string number;
        std::string name;
        std::string state;
        status >> number >> name >> state;
        if (state == "Z" || state.empty()) break;
        if (Clock::now() > deadline) return false;
        std::this_thread::yield();
      }
    }
    return true;
  }

  size_t passed(const std::string& point) const {
    std::ifstream file(folder_ / "points");
    size_t count = 0;
    for (std::string line; std::getline(file, line);) count += line == point ? 1 : 0;
    return count;
  }

  // The database says that it is whole, and every blob and its row know each other.
  void expect_sound(const fs::path& data) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open_v2((data / "hansard.db").c_str(), &database, SQLITE_OPEN_READWRITE, nullptr),
              SQLITE_OK);
    const auto column = [&](const char* sql) {
      std::set<std::string> values;
      const auto add = [](void* to, int, char** row, char**) {
        static_cast<std::set<std::string>*>(to)->insert(row[0]);
        return 0;
      };
      EXPECT_EQ(sqlite3_exec(database, sql, add, &values, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
      return values;
    };
    EXPECT_EQ(column("PRAGMA integrity_check"), std::set<std::string>{"ok"});
    EXPECT_TRUE(column("PRAGMA foreign_key_check").empty());
    std::set<std::string> named = column("SELECT blob FROM files WHERE blob IS NOT NULL");
    named.merge(column("SELECT output_key FROM transcription_executions WHERE output_key IS NOT NULL"));
    std::set<std::string> there;
    for (const auto& entry : fs::recursive_directory_iterator(data / "blobs")) {
      if (entry.is_regular_file()) there.insert(fs::relative(entry.path(), data / "blobs"));
    }
    EXPECT_EQ(there, named);
    sqlite3_close(database);
  }

  void run(const Scale& scale) {
    const char* given = std::getenv("CHAOS_SEED");
    const unsigned seed = given == nullptr ? std::random_device()() : static_cast<unsigned>(std::atoi(given));
    SCOPED_TRACE(fmt::format("CHAOS_SEED={}", seed));
    std::mt19937 chance(seed);
    const auto below = [&](int most) { return static_cast<int>(chance() % static_cast<unsigned>(most)); };
    const std::vector<std::string> recordings = cuts(scale.recordings);

    std::vector<std::string> expected;
    {
      Serving server = serve("hansard", "calm");
      ASSERT_TRUE(server.listens()) << server.log();
      std::vector<std::string> ids;
      for (const std::string& bytes : recordings) ids.push_back(server.submit(bytes, {{"title", "cut"}}));
      ASSERT_TRUE(wait_until_idle(server));
      for (const std::string& id : ids) expected.push_back(transcript(server, id));
    }

    std::vector<std::string> accepted(recordings.size());  // ids
    std::map<std::string, int> fell;                       // where kills fell
    const int point_count = static_cast<int>(kPoints.size());
    int engine_kills = 0;
    const int most_engine_kills = std::max(1, scale.recordings / 8);
    for (int kills = 0; kills < scale.kills;) {
      const int choice = kills < point_count ? 0 : below(10);
      std::vector<std::string> plan;
      std::string place;
      if (choice < 5) {
        const auto& point = kPoints[static_cast<size_t>(kills < point_count ? kills : below(point_count))];
        // Every job passes the points of decoding once, those of a commit often.
        const int passes = point.second == "decode" ? 1 : 1 + below(point.second == "save" ? 3 : 8);
        plan = {"CHAOS_POINT=" + point.first, fmt::format("CHAOS_PASSES={}", passes)};
        place = point.second;
      }
      Serving server = serve("chaos-hansard", "torn", plan);
      const pid_t pid = server.child().pid();
      std::atomic<bool> submitted = false;
      // Hands in what was not yet accepted, a few at each start, while the kill comes.
      std::jthread client([&, count = 1 + below(scale.recordings / 3 + 1)] {
        int left = count;
        for (size_t i = 0; i < recordings.size() && left > 0 && server.listens(); ++i) {
          if (!accepted[i].empty()) continue;
          accepted[i] = server.submit(recordings[i], {{"title", "cut"}});
          --left;
        }
        submitted = true;
      });
      std::vector<pid_t> children;
      const auto patience =
          Clock::now() + (place.empty() ? std::chrono::milliseconds(50 + below(1500)) : 60s);
      while (Clock::now() < patience && !server.child().wait_for(5ms)) {
        if (auto now = children_of(pid); !now.empty()) children = std::move(now);
        if (!place.empty() && submitted && is_idle(server)) break;  // the point will not be reached
      }
      if (server.child().running() && choice >= 8 && engine_kills < most_engine_kills && !children.empty()) {
        // The engine alone: the server goes on.
        ::kill(children.back(), SIGKILL);
        ++engine_kills;
        ++fell["engine"];
        ++kills;
        continue;  // and the server ends with its object, as killed as by any other way
      }
      if (server.child().running()) {
        place = place.empty() ? "anywhere" : "";  // a named point was not reached
        children = children_of(pid);
        server.child().kill(SIGKILL);
      }
      client.join();
      (void)server.child().wait();
      EXPECT_TRUE(are_gone(children));
      if (!place.empty()) ++fell[place];
      ++kills;
    }

    Serving server = serve("chaos-hansard", "torn");
    ASSERT_TRUE(server.listens()) << server.log();
    for (size_t i = 0; i < recordings.size(); ++i) {
      if (accepted[i].empty()) accepted[i] = server.submit(recordings[i], {{"title", "cut"}});
      ASSERT_FALSE(accepted[i].empty());
    }
    ASSERT_TRUE(wait_until_idle(server));
    for (size_t i = 0; i < recordings.size(); ++i) {
      const std::string base = "/api/v1/transcriptions/" + accepted[i];
      const auto job = json::parse_object(server.get(base).body).value();
      EXPECT_EQ(job.at("status"), "completed") << server.get(base + "/logs").body;
      EXPECT_EQ(transcript(server, accepted[i]), expected[i]);
      const auto executions = json::parse_object(server.get(base + "/executions").body).value();
      int completed = 0;
      for (const bj::value& execution : executions.at("items").as_array()) {
        completed += execution.at("status") == "completed" ? 1 : 0;
        EXPECT_NE(execution.at("status"), "processing");
      }
      EXPECT_EQ(completed, 1);
    }
    const std::vector<pid_t> children = children_of(server.child().pid());
    server.child().kill(SIGTERM);
    EXPECT_TRUE(server.child().wait().ok());
    EXPECT_TRUE(are_gone(children));
    expect_sound(folder_ / "torn");

    // A group that was saved is never decoded again: each is saved once.
    const size_t groups = listing(folder_ / "torn/cache/words").size();
    const size_t decoded = passed("pipeline.group_decoded");
    const size_t saved = passed("pipeline.group_saved");
    EXPECT_LE(saved, groups);
    EXPECT_LE(decoded, groups + static_cast<size_t>(scale.kills));
    std::cout << fmt::format(
        "chaos: seed {}, {} recordings, kills in {}; {} groups, decoded {} times, saved {} times\n", seed,
        scale.recordings, fell, groups, decoded, saved);
    for (const char* place : {"decode", "save", "commit"}) EXPECT_GT(fell[place], 0) << place;
  }
};

TEST_F(ChaosModel, KilledAgainAndAgainNothingIsLostAndNothingIsDoneTwice) {
  run({});
}

TEST_F(ChaosModel, TwoHundredRecordings) {
  if (std::getenv("HANSARD_WHOLE_CORPUS") == nullptr) {
    GTEST_SKIP() << "200 recordings and 80 kills run in ./dev check (HANSARD_WHOLE_CORPUS)";
  }
  run({.recordings = 200, .kills = 80});
}

}  // namespace
}  // namespace hansard
