#include "cli/control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/protocol.h"

namespace hansard::cli {
namespace {

namespace fs = std::filesystem;
namespace bj = json::bj;
using namespace std::chrono_literals;
using engine::Channel;
using library::BackupSummary;

// Whoever connects says at once what it wants.
constexpr auto kRequestTime = 5s;
constexpr auto kProgressInterval = 200ms;
// Another command may be in work, and a password takes its time.
constexpr auto kAnswerTime = 60s;

// A socket's path has room for 107 characters; a folder's descriptor gives it a short one.
struct Address {
  UniqueFd folder;
  sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = {}};
  const sockaddr* pointer() const { return reinterpret_cast<const sockaddr*>(&name); }
};

Result<Address> address_in(const fs::path& data_folder) {
  Address address;
  address.folder.reset(::open((data_folder / "run").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!address.folder) return fail(system_error("cannot open the folder of the control socket", errno));
  const std::string path = fmt::format("/proc/self/fd/{}/control.sock", address.folder.get());
  std::memcpy(address.name.sun_path, path.c_str(), path.size() + 1);
  return address;
}

bool has_left(int fd) {
  pollfd polled{fd, POLLRDHUP, 0};
  return ::poll(&polled, 1, 0) != 0;
}

bj::object failed(const Error& error) {
  return {{"type", "failed"}, {"code", error_code_name(error.code)}, {"message", error.message}};
}

bj::object to_message(const Result<BackupSummary>& result) {
  if (!result) return failed(result.error());
  return {{"type", "done"},
          {"blobs", result->blobs},
          {"missing", result->missing},
          {"size_bytes", result->size_bytes},
          {"created_at", result->created_at}};
}

Result<void> check_done(const bj::object& message) {
  if (TRY(json::get_string(message, "type")) != "failed") return {};
  const auto code = parse_error_code(TRY(json::get_string(message, "code")));
  return fail(code.value_or(ErrorCode::internal), TRY(json::get_string(message, "message")));
}

Result<BackupSummary> to_result(const bj::object& message) {
  TRY(check_done(message));
  return BackupSummary{.blobs = TRY(json::get_integer(message, "blobs")),
                       .missing = TRY(json::get_integer(message, "missing")),
                       .size_bytes = static_cast<uint64_t>(TRY(json::get_integer(message, "size_bytes", 0))),
                       .created_at = TRY(json::get_string(message, "created_at"))};
}

Result<UniqueFd> connect_to(const fs::path& data_folder) {
  const auto unanswered = [](std::string_view detail) {
    return fail(ErrorCode::conflict,
                "another hansard has this data folder and does not answer; it may be starting or stopping: "
                "try again",
                std::string(detail));
  };
  const Result<Address> address = address_in(data_folder);
  if (!address) return unanswered(address.error().message);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), address->pointer(), sizeof address->name) != 0) {
    if (errno == EACCES || errno == EPERM) return fail(system_error("the server cannot be asked", errno));
    return unanswered(system_error("connect", errno).message);
  }
  return socket;
}

}  // namespace

struct Control::State {
  Address address;
  fs::path workspace;
  store::Store& store;
  blob::Blobs& blobs;
  Commands commands;
  UniqueFd listener;
  UniqueFd wake;  // readable when the server stops
  std::jthread thread;

  bool stopping() const {
    pollfd polled{wake.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) > 0;
  }

