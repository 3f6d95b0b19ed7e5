// Installs that go on beside a server's work: one model after the other, in a thread of their own, each
// watched by whoever asked for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "models/library.h"

namespace hansard::models {

// Any thread.
class Installer {
 public:
  // Told on the installer's thread, of a model that was still waiting on that of cancel(); must not call the
  // installer.
  struct Watcher {
    std::function<void(const InstallProgress&)> progress;  // at most twice a second
    std::function<void(const Result<Installed>&)> end;     // once, with what Library::install() says
  };

  explicit Installer(Library& library);
  // Ends what goes on, and tells nobody. What was downloaded stays for the next try.
  ~Installer();

  // False, and the watcher is not told, where this model is being installed already or waits for it.
  bool start(std::string id, Watcher watcher);

  // Ends the install of this model, whose watcher is told so (canceled), and returns after that; what was
  // downloaded stays. Whether there was one.
  bool cancel(std::string_view id);

 private:
  struct Job {
    std::string id;
    Watcher watcher;
    std::stop_source stop;
  };

  std::optional<Job> next(const std::stop_token& stop);
  void run(const std::stop_token& stop);
  void install(const Job& job);

  Library& library_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Job> jobs_;  // the first is in work, or next
  bool ending_ = false;
  std::jthread thread_;
};

}  // namespace hansard::models
