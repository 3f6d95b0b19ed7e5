#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace hansard {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kOutputLimit = 10 << 20;

ChildOptions shell(std::string script) {
  return {.argv = {"sh", "-c", std::move(script)}};
}

// Runs a script and returns its standard output.
std::string output_of(ChildOptions options) {
  const Result<ChildOutput> output = run_child(std::move(options), 30s, kOutputLimit);
  EXPECT_TRUE(output) << output.error().message;
  if (!output) return {};
  EXPECT_TRUE(output->exit.ok()) << output->standard_error;
  return output->standard_output;
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::string read_line(int fd) {
  std::string line;
  char c = 0;
  while (::read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

// Whether everybody who could write to the pipe has gone within `timeout`.
bool closes_within(int fd, std::chrono::milliseconds timeout) {
  struct pollfd event = {fd, POLLIN, 0};
  char c = 0;
  return ::poll(&event, 1, static_cast<int>(timeout.count())) == 1 && ::read(fd, &c, 1) == 0;
}

UniqueFd file_with(std::string_view text) {
  UniqueFd fd = open_unnamed_file(std::filesystem::temp_directory_path()).value();
  EXPECT_TRUE(write_all(fd.get(), text));
  return fd;
}

TEST(ChildProcess, ReportsItsExit) {
  EXPECT_TRUE(run_child(shell("exit 0"), 30s, kOutputLimit)->exit.ok());
  EXPECT_EQ(run_child(shell("exit 7"), 30s, kOutputLimit)->exit.exit_code, 7);
  EXPECT_EQ(run_child(shell("kill -9 $$"), 30s, kOutputLimit)->exit.signal, SIGKILL);
}

TEST(ChildProcess, ExitIsKeptAndWaitForGivesUp) {
  ChildProcess child = ChildProcess::start(shell("exec sleep 60")).value();
  EXPECT_FALSE(child.wait_for(1ms));
  EXPECT_TRUE(child.running());
  child.kill(SIGTERM);
  EXPECT_EQ(child.wait().signal, SIGTERM);
  EXPECT_FALSE(child.running());
  EXPECT_EQ(child.wait_for(0ms)->signal, SIGTERM);
  child.kill(SIGKILL);  // nobody is hit
}

TEST(ChildProcess, SaysWhyItDidNotStart) {
  const Result<ChildProcess> nowhere = ChildProcess::start({.argv = {"hansard-no-such-program"}});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::not_found);
  EXPECT_EQ(nowhere.error().message, "the program hansard-no-such-program is not installed");

  const Result<ChildProcess> no_path = ChildProcess::start({.argv = {"/nonexistent/folder/tool"}});
  ASSERT_FALSE(no_path);
  EXPECT_EQ(no_path.error().code, ErrorCode::not_found);
  EXPECT_EQ(no_path.error().message.find('/'), std::string::npos);

  const Result<ChildProcess> no_program = ChildProcess::start({.argv = {"/etc/passwd"}});
  ASSERT_FALSE(no_program);
  EXPECT_EQ(no_program.error().code, ErrorCode::internal);
}

TEST(ChildProcess, GetsItsEnvironmentAlone) {
  ::setenv("HANSARD_TEST_SECRET", "secret", 1);
  const std::string standard = output_of({.argv = {"env"}});
  EXPECT_EQ(standard, fmt::format("PATH={}\nLC_ALL=C.UTF-8\n", ::getenv("PATH")));
  EXPECT_EQ(output_of({.argv = {"env"}, .environment = {"ONE=1", "TWO=2"}}), "ONE=1\nTWO=2\n");
}

TEST(ChildProcess, GetsItsDescriptorsAlone) {
  UniqueFd leaky(::open("/dev/zero", O_RDONLY));  // not close-on-exec
  UniqueFd leaky_high(::fcntl(leaky.get(), F_DUPFD, 200));
  UniqueFd given = file_with("given");
  ChildOptions options =
      shell("for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/} $(readlink $f); done; cat <&7");
  options.descriptors = {{7, given.get()}};
  const std::string listed = output_of(std::move(options));
  EXPECT_NE(listed.find("0 /dev/null\n"), std::string::npos) << listed;
  EXPECT_NE(listed.find("\n7 "), std::string::npos) << listed;
  EXPECT_EQ(std::count(listed.begin(), listed.end(), '\n'), 4) << listed;  // 0, 1, 2 and 7
  EXPECT_EQ(listed.find("/dev/zero"), std::string::npos) << listed;
}

TEST(ChildProcess, DescriptorsMayChangePlaces) {
  const UniqueFd one = file_with("one");
  const UniqueFd two = file_with("two");
  for (const UniqueFd* fd : {&one, &two}) ::lseek(fd->get(), 0, SEEK_SET);
  ChildOptions options = shell(fmt::format("cat /proc/self/fd/{} /proc/self/fd/{}", one.get(), two.get()));
  options.descriptors = {{one.get(), two.get()}, {two.get(), one.get()}};
  EXPECT_EQ(output_of(std::move(options)), "twoone");
}

TEST(ChildProcess, OneDescriptorMayHaveTwoPlaces) {
  Pipe pipe = make_pipe();
  ChildOptions options = shell("echo a; echo b >&2");
  options.descriptors = {{1, pipe.write.get()}, {2, pipe.write.get()}};
  ChildProcess child = ChildProcess::start(options).value();
  EXPECT_TRUE(child.wait().ok());
  EXPECT_EQ(read_line(pipe.read.get()), "a");
  EXPECT_EQ(read_line(pipe.read.get()), "b");
}

TEST(ChildProcess, SignalsAreAtTheirDefaults) {
  ::signal(SIGUSR1, SIG_IGN);
  sigset_t usr2;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &usr2, nullptr);
  const std::string set = output_of({.argv = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}});
  ::pthread_sigmask(SIG_UNBLOCK, &usr2, nullptr);
  ::signal(SIGUSR1, SIG_DFL);
  EXPECT_EQ(set, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(ChildProcess, HasItsOwnProcessGroup) {
  const std::string pid_and_group = output_of({.argv = {"cut", "-d ", "-f1,5", "/proc/self/stat"}});
  const size_t space = pid_and_group.find(' ');
  EXPECT_EQ(pid_and_group.substr(0, space) + "\n", pid_and_group.substr(space + 1));
}

TEST(ChildProcess, TimeOnTheProcessorEnds) {
  ChildOptions options = shell("while :; do :; done");
  options.limits.cpu_seconds = 1;
  EXPECT_EQ(run_child(std::move(options), 60s, kOutputLimit)->exit.signal, SIGXCPU);
}

TEST(ChildProcess, AddressSpaceEnds) {
  const auto copy_block = [] { return shell("dd if=/dev/zero of=/dev/null bs=256M count=1"); };
  EXPECT_TRUE(run_child(copy_block(), 30s, kOutputLimit)->exit.ok());
  ChildOptions limited = copy_block();
  limited.limits.address_space_bytes = 64 << 20;
  const ChildOutput output = run_child(std::move(limited), 30s, kOutputLimit).value();
  EXPECT_EQ(output.exit.exit_code, 1);
  EXPECT_NE(output.standard_error.find("memory exhausted"), std::string::npos) << output.standard_error;
}

TEST(ChildProcess, FileSizeEnds) {
  const UniqueFd file = open_unnamed_file(std::filesystem::temp_directory_path()).value();
  ChildOptions options = {.argv = {"head", "-c", "100000", "/dev/zero"}, .descriptors = {{1, file.get()}}};
  options.limits.file_size_bytes = 1000;
  EXPECT_EQ(ChildProcess::start(options)->wait().signal, SIGXFSZ);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_END), 1000);
}