  void run() {
    std::array<pollfd, 2> polled{{{listener.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}}};
    while (!stopping()) {
      if (::poll(polled.data(), polled.size(), -1) <= 0 || (polled[0].revents & POLLIN) == 0) continue;
      UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection) answer(Channel(std::move(connection)));
    }
  }

  void answer(Channel channel) {
    const auto message = channel.receive(kRequestTime, wake.get());
    if (!message || !*message) return;
    if (const auto command = commands.find((*message)->type); command != commands.end()) {
      Result<bj::object> result = command->second((*message)->header);
      if (result) (*result)["type"] = "done";
      (void)channel.send(result ? *result : failed(result.error()));
      return;
    }
    const bool known = (*message)->type == "backup" && (*message)->descriptors.size() == 1;
    const Result<BackupSummary> result =
        known ? back_up(channel, (*message)->descriptors.front().get())
              : fail(ErrorCode::invalid_request,
                     "the server does not know this command; is it of another version?");
    if (result) log::info("a backup was made: {} blobs, {} bytes", result->blobs, result->size_bytes);
    if (!result) log::warning("no backup was made: {} {}", result.error().message, result.error().detail);
    (void)channel.send(to_message(result));
  }

  Result<BackupSummary> back_up(Channel& channel, int out_fd) const {
    auto told = std::chrono::steady_clock::now();
    return library::write_backup(store, blobs, workspace, out_fd, [&](double fraction) -> Result<void> {
      if (stopping()) return fail(ErrorCode::network, "the server is stopping; try again when it is back");
      if (has_left(channel.fd())) return fail(ErrorCode::canceled, "whoever wanted it has left");
      const auto now = std::chrono::steady_clock::now();
      if (now - told < kProgressInterval) return {};
      told = now;
      return channel.send({{"type", "progress"}, {"fraction", fraction}});
    });
  }
};

Control::Control(std::unique_ptr<State> state) : state_(std::move(state)) {}

Control::~Control() {
  ::eventfd_write(state_->wake.get(), 1);
  state_->thread.join();
  ::unlink(state_->address.name.sun_path);
}

Result<std::unique_ptr<Control>> Control::open(const fs::path& data_folder, store::Store& store,
                                               blob::Blobs& blobs, Commands commands) {
  TRY(make_private_folder(data_folder / "run"));
  auto state =
      std::make_unique<State>(State{.address = TRY(address_in(data_folder)),
                                    .workspace = data_folder / "run",
                                    .store = store,
                                    .blobs = blobs,
                                    .commands = std::move(commands),
                                    .listener = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                                    .wake = UniqueFd(::eventfd(0, EFD_CLOEXEC))});
  if (!state->listener || !state->wake) return fail(system_error("cannot make the control socket", errno));
  const Address& address = state->address;
  ::unlink(address.name.sun_path);  // of a server that was killed
  if (::bind(state->listener.get(), address.pointer(), sizeof address.name) != 0 ||
      ::chmod(address.name.sun_path, 0600) != 0 || ::listen(state->listener.get(), 8) != 0) {
    return fail(system_error("cannot make the control socket", errno));
  }
  State& listening = *state;
  state->thread = std::jthread([&listening] { listening.run(); });
  return std::unique_ptr<Control>(new Control(std::move(state)));
}

Result<BackupSummary> ask_for_backup(const fs::path& data_folder, int out_fd,
                                     const library::BackupProgress& progress) {
  Channel channel(TRY(connect_to(data_folder)));
  const std::array<int, 1> descriptors{out_fd};
  const auto left = [](const Error& error) {
    return fail(ErrorCode::network, "the server ended while the backup was made; try again", error.detail);
  };
  if (const auto sent = channel.send({{"type", "backup"}}, {}, descriptors); !sent) return left(sent.error());
  double fraction = 0;
  for (;;) {
    TRY(progress(fraction));
    const auto message = channel.receive(kProgressInterval);
    if (!message) return left(message.error());
    if (!*message) continue;
    if ((*message)->type != "progress") return to_result((*message)->header);
    fraction = json::get_number((*message)->header, "fraction").value_or(fraction);
  }
}

Result<bj::object> ask_server(const fs::path& data_folder, const bj::object& message) {
  Channel channel(TRY(connect_to(data_folder)));
  const auto left = [](const Error& error) {
    return fail(ErrorCode::network, "the server ended meanwhile; try again", error.detail);
  };
  if (const auto sent = channel.send(message); !sent) return left(sent.error());
  auto answer = channel.receive(kAnswerTime);
  if (!answer) return left(answer.error());
  if (!*answer) return fail(ErrorCode::conflict, "the server does not answer; try again");
  TRY(check_done((*answer)->header));
  return std::move((*answer)->header);
}

}  // namespace hansard::cli
