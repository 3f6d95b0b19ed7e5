#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "base/stop_event.h"

extern "C" {
#include <sys/pidfd.h>  // declared without C linkage before glibc 2.37
}

namespace hansard {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kStandardErrorKept = size_t{64} * 1024;
constexpr size_t kReadBytes = size_t{64} * 1024;
// Longer waits are waits without end; adding them to the clock must not overflow.
constexpr std::chrono::hours kLongestWait{24 * 365};

// Where a child stopped on its way to exec.
enum class Step : int { descriptors, limits, parent, exec };

struct Failure {
  Step step;
  int error_number;
};

// A descriptor of the child: `source` is the parent's, `staged` a copy above all targets.
struct Place {
  int target;
  int source;
  int staged;
};

// All that a child needs between fork and exec, made before the fork, since a child of a process with threads
// may neither allocate nor lock.
struct Launch {
  std::string program;
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<Place> places;  // by target
  ChildLimits limits;
  int failure_fd;
  pid_t parent;
};

[[noreturn]] void give_up(const Launch& launch, Step step) {
  const Failure failure{step, errno};
  [[maybe_unused]] const ssize_t n = ::write(launch.failure_fd, &failure, sizeof failure);
  ::_exit(127);
}

// Puts each descriptor in its place and closes all others. Sources are copied above the targets first, since
// one's source may be another's target.
bool place_descriptors(Launch& launch) {
  const int above = launch.places.back().target + 1;
  const int failure_fd = ::fcntl(launch.failure_fd, F_DUPFD_CLOEXEC, above);
  if (failure_fd < 0) return false;
  launch.failure_fd = failure_fd;
  for (Place& place : launch.places) {
    place.staged = ::fcntl(place.source, F_DUPFD_CLOEXEC, above);
    if (place.staged < 0) return false;
  }
  int next = 0;
  for (const Place& place : launch.places) {
    if (::dup2(place.staged, place.target) < 0) return false;
    if (place.target > next &&
        ::close_range(static_cast<unsigned>(next), static_cast<unsigned>(place.target - 1), 0) != 0) {
      return false;
    }
    next = place.target + 1;
  }
  if (failure_fd > above &&
      ::close_range(static_cast<unsigned>(above), static_cast<unsigned>(failure_fd - 1), 0) != 0) {
    return false;
  }
  return ::close_range(static_cast<unsigned>(failure_fd + 1), ~0U, 0) == 0;
}

// `grace` lies between the soft limit, which is a signal, and the hard one.
bool set_limit(int resource, const std::optional<uint64_t>& value, uint64_t grace = 0) {
  if (!value) return true;
  struct rlimit limit = {};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return false;
  limit.rlim_cur = std::min<rlim_t>(*value, limit.rlim_max);
  limit.rlim_max = std::min<rlim_t>(*value + grace, limit.rlim_max);
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0;
}

bool set_limits(const ChildLimits& limits) {
  if (limits.nice != 0) {
    errno = 0;
    if (::nice(limits.nice) == -1 && errno != 0) return false;
  }
  // A core file would hold what was said; and no child may be a real-time process because its parent may.
  return set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_RTPRIO, 0) &&
         set_limit(RLIMIT_CPU, limits.cpu_seconds, 1) && set_limit(RLIMIT_AS, limits.address_space_bytes) &&
         set_limit(RLIMIT_FSIZE, limits.file_size_bytes) && set_limit(RLIMIT_NOFILE, limits.open_files);
}