TEST(ChildProcess, OpenFilesNicenessCoresAndRealTimeAreSet) {
  ChildOptions options =
      shell("ulimit -n; ulimit -c; nice; awk '/realtime priority/ {print $5}' /proc/self/limits");
  options.limits.open_files = 17;
  options.limits.nice = 3;
  const int niceness = ::getpriority(PRIO_PROCESS, 0) + 3;
  EXPECT_EQ(output_of(std::move(options)), fmt::format("17\n0\n{}\n0\n", niceness));
}

TEST(ChildProcess, DestructorKills) {
  Pipe pipe = make_pipe();
  ChildOptions options = shell("echo ready; exec sleep 60");
  options.descriptors = {{1, pipe.write.get()}};
  {
    const ChildProcess child = ChildProcess::start(options).value();
    pipe.write.reset();
    EXPECT_EQ(read_line(pipe.read.get()), "ready");
  }
  EXPECT_TRUE(closes_within(pipe.read.get(), 0ms));
}

TEST(ChildProcess, WhatItLeftRunningIsKilled) {
  Pipe pipe = make_pipe();
  ChildOptions options = shell("sleep 60 & echo ready");
  options.descriptors = {{1, pipe.write.get()}};
  ChildProcess child = ChildProcess::start(options).value();
  pipe.write.reset();
  EXPECT_TRUE(child.wait().ok());
  EXPECT_EQ(read_line(pipe.read.get()), "ready");
  EXPECT_TRUE(closes_within(pipe.read.get(), 1s));
}

TEST(ChildProcess, OutlivesTheThreadThatStartedIt) {
  Pipe to_child = make_pipe();
  Pipe from_child = make_pipe();
  ChildOptions options = {.argv = {"cat"},
                          .descriptors = {{0, to_child.read.get()}, {1, from_child.write.get()}}};
  ChildProcess child;
  std::thread([&] { child = ChildProcess::start(options).value(); }).join();
  to_child.read.reset();
  from_child.write.reset();
  EXPECT_TRUE(write_all(to_child.write.get(), "still here\n"));
  EXPECT_EQ(read_line(from_child.read.get()), "still here");
  to_child.write.reset();
  EXPECT_TRUE(child.wait().ok());
}

