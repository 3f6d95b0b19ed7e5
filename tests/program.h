// The built programs, run as a user runs them: in a home of their own, with real models and real recordings.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/process.h"

namespace hansard {

// A sanitizer is built in: programs take many times as long, and more memory.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

struct ProgramResult {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string out;
  std::string err;
  double seconds = 0;
};

// A running hansard whose standard error can be read line by line.
class RunningProgram {
 public:
  RunningProgram(ChildProcess child, UniqueFd err) : child_(std::move(child)), err_(std::move(err)) {}
  ChildProcess& child() { return child_; }
  // Reads standard error until a line holds `text`; false when the program ended before.
  bool wait_for_line(const std::string& text);
  // Process ids of its children.
  std::vector<pid_t> children() const;

 private:
  ChildProcess child_;
  UniqueFd err_;
  std::string buffer_;
};

class Program : public testing::Test {
 protected:
  Program();
  ~Program() override;

  // Runs hansard to its end. `environment` is added to a minimal one.
  ProgramResult run(std::vector<std::string> arguments, const std::vector<std::string>& environment = {},
                    const std::string& standard_input = {});
  // `standard_input` is a descriptor; -1: nothing to read.
  RunningProgram start(std::vector<std::string> arguments, const std::vector<std::string>& environment = {},
                       int standard_input = -1);

  std::filesystem::path write(const std::string& name, const std::string& bytes) const;
  std::filesystem::path folder_;  // temporary; holds the data folder `data`

  // Recordings that the build's parts bring along.
  static std::filesystem::path recording(const std::string& name);
  static std::filesystem::path models();

 private:
  std::vector<std::string> environment(const std::vector<std::string>& more) const;
};

// 16-bit mono WAV of so many samples at 16 kHz.
std::string wav(size_t samples, const std::function<double(size_t)>& at);

// Every file under a folder with its inode and size, to see what was written anew.
std::vector<std::string> listing(const std::filesystem::path& folder);

}  // namespace hansard