void reset_signals() {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The child between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(Launch& launch) {
  if (!place_descriptors(launch)) give_up(launch, Step::descriptors);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(launch, Step::parent);
  // The parent may have died before the line above.
  if (::getppid() != launch.parent) ::_exit(127);
  // Ctrl-C in a terminal goes to the parent alone, which decides.
  if (::setpgid(0, 0) != 0) give_up(launch, Step::parent);
  if (!set_limits(launch.limits)) give_up(launch, Step::limits);
  reset_signals();
  ::execve(launch.program.c_str(), launch.argv.data(), launch.environment.data());
  give_up(launch, Step::exec);
}

// Forks from a thread that lives as long as the process: PR_SET_PDEATHSIG fires when the *thread* that forked
// ends, and a caller's thread may end before the child should.
class Spawner {
 public:
  static Spawner& instance() {
    static Spawner* const spawner = new Spawner;  // never destroyed: its thread never ends
    return *spawner;
  }

  // The pid, or -1 and errno in `error_number`.
  pid_t fork_child(Launch& launch, int& error_number) {
    const std::lock_guard one_caller(callers_);
    std::unique_lock lock(mutex_);
    launch_ = &launch;
    changed_.notify_all();
    changed_.wait(lock, [&] { return launch_ == nullptr; });
    error_number = error_number_;
    return pid_;
  }

 private:
  Spawner() {
    // Where a launcher left SIGCHLD ignored, the kernel reaps and no exit code is to be had.
    struct sigaction current = {};
    ::sigaction(SIGCHLD, nullptr, &current);
    if (current.sa_handler == SIG_IGN) ::signal(SIGCHLD, SIG_DFL);
    std::thread([this] { serve(); }).detach();
  }

  [[noreturn]] void serve() {
    // Signals are for other threads; and no handler runs in a child before it resets them.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return launch_ != nullptr; });
      pid_ = ::fork();
      if (pid_ == 0) become(*launch_);
      error_number_ = errno;
      launch_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex callers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Launch* launch_ = nullptr;
  pid_t pid_ = -1;
  int error_number_ = 0;
};

std::string_view parents_path() {
  const char* path = ::getenv("PATH");
  return path != nullptr && *path != '\0' ? path : "/usr/local/bin:/usr/bin:/bin";
}

// Where `name` is in PATH; names with a slash are left as they are. Empty when it is nowhere. The working
// folder is not searched, whatever PATH says.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  std::string_view rest = parents_path();
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, colon), name);
    std::error_code ignored;
    if (colon > 0 && ::access(candidate.c_str(), X_OK) == 0 &&
        std::filesystem::is_regular_file(candidate, ignored)) {
      return candidate;
    }
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return {};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<Place> make_places(const ChildOptions& options, int null_fd) {
  std::vector<Place> places;
  places.reserve(options.descriptors.size() + 3);
  for (const auto& [target, source] : options.descriptors) places.push_back({target, source, -1});
  for (int target = 0; target <= 2; ++target) {
    const auto is_named = [&](const Place& place) { return place.target == target; };
    if (std::none_of(places.begin(), places.end(), is_named)) places.push_back({target, null_fd, -1});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.target < b.target; });
  return places;
}

std::string_view step_name(Step step) {
  switch (step) {
    case Step::descriptors:
      return "placing descriptors";
    case Step::limits:
      return "setting limits";
    case Step::parent:
      return "binding it to its parent";
    case Step::exec:
      return "exec";
  }
  return "";
}

// "ffmpeg" for "/usr/bin/ffmpeg": an error's message holds no path.
std::string program_name(const std::string& program) {
  return std::filesystem::path(program).filename().string();
}

tl::unexpected<Error> no_program(const std::string& program) {
  return fail(ErrorCode::not_found, fmt::format("the program {} is not installed", program_name(program)),
              program);
}

