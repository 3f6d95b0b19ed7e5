// Looks into recordings that took ffprobe longer than an upload waits: they are kept as "processing", and
// become "ready" or "failed", and with them the jobs that wait for them. The table says what is to be done,
// so a restart takes up what the process before it left.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "blob/blob.h"
#include "store/store.h"

namespace hansard::library {

class Probing {
 public:
  Probing(store::Store& store, blob::Blobs& blobs);
  // Gives up what it is at; that stays as it is in the table.
  ~Probing();

  // Begins with what is there.
  void start();
  // Of the store's notices those on "files". Any thread.
  void notice(const store::Notice& notice);

 private:
  void run(const std::stop_token& stop);

  store::Store& store_;
  blob::Blobs& blobs_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool look_ = true;  // there may be something to do
  std::jthread thread_;
};

}  // namespace hansard::library
