// What happens when something dies in the middle.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "program.h"

namespace hansard {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

using Interruption = Program;
using InterruptionModel = Program;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Groups of one window, so that a recording of 44 s has several; every event on standard error.
std::vector<std::string> command(const fs::path& file, const fs::path& output) {
  return {"transcribe", file, "--model", "tiny.en", "--batch-size", "1", "--json-progress", "-o", output};
}

bool gone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string id, name, state;
  file >> id >> name >> state;
  return !file || state == "Z";
}

bool gone_within(pid_t pid, std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (!gone(pid)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_F(InterruptionModel, AKilledRunGoesOnWhereItWasAndEndsInTheSameBytes) {
  const fs::path file = recording("two_cities.wav");
  RunningProgram running = start(command(file, folder_ / "out.json"));
  ASSERT_TRUE(running.wait_for_line("\"event\":\"words\""));
  running.child().kill(SIGKILL);
  running.child().wait();
  EXPECT_FALSE(fs::exists(folder_ / "out.json"));
  const auto kept = listing(folder_ / "data/cache/words");
  ASSERT_FALSE(kept.empty());

  ASSERT_EQ(run(command(file, folder_ / "out.json")).exit_code, 0);
  const auto after = listing(folder_ / "data/cache/words");
  EXPECT_TRUE(
      std::includes(after.begin(), after.end(), kept.begin(), kept.end()));  // nothing was decoded twice

  const fs::path other = folder_ / "other";
  ASSERT_EQ(
      run(command(file, folder_ / "undisturbed.json"), {"HANSARD_DATA_DIR=" + other.string()}).exit_code, 0);
  EXPECT_EQ(read(folder_ / "out.json"), read(folder_ / "undisturbed.json"));
}

TEST_F(InterruptionModel, NoChildOutlivesItsParent) {
  RunningProgram running = start(command(recording("two_cities.wav"), folder_ / "out.json"));
  ASSERT_TRUE(running.wait_for_line("transcribing"));
  const std::vector<pid_t> children = running.children();
  ASSERT_FALSE(children.empty());
  running.child().kill(SIGKILL);
  for (const pid_t pid : children) EXPECT_TRUE(gone_within(pid, 1s));
}

TEST_F(InterruptionModel, CtrlCStopsWithinTwoSecondsAndLeavesNoOutput) {
  RunningProgram running = start(command(recording("two_cities.wav"), folder_ / "out.json"));
  ASSERT_TRUE(running.wait_for_line("transcribing"));
  running.child().kill(SIGINT);
  const auto exit = running.child().wait_for(2s);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->exit_code, 130);
  EXPECT_FALSE(fs::exists(folder_ / "out.json"));
}

// Whoever writes to standard input may never go on, and never close it.
TEST_F(Interruption, CtrlCEndsTheWaitForStandardInput) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ASSERT_EQ(::write(write_end.get(), "RIFF", 4), 4);
  RunningProgram running = start({"transcribe", "-"}, {}, read_end.get());
  int unread = 4;
  while (unread > 0 && !running.child().wait_for(1ms)) ::ioctl(read_end.get(), FIONREAD, &unread);
  running.child().kill(SIGINT);
  const auto exit = running.child().wait_for(2s);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->exit_code, 130);
}

TEST_F(InterruptionModel, AnEngineThatDiesOnceIsReplaced) {
  RunningProgram running = start(command(recording("two_cities.wav"), folder_ / "out.json"));
  ASSERT_TRUE(running.wait_for_line("\"event\":\"words\""));
  for (const pid_t pid : running.children()) ::kill(pid, SIGKILL);
  EXPECT_TRUE(running.child().wait().ok());
  EXPECT_TRUE(fs::exists(folder_ / "out.json"));
}

TEST_F(InterruptionModel, AnEngineThatAlwaysDiesEndsTheRunWithAClearLine) {
  RunningProgram running = start(command(recording("two_cities.wav"), folder_ / "out.json"));
  std::thread killer([&] {
    while (!running.child().wait_for(1ms)) {
      for (const pid_t pid : running.children()) {
        // Engines alone: LeakSanitizer has a child, too, and waits for it for ever.
        const auto name = read_file(fmt::format("/proc/{}/comm", pid), 100);
        if (name && *name == "hansard-engine\n") ::kill(pid, SIGKILL);
      }
    }
  });
  EXPECT_TRUE(running.wait_for_line("engine"));
  killer.join();
  const ChildExit exit = running.child().wait();
  EXPECT_EQ(exit.exit_code, 6);
  EXPECT_FALSE(fs::exists(folder_ / "out.json"));
}

}  // namespace
}  // namespace hansard
