// Nothing lost, nothing twice: a server that is killed again and again, at named points and at any moment,
// still gives each accepted recording exactly the transcript of an undisturbed one.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
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
#include "store/sqlite/full_text.h"

namespace hansard {
namespace {

namespace bj = json::bj;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Scale {
  int recordings = 10;
  int long_recordings = 0;  // of several groups each
  int kills = 16;
};

// Where a server is killed: a seam, and how many passes of it one job makes at most.
struct Point {
  const char* seam;
  const char* place;  // what is going on there
  int passes;
};
constexpr std::array kPoints{
    Point{"pipeline.group_decoded", "decode", 2},     Point{"pipeline.group_saved", "decode", 2},
    Point{"store.before_commit", "commit", 12},       Point{"store.after_commit", "commit", 12},
    Point{"blob.after_write files/", "upload", 2},    Point{"blob.after_sync files/", "upload", 2},
    Point{"blob.after_rename files/", "upload", 2},   Point{"blob.after_write transcripts/", "save", 2},
    Point{"blob.after_sync transcripts/", "save", 2}, Point{"blob.after_rename transcripts/", "save", 2},
    Point{"file.after_write", "artifact", 6},         Point{"file.after_sync", "artifact", 6},
    Point{"file.after_rename", "artifact", 6}};

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> pids;
  std::error_code error;
  for (fs::directory_iterator tasks(fmt::format("/proc/{}/task", pid), error), end; !error && tasks != end;
       tasks.increment(error)) {
    std::ifstream file(tasks->path() / "children");
    for (pid_t child = 0; file >> child;) pids.push_back(child);
  }
  return pids;
}

std::string command_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name;
}

