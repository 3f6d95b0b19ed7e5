// Threads that do what waits in a table: several things at once, but one for each subject and so many for one
// user, who thus does not hold up the others. The table is the truth: what is not done stays there.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store/store.h"

namespace hansard::library {

class Workers {
 public:
  struct Task {
    std::string subject;
    std::string user_id;
    int64_t due_ms = 0;
  };
  struct Options {
    std::string_view name;     // in the log, and of the channels of the store's notices
    store::Statement waiting;  // gives subject, user and due time, in the order in which they are to be done
    size_t at_once = 1;
    size_t of_user_at_once = 1;
    // Does one, so that it waits no more, or later. A stop ends it within a second and leaves it waiting.
    // Errors: what could not be written; it is done again after a while.
    std::function<Result<void>(const Task&, const std::stop_token&)> perform;
  };
  Workers(store::Store& store, Options options);
  ~Workers();  // as stop()

  void start();
  // Ends what is in work; returns when all has ended.
  void stop();
  // Of the store's notices those on NAME: there may be something to do; and on NAME_ended: what is in work
  // for this subject ends. Any thread.
  void notice(const store::Notice& notice);

 private:
  struct InWork {
    std::string user_id;
    std::stop_source stop;
  };

  void run(const std::stop_token& stop);
  // One that is due and may begin, as in work; nothing at the end.
  std::optional<Task> next(const std::stop_token& stop);
  std::vector<Task> waiting() const;
  bool may_begin(const Task& task) const;

  store::Store& store_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  uint64_t changes_ = 0;                                // of what there is to do
  std::map<std::string, InWork, std::less<>> in_work_;  // by subject
  std::vector<std::jthread> threads_;
};

}  // namespace hansard::library
