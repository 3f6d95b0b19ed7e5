// How commands reach the server that has their data folder: a socket in it, run/control.sock, for the
// folder's owner alone. What is said goes in the frames of engine/protocol.h.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/json.h"
#include "library/backup.h"

namespace hansard::cli {

// The server's side: answers one command after the other, in a thread of its own, until it is destroyed; what
// is being done then is given up.
class Control {
 public:
  // What else the server does when it is asked, by the type of the message; its fields in, the answer's out.
  using Commands = std::map<std::string, std::function<Result<json::bj::object>(const json::bj::object&)>>;

  // The caller holds the data folder's lock, and outlives neither the store nor the blobs.
  static Result<std::unique_ptr<Control>> open(const std::filesystem::path& data_folder, store::Store& store,
                                               blob::Blobs& blobs, Commands commands);
  ~Control();

 private:
  struct State;
  explicit Control(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Has the server write a backup to an open file. Errors: conflict where no server answers, those of
// write_backup(), and network where the server ends meanwhile.
Result<library::BackupSummary> ask_for_backup(const std::filesystem::path& data_folder, int out_fd,
                                              const library::BackupProgress& progress);

// Has the server do one of its commands. Errors: conflict where no server answers, network where it ends
// meanwhile, and the command's own.
Result<json::bj::object> ask_server(const std::filesystem::path& data_folder,
                                    const json::bj::object& message);

}  // namespace hansard::cli