// Waits for a child's word: end of file means that it runs. EINTR aside, a pipe cannot fail to be read.
std::optional<Failure> read_failure(int fd) {
  Failure failure{};
  ssize_t n;
  do {
    // The analyzer takes the spawner's lock for held.
    // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
    n = ::read(fd, &failure, sizeof failure);
  } while (n < 0 && errno == EINTR);
  if (n != sizeof failure) return std::nullopt;
  return failure;
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail(system_error("cannot make a pipe", errno));
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Milliseconds for poll until `deadline`, rounded up; none when it has passed.
int poll_timeout(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
}

Clock::time_point deadline_after(std::chrono::milliseconds timeout) {
  return Clock::now() + std::min<std::chrono::milliseconds>(timeout, kLongestWait);
}

// Takes the exit of a child that has ended or will. What it left running in its process group is killed while
// the unreaped child still keeps the group's number from being used anew.
ChildExit reap(pid_t pid, int pidfd) {
  siginfo_t info = {};
  const auto wait_until_ended = [&](int options) {
    int result;
    do {
      result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, options);
    } while (result != 0 && errno == EINTR);
    return result == 0;
  };
  // Fails only where somebody else reaped: then nobody knows how it ended.
  if (!wait_until_ended(WEXITED | WNOWAIT)) return {.exit_code = -1, .signal = 0};
  ::kill(-pid, SIGKILL);
  wait_until_ended(WEXITED);
  if (info.si_code == CLD_EXITED) return {.exit_code = info.si_status, .signal = 0};
  return {.exit_code = 0, .signal = info.si_status};
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
  assert(!options.argv.empty());
  const std::string program = find_program(options.argv[0]);
  if (program.empty()) return no_program(options.argv[0]);
  std::vector<std::string> argv = options.argv;
  std::vector<std::string> environment = options.environment;
  if (environment.empty()) environment = {fmt::format("PATH={}", parents_path()), "LC_ALL=C.UTF-8"};
  UniqueFd null_fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null_fd) return fail(system_error("cannot open /dev/null", errno));
  Pipe failures = TRY(make_pipe());
  Launch launch{program,
                pointers(argv),
                pointers(environment),
                make_places(options, null_fd.get()),
                options.limits,
                failures.write.get(),
                ::getpid()};

  ChildProcess child;
  int error_number = 0;
  try {
    child.pid_ = Spawner::instance().fork_child(launch, error_number);
  } catch (const std::system_error& error) {
    return fail(ErrorCode::internal, "cannot start a thread", error.what());
  }
  if (child.pid_ < 0) return fail(system_error("cannot start a child process", error_number));
  failures.write.reset();
  child.pidfd_.reset(::pidfd_open(child.pid_, 0));
  if (!child.pidfd_) {
    Error error = system_error("cannot watch a child process", errno);
    ::kill(child.pid_, SIGKILL);
    ::waitpid(std::exchange(child.pid_, -1), nullptr, 0);
    return fail(std::move(error));
  }
  const std::optional<Failure> failure = read_failure(failures.read.get());
  if (!failure) return child;
  if (failure->step == Step::exec && failure->error_number == ENOENT) return no_program(program);
  Error error = system_error(fmt::format("cannot start {}", program_name(program)), failure->error_number);
  error.code = ErrorCode::internal;
  error.detail = fmt::format("{}: {}", program, step_name(failure->step));
  return fail(std::move(error));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      exit_(std::exchange(other.exit_, {})) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  if (running()) {
    kill(SIGKILL);
    wait();
  }
  pid_ = std::exchange(other.pid_, -1);
  pidfd_ = std::move(other.pidfd_);
  exit_ = std::exchange(other.exit_, {});
  return *this;
}

ChildProcess::~ChildProcess() {
  if (!running()) return;
  kill(SIGKILL);
  wait();
}

void ChildProcess::kill(int signal) const {
  if (pidfd_) ::pidfd_send_signal(pidfd_.get(), signal, nullptr, 0);
}

std::optional<ChildExit> ChildProcess::wait_for(std::chrono::milliseconds timeout) {
  if (!running()) return exit_;
  const Clock::time_point deadline = deadline_after(timeout);
  struct pollfd ended = {pidfd_.get(), POLLIN, 0};
  for (;;) {
    const int n = ::poll(&ended, 1, poll_timeout(deadline));
    if (n > 0) break;
    if (n == 0 && Clock::now() >= deadline) return std::nullopt;
  }
  exit_ = reap(pid_, pidfd_.get());
  return exit_;
}

ChildExit ChildProcess::wait() {
  if (running()) exit_ = reap(pid_, pidfd_.get());
  return exit_.value_or(ChildExit{.exit_code = -1, .signal = 0});
}

