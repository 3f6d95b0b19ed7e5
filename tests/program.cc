#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "base/file.h"
#include "base/parts_folder.h"

namespace hansard {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::minutes(5);

std::string hansard() {
  return HANSARD_BINARY_DIR "/bin/hansard";
}

}  // namespace

Program::Program() {
  std::string name = (fs::temp_directory_path() / "hansard-test-XXXXXX").string();
  folder_ = ::mkdtemp(name.data());
}

Program::~Program() {
  fs::remove_all(folder_);
}

fs::path Program::recording(const std::string& name) {
  return parts_folder() / "recordings" / name;
}

fs::path Program::models() {
  return parts_folder() / "models";
}

fs::path Program::write(const std::string& name, const std::string& bytes) const {
  std::ofstream(folder_ / name, std::ios::binary) << bytes;
  return folder_ / name;
}

std::vector<std::string> Program::environment(const std::vector<std::string>& more) const {
  const char* path = std::getenv("PATH");
  std::vector<std::string> result{fmt::format("PATH={}", path == nullptr ? "/usr/bin:/bin" : path),
                                  fmt::format("HOME={}", (folder_ / "home").string()),
                                  fmt::format("HANSARD_DATA_DIR={}", (folder_ / "data").string()),
                                  "LC_ALL=C.UTF-8"};
  for (const std::string& variable : more) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(result, [&](const std::string& other) { return other.starts_with(name); });
    result.push_back(variable);
  }
  return result;
}

ProgramResult Program::run(std::vector<std::string> arguments, const std::vector<std::string>& more,
                           const std::string& standard_input) {
  ChildOptions options;
  options.argv = {hansard()};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.environment = environment(more);
  UniqueFd input;
  if (!standard_input.empty()) {
    input = open_unnamed_file(folder_).value();
    EXPECT_TRUE(write_all(input.get(), standard_input));
    ::lseek(input.get(), 0, SEEK_SET);
    options.descriptors.emplace_back(0, input.get());
  }
  const auto began = std::chrono::steady_clock::now();
  const Result<ChildOutput> output = run_child(options, kPatience, 64 << 20);
  ProgramResult result;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (!output) {
    ADD_FAILURE() << output.error().message;
    return result;
  }
  EXPECT_FALSE(output->timed_out);
  result.exit_code = output->exit.signal != 0 ? 128 + output->exit.signal : output->exit.exit_code;
  result.out = output->standard_output;
  result.err = output->standard_error;
  return result;
}

RunningProgram Program::start(std::vector<std::string> arguments, const std::vector<std::string>& more,
                              int standard_input) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ChildOptions options;
  options.argv = {hansard()};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.environment = environment(more);
  options.descriptors = {{2, write_end.get()}};
  if (standard_input >= 0) options.descriptors.emplace_back(0, standard_input);
  return RunningProgram(ChildProcess::start(options).value(), std::move(read_end));
}

bool RunningProgram::wait_for_line(const std::string& text) {
  for (;;) {
    for (size_t end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n')) {
      const std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line.find(text) != std::string::npos) return true;
    }
    char bytes[4096];
    const ssize_t n = ::read(err_.get(), bytes, sizeof bytes);
    if (n <= 0) return false;
    buffer_.append(bytes, static_cast<size_t>(n));
  }
}

std::vector<pid_t> RunningProgram::children() const {
  // Each thread has its own; those that a run has just ended are no error.
  std::vector<pid_t> pids;
  std::error_code error;
  for (fs::directory_iterator tasks(fmt::format("/proc/{}/task", child_.pid()), error), end;
       !error && tasks != end; tasks.increment(error)) {
    std::ifstream file(tasks->path() / "children");
    for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
  }
  return pids;
}

std::string wav(size_t samples, const std::function<double(size_t)>& at) {
  const auto u32 = [](size_t n) {
    const auto value = static_cast<uint32_t>(n);
    return std::string(reinterpret_cast<const char*>(&value), 4);
  };
  std::string bytes = "RIFF" + u32(36 + samples * 2) + "WAVEfmt " + u32(16);
  bytes += std::string("\1\0\1\0", 4) + u32(16000) + u32(32000) + std::string("\2\0\20\0", 4);
  bytes += "data" + u32(samples * 2);
  for (size_t i = 0; i < samples; ++i) {
    const auto sample = static_cast<int16_t>(std::clamp(at(i), -1.0, 1.0) * 32767);
    bytes.append(reinterpret_cast<const char*>(&sample), 2);
  }
  return bytes;
}

std::vector<std::string> listing(const fs::path& folder) {
  std::vector<std::string> lines;
  if (!fs::exists(folder)) return lines;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat status = {};
    if (!entry.is_regular_file() || ::stat(entry.path().c_str(), &status) != 0) continue;
    lines.push_back(
        fmt::format("{} {} {}", fs::relative(entry.path(), folder).string(), status.st_ino, status.st_size));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace hansard