// Whether these processes are gone, or zombies, within two seconds.
bool are_gone(const std::vector<pid_t>& pids) {
  const auto deadline = Clock::now() + 2s;
  for (const pid_t pid : pids) {
    for (;;) {
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

double seconds_of(const fs::path& recording) {
  const auto probed = run_child({.argv = {"ffprobe", "-v", "error", "-show_entries", "format=duration", "-of",
                                          "csv=p=0", recording.string()}},
                                60s, 1 << 20);
  return probed ? std::atof(probed->standard_output.c_str()) : 0;
}

// So many seconds from `start_s` on, as a WAV file; the recording is repeated where it is shorter.
std::string cut(const fs::path& recording, double start_s, double length_s) {
  const auto made = run_child(
      {.argv = {"ffmpeg", "-v", "error", "-stream_loop", "-1", "-ss", fmt::format("{:.3f}", start_s), "-i",
                recording.string(), "-t", fmt::format("{:.3f}", length_s), "-ac", "1", "-ar", "16000", "-f",
                "wav", "-bitexact", "-"}},
      60s, 64 << 20);
  EXPECT_TRUE(made && made->exit.ok()) << recording;
  return made ? made->standard_output : std::string();
}

// The database of a server that has ended.
class Database {
 public:
  explicit Database(const fs::path& path) {
    EXPECT_EQ(sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READWRITE, nullptr), SQLITE_OK);
    EXPECT_TRUE(store::add_full_text(database_));  // its index is checked with the rest
  }
  ~Database() { sqlite3_close(database_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // The first column of what `sql` gives, sorted.
  std::multiset<std::string> column(const char* sql) const {
    std::multiset<std::string> values;
    const auto add = [](void* to, int, char** row, char**) {
      static_cast<std::multiset<std::string>*>(to)->insert(row[0]);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(database_, sql, add, &values, nullptr), SQLITE_OK) << sqlite3_errmsg(database_);
    return values;
  }

 private:
  sqlite3* database_ = nullptr;
};

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

  // Recordings of a few seconds, and some of minutes, that all differ: cuts of real ones.
  static std::vector<std::string> cuts(const Scale& scale) {
    std::vector<fs::path> sources{recording("endgame_nagg_nell.wav"), recording("two_cities.wav")};
    if (const char* corpus = std::getenv("HANSARD_CORPUS")) {
      for (const auto& entry : fs::directory_iterator(corpus)) {
        const std::string type = entry.path().extension();
        if (type == ".flac" || type == ".wav" || type == ".mp3") sources.push_back(entry.path());
      }
      std::sort(sources.begin() + 2, sources.end());
    }
    std::vector<std::string> result;
    const int each = scale.recordings / static_cast<int>(sources.size()) + 1;
    for (int i = 0; i < scale.recordings; ++i) {
      const auto source = static_cast<size_t>(i) % sources.size();
      const int nth = i / static_cast<int>(sources.size());
      const double room_s = std::max(1.0, std::min(60.0, seconds_of(sources[source])) - 8);
      result.push_back(cut(sources[source], room_s * (nth + 0.3) / each, 5 + i % 3));
    }
    for (int i = 0; i < scale.long_recordings; ++i) result.push_back(cut(sources[1], 3.5 * i, 270));
    EXPECT_EQ(std::set<std::string>(result.begin(), result.end()).size(), result.size());
    return result;
  }

  // Hands in a recording until the server says that it has it. The key makes it safe to ask again.
  static std::string submit(const Serving& server, const std::string& bytes, size_t number) {
    return server.submit(bytes, {{"title", "cut"}, {"options", R"({"model":"whisper-tiny.en"})"}},
                         fmt::format("Idempotency-Key: cut-{}\r\n", number));
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
  // The job in work; empty where there is none.
  static std::string in_work(const Serving& server) {
    const auto list = json::parse_object(server.get("/api/v1/transcriptions?status=processing").body);
    if (!list || !list->contains("items") || list->at("items").as_array().empty()) return {};
    return std::string(list->at("items").as_array()[0].at("id").as_string());
  }

  void transcribe_calmly() {
    Serving server = serve("hansard", "calm");
    ASSERT_TRUE(server.listens()) << server.log();
    std::vector<std::string> ids;
    for (size_t i = 0; i < recordings_.size(); ++i) ids.push_back(submit(server, recordings_[i], i));
    ASSERT_TRUE(wait_until_idle(server));
    for (const std::string& id : ids) expected_.push_back(transcript(server, id));
  }

  // ---- one life of a server, from its start to its kill

  int below(int most) { return static_cast<int>(chance_() % static_cast<unsigned>(most)); }

  // Kills the engine of the job in work, once for each job: a job may lose its engine, but not again and
  // again.
  void kill_engine(const Serving& server, pid_t pid) {
    const std::string job = in_work(server);
    if (job.empty() || !engine_killed_.insert(job).second) return;
    for (const pid_t child : children_of(pid)) {
      if (command_of(child) != "hansard-engine") continue;
      ::kill(child, SIGKILL);
      ++fell_["engine"];
    }
  }

  // Hands in what was not yet accepted, `share` of it in this life.
  void hand_in(const Serving& server, int share) {
    for (size_t i = 0; i < recordings_.size() && share > 0 && server.listens(); ++i) {
      if (!accepted_[i].empty()) continue;
      accepted_[i] = submit(server, recordings_[i], i);
      --share;
    }
  }

  // Whether the kill fell at the point that was asked for, if one was.
  bool live(const Point* point, int passes, int share) {
    std::vector<std::string> plan;
    if (point != nullptr)
      plan = {fmt::format("CHAOS_POINT={}", point->seam), fmt::format("CHAOS_PASSES={}", passes)};
    Serving server = serve("chaos/hansard", "torn", plan);
    const pid_t pid = server.child().pid();
    std::atomic<bool> handed_in = false;
    std::thread client([&] {
      // There is always something to be done, and never all of it.
      hand_in(server, std::max(share, is_idle(server) ? 1 : 0));
      handed_in = true;
    });
    const auto begun = Clock::now();
    const auto end = begun + (point == nullptr ? std::chrono::milliseconds(50 + below(4000)) : 120s);
    // Every other life the engine dies too, and the server goes on without it for a while.
    const bool kills_engine = below(2) == 0;
    const auto engine_end = begun + std::chrono::milliseconds(300 + below(2500));
    bool engine_ended = !kills_engine;
    std::vector<pid_t> children;
    while (Clock::now() < end && !server.child().wait_for(5ms)) {
      if (auto now = children_of(pid); !now.empty()) children = std::move(now);
      if (!engine_ended && Clock::now() > engine_end) {
        kill_engine(server, pid);
        engine_ended = true;
      }
      if (point != nullptr && handed_in && is_idle(server)) break;  // the point will not be reached
    }
    const bool at_point = point != nullptr && !server.child().running();
    if (server.child().running()) {
      children = children_of(pid);
      server.child().kill(SIGKILL);
    }
    EXPECT_EQ(server.child().wait().signal, SIGKILL) << server.log();
    client.join();
    EXPECT_TRUE(are_gone(children));
    ++fell_[at_point ? point->place : "anywhere"];
    return at_point || point == nullptr;
  }

  // A life with a kill at a point, or at any moment where there is none.
  void live_once(const Point* point, int most_passes, int share) {
    // A recording without speech passes no point of decoding: then another must.
    for (int tries = 0; tries < 3 && !live(point, 1 + below(most_passes), share); ++tries) {
    }
  }

  // ---- the end

  void expect_all_completed(const Serving& server) {
    for (size_t i = 0; i < recordings_.size(); ++i) {
      const std::string base = "/api/v1/transcriptions/" + accepted_[i];
      const auto job = json::parse_object(server.get(base).body).value();
      EXPECT_EQ(job.at("status"), "completed") << server.get(base + "/logs").body;
      EXPECT_EQ(transcript(server, accepted_[i]), expected_[i]);
      const auto executions = json::parse_object(server.get(base + "/executions").body).value();
      int completed = 0;
      for (const bj::value& execution : executions.at("items").as_array()) {
        completed += execution.at("status") == "completed" ? 1 : 0;
        EXPECT_NE(execution.at("status"), "processing");
      }
      EXPECT_EQ(completed, 1);
    }
  }

  // The database says that it is whole and holds each recording once; the blobs that its rows name.
  std::multiset<std::string> expect_sound_database(const fs::path& data) const {
    const Database database(data / "hansard.db");
    EXPECT_EQ(database.column("PRAGMA integrity_check"), std::multiset<std::string>{"ok"});
    EXPECT_TRUE(database.column("PRAGMA foreign_key_check").empty());
    EXPECT_EQ(database.column("SELECT id FROM transcriptions").size(), recordings_.size());
    EXPECT_EQ(database.column("SELECT id FROM files").size(), recordings_.size());
    EXPECT_EQ(database.column("SELECT transcription_id FROM transcripts").size(), recordings_.size());
    std::multiset<std::string> named = database.column("SELECT blob FROM files WHERE blob IS NOT NULL");
    named.merge(
        database.column("SELECT output_key FROM transcription_executions WHERE output_key IS NOT NULL"));
    return named;
  }

  // No file is there that nobody needs.
  static void expect_no_orphans(const fs::path& data, const std::multiset<std::string>& named) {
    std::multiset<std::string> there;
    for (const auto& entry : fs::recursive_directory_iterator(data)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = fs::relative(entry.path(), data);
      if (name.starts_with("blobs/")) {
        there.insert(name.substr(6));
        continue;
      }
      const std::string base = entry.path().filename();
      const bool artifact = name.starts_with("cache/") && base.size() >= 64 &&
                            base.find_first_not_of("0123456789abcdef-") == std::string::npos;
      EXPECT_TRUE(artifact || name == "hansard.db" || name == "lock" || name == "token-keys.json" ||
                  name.starts_with("models/"))
          << "nobody needs " << name;
    }
    EXPECT_EQ(there, named);
  }

  // A group that was saved is never decoded again, whatever happens after.
  void expect_no_group_twice(const fs::path& data) {
    std::ifstream points(folder_ / "points");
    std::set<std::string> saved;
    std::set<std::string> decoded_ever;
    int decoded = 0;
    int reused = 0;
    std::string point;
    for (std::string line; std::getline(points, line);) {
      const size_t space = line.find(' ');
      point = line.substr(0, space);
      const std::string group = space == std::string::npos ? "" : line.substr(space + 1);
      if (point == "pipeline.group_decoded") {
        ++decoded;
        decoded_ever.insert(group);
        EXPECT_FALSE(saved.contains(group)) << group << " was decoded again";
      } else if (point == "pipeline.group_saved") {
        EXPECT_TRUE(saved.insert(group).second) << group << " was saved again";
      } else if (point == "pipeline.group_reused") {
        ++reused;
      }
    }
    const size_t groups = listing(data / "cache/words").size();
    EXPECT_EQ(decoded_ever.size(), groups);
    EXPECT_GT(reused, 0);
    std::cout << fmt::format(
        "chaos: seed {}: {} recordings of {} groups; groups decoded {} times, reused {} times; kills fell "
        "{}\n",
        seed_, recordings_.size(), groups, decoded, reused, fell_);
  }

  void run(const Scale& scale) {
    const char* given = std::getenv("CHAOS_SEED");
    seed_ = given == nullptr ? std::random_device()() : static_cast<unsigned>(std::atoll(given));
    SCOPED_TRACE(fmt::format("the same again with CHAOS_SEED={}", seed_));
    chance_.seed(seed_);
    recordings_ = cuts(scale);
    std::shuffle(recordings_.begin(), recordings_.end(), chance_);
    const auto begun = Clock::now();
    ASSERT_NO_FATAL_FAILURE(transcribe_calmly());
    const auto calm = Clock::now() - begun;

    accepted_.resize(recordings_.size());
    for (int kills = 0; kills < scale.kills; ++kills) {
      // Each point once, then points and moments by chance.
      const bool first_round = static_cast<size_t>(kills) < kPoints.size();
      const Point* point = nullptr;
      if (first_round || below(2) == 0)
        point = &kPoints[first_round ? static_cast<size_t>(kills) : chance_() % kPoints.size()];
      const int most_passes = point == nullptr ? 1 : first_round ? (point->passes + 1) / 2 : point->passes;
      const auto waiting = static_cast<int>(std::count(accepted_.begin(), accepted_.end(), ""));
      const bool upload = point != nullptr && std::string_view(point->place) == "upload";
      live_once(point, most_passes, std::max(waiting / (scale.kills - kills), upload ? 1 : 0));
    }
    Serving server = serve("chaos/hansard", "torn");
    ASSERT_TRUE(server.listens()) << server.log();
    hand_in(server, static_cast<int>(recordings_.size()));
    ASSERT_EQ(std::count(accepted_.begin(), accepted_.end(), ""), 0);
    ASSERT_TRUE(wait_until_idle(server));
    std::cout << fmt::format("chaos: undisturbed {:.0f} s, disturbed {:.0f} s\n",
                             std::chrono::duration<double>(calm).count(),
                             std::chrono::duration<double>(Clock::now() - begun - calm).count());
    expect_all_completed(server);
    const std::vector<pid_t> children = children_of(server.child().pid());
    server.child().kill(SIGTERM);
    EXPECT_TRUE(server.child().wait().ok());
    EXPECT_TRUE(are_gone(children));
    expect_no_orphans(folder_ / "torn", expect_sound_database(folder_ / "torn"));
    expect_no_group_twice(folder_ / "torn");
    for (const char* place : {"decode", "save", "commit"}) EXPECT_GT(fell_[place], 0) << place;
  }

  unsigned seed_ = 0;
  std::mt19937 chance_;
  std::vector<std::string> recordings_;
  std::vector<std::string> expected_;    // transcripts of an undisturbed run
  std::vector<std::string> accepted_;    // ids; empty: not yet
  std::set<std::string> engine_killed_;  // jobs
  std::map<std::string, int> fell_;      // how many kills fell where
};

TEST_F(ChaosModel, KilledAgainAndAgainNothingIsLostAndNothingIsDoneTwice) {
  run({});
}

TEST_F(ChaosModel, TwoHundredRecordings) {
  if (std::getenv("HANSARD_WHOLE_CHAOS") == nullptr) {
    GTEST_SKIP() << "200 recordings and 80 kills run in ./dev check (HANSARD_WHOLE_CHAOS)";
  }
  run({.recordings = 197, .long_recordings = 3, .kills = 80});
}

}  // namespace
}  // namespace hansard