// The test program runs itself as the process in the middle, which starts a child and is killed.
TEST(ChildProcess, DiesWithItsParent) {
  static constexpr int kPipe = 3;
  if (::getenv("HANSARD_TEST_MIDDLE") != nullptr) {
    ChildOptions options = shell("echo ready; exec sleep 60");
    options.descriptors = {{1, kPipe}};
    const ChildProcess child = ChildProcess::start(options).value();
    for (;;) ::pause();
  }
  Pipe pipe = make_pipe();
  const ChildOptions options = {
      .argv = {"/proc/self/exe", "--gtest_filter=ChildProcess.DiesWithItsParent"},
      .environment = {"HANSARD_TEST_MIDDLE=1", fmt::format("PATH={}", ::getenv("PATH"))},
      .descriptors = {{kPipe, pipe.write.get()}}};
  const ChildProcess middle = ChildProcess::start(options).value();
  pipe.write.reset();
  ASSERT_EQ(read_line(pipe.read.get()), "ready");
  middle.kill(SIGKILL);
  EXPECT_TRUE(closes_within(pipe.read.get(), 1s));
}

TEST(RunChild, ReadsBothStreamsWhole) {
  const ChildOutput output =
      run_child(shell("head -c 3000000 /dev/zero; head -c 300000 /dev/zero >&2; echo end >&2"), 30s,
                kOutputLimit)
          .value();
  EXPECT_EQ(output.standard_output.size(), 3000000U);
  EXPECT_EQ(output.standard_error.size(), 64U * 1024);
  EXPECT_TRUE(output.standard_error.ends_with("end\n"));
  EXPECT_FALSE(output.timed_out || output.output_limit_passed);
}

TEST(RunChild, EndsAtItsTimeout) {
  const auto start = Clock::now();
  const ChildOutput output = run_child(shell("echo first; exec sleep 60"), 300ms, kOutputLimit).value();
  EXPECT_TRUE(output.timed_out);
  EXPECT_EQ(output.exit.signal, SIGKILL);
  EXPECT_EQ(output.standard_output, "first\n");
  EXPECT_LT(Clock::now() - start, 10s);
}

TEST(RunChild, EndsAtItsOutputLimit) {
  for (const char* script : {"exec yes", "exec yes >&2"}) {
    const ChildOutput output = run_child(shell(script), 60s, 1000).value();
    EXPECT_TRUE(output.output_limit_passed);
    EXPECT_EQ(output.exit.signal, SIGKILL);
    EXPECT_LT(output.standard_output.size(), 100'000U);
  }
  EXPECT_TRUE(run_child(shell("head -c 2000 /dev/zero"), 60s, 1000)->output_limit_passed);
}

TEST(RunChild, StopsWhenAsked) {
  std::stop_source source;
  const auto start = Clock::now();
  const auto stop_at_first_byte = [&](std::string_view) {
    std::thread([&] { source.request_stop(); }).join();
    return Result<void>{};
  };
  const Result<ChildOutput> output =
      stream_child(shell("echo ready; exec sleep 60"), 60s, stop_at_first_byte, source.get_token());
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::canceled);
  EXPECT_LT(Clock::now() - start, 5s);
  EXPECT_EQ(run_child(shell("exit 0"), 60s, kOutputLimit, source.get_token()).error().code,
            ErrorCode::canceled);
}

TEST(RunChild, StopsWhileNothingIsWritten) {
  std::stop_source source;
  Pipe pipe = make_pipe();
  ChildOptions options = shell("echo ready >&5; exec sleep 60");
  options.descriptors = {{5, pipe.write.get()}};
  std::thread stopper([&] {
    EXPECT_EQ(read_line(pipe.read.get()), "ready");
    source.request_stop();
  });
  EXPECT_EQ(run_child(std::move(options), 60s, kOutputLimit, source.get_token()).error().code,
            ErrorCode::canceled);
  stopper.join();
}

TEST(StreamChild, HandsOutputOnAndEndsAtSilence) {
  std::string seen;
  const auto take = [&](std::string_view bytes) {
    seen += bytes;
    return Result<void>{};
  };
  EXPECT_TRUE(stream_child(shell("printf one; printf two; echo problem >&2"), 60s, take)->exit.ok());
  EXPECT_EQ(seen, "onetwo");
  EXPECT_TRUE(stream_child(shell("printf three; exec sleep 60"), 200ms, take)->timed_out);
}

TEST(StreamChild, EndsWhenTheTakerFails) {
  const auto take = [](std::string_view) -> Result<void> {
    return fail(ErrorCode::insufficient_storage, "the disk is full");
  };
  const Result<ChildOutput> output = stream_child(shell("exec yes"), 60s, take);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().message, "the disk is full");
}

}  // namespace
}  // namespace hansard