namespace {

// The read end of a pipe that a child writes to, and what was done with it.
struct Stream {
  UniqueFd fd;
  Take take;
  uint64_t size_bytes = 0;
};

// Reads once and hands that on; closes the pipe at its end. False when there was nothing to read.
Result<bool> read_once(Stream& stream) {
  std::array<char, kReadBytes> buffer;
  if (!stream.fd) return false;
  ssize_t n;
  do {
    // As above. NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
    n = ::read(stream.fd.get(), buffer.data(), buffer.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) {
    stream.fd.reset();
    return false;
  }
  stream.size_bytes += static_cast<uint64_t>(n);
  TRY(stream.take({buffer.data(), static_cast<size_t>(n)}));
  return true;
}

Result<Stream> open_stream(ChildOptions& options, int number, UniqueFd& write_end, Take take) {
  Pipe pipe = TRY(make_pipe());
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  options.descriptors.emplace_back(number, pipe.write.get());
  write_end = std::move(pipe.write);
  return Stream{std::move(pipe.read), std::move(take)};
}

void keep_end(std::string& kept, std::string_view bytes) {
  kept.append(bytes);
  if (kept.size() > kStandardErrorKept) kept.erase(0, kept.size() - kStandardErrorKept);
}

struct Watch {
  std::chrono::milliseconds timeout = kLongestWait;  // of the whole run
  std::chrono::milliseconds silence = kLongestWait;  // without a byte on standard output
  uint64_t output_limit_bytes = std::numeric_limits<uint64_t>::max();
};

// A child whose two streams are read.
class WatchedChild {
 public:
  WatchedChild(const Watch& watch, Take take_output) : watch_(watch), take_output_(std::move(take_output)) {}

  // Runs the child to its end or to a limit. Once only.
  Result<ChildOutput> run(ChildOptions options, const std::stop_token& stop) {
    const StopEvent stop_event(stop);
    if (stop_event.fd() < 0) return fail(system_error("cannot make an event", errno));
    TRY(start(std::move(options)));
    const Clock::time_point deadline = deadline_after(watch_.timeout);
    Clock::time_point silence_deadline = deadline_after(watch_.silence);
    while (!output_.timed_out && !output_.output_limit_passed) {
      const bool ended = poll(std::min(deadline, silence_deadline), stop_event);
      if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
      if (ended) return finish();
      if (TRY(read_once(out_))) silence_deadline = deadline_after(watch_.silence);
      TRY(read_once(err_));
      output_.output_limit_passed = limit_passed();
      output_.timed_out = Clock::now() >= std::min(deadline, silence_deadline);
    }
    child_.kill(SIGKILL);
    output_.exit = child_.wait();
    return std::move(output_);
  }

 private:
  Result<void> start(ChildOptions options) {
    UniqueFd write_ends[2];
    out_ = TRY(open_stream(options, STDOUT_FILENO, write_ends[0], take_output_));
    err_ = TRY(open_stream(options, STDERR_FILENO, write_ends[1], [this](std::string_view bytes) {
      keep_end(output_.standard_error, bytes);
      return Result<void>{};
    }));
    child_ = TRY(ChildProcess::start(options));
    ended_event_.reset(::pidfd_open(child_.pid(), 0));
    if (!ended_event_) return fail(system_error("cannot watch a child process", errno));
    return {};
  }

  // Waits for bytes, the child's end (true), a stop, or `deadline`.
  bool poll(Clock::time_point deadline, const StopEvent& stop) {
    std::array<struct pollfd, 4> events = {{{ended_event_.get(), POLLIN, 0},
                                            {out_.fd.get(), POLLIN, 0},
                                            {err_.fd.get(), POLLIN, 0},
                                            {stop.fd(), POLLIN, 0}}};
    const int n = ::poll(events.data(), events.size(), poll_timeout(deadline));
    return n > 0 && (events[0].revents & POLLIN) != 0;
  }

  // After the end: what the pipes still hold.
  Result<ChildOutput> finish() {
    output_.exit = child_.wait();
    while (!limit_passed() && TRY(read_once(out_))) continue;
    while (!limit_passed() && TRY(read_once(err_))) continue;
    output_.output_limit_passed = limit_passed();
    return std::move(output_);
  }

  bool limit_passed() const {
    return out_.size_bytes > watch_.output_limit_bytes || err_.size_bytes > watch_.output_limit_bytes;
  }

  Watch watch_;
  Take take_output_;
  ChildOutput output_;
  Stream out_;
  Stream err_;
  UniqueFd ended_event_;
  ChildProcess child_;
};

}  // namespace

Result<ChildOutput> run_child(ChildOptions options, std::chrono::milliseconds timeout,
                              uint64_t output_limit_bytes, const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
  std::string standard_output;
  WatchedChild child({.timeout = timeout, .output_limit_bytes = output_limit_bytes},
                     [&](std::string_view bytes) {
                       standard_output.append(bytes);
                       return Result<void>{};
                     });
  ChildOutput output = TRY(child.run(std::move(options), stop));
  output.standard_output = std::move(standard_output);
  return output;
}

Result<ChildOutput> stream_child(ChildOptions options, std::chrono::milliseconds silence, Take take,
                                 const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
  WatchedChild child({.silence = silence}, std::move(take));
  return child.run(std::move(options), stop);
}

uint64_t resident_bytes(pid_t pid) {
  const Result<std::string> statm = read_file(fmt::format("/proc/{}/statm", pid), 4096);
  if (!statm) return 0;
  // The first number is the address space, the second what of it is resident; both in pages.
  char* rest = nullptr;
  (void)std::strtoull(statm->c_str(), &rest, 10);
  return std::strtoull(rest, nullptr, 10) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace hansard
