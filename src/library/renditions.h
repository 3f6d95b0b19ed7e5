// What is made of a recording for looking at it and listening to it: made once, kept as blobs
// `renditions/<file id>/…`, erased with the recording.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>

#include "library/files.h"
#include "media/media.h"

namespace hansard::library {

// Any thread. The first to ask for a rendition makes it; who asks meanwhile waits for that. Only so many are
// made, and so many are waited for at once, as limits say. Errors of all: those of media, not_found where the
// recording is erased, canceled where too many wait or the server stops: the message says to come back.
class Renditions {
 public:
  // `spool_folder`: for files in the making.
  Renditions(store::Store& store, blob::Blobs& blobs, std::filesystem::path spool_folder);

  Result<media::Waveform> waveform(const File& file);

  // Something that browsers play.
  struct Playback {
    UniqueFd fd;
    uint64_t size_bytes = 0;
    bool original = false;  // the recording itself, which they play
  };
  Result<Playback> playback(const File& file);

  // From now on nothing is made; what is in the making ends.
  void stop() { stop_.request_stop(); }

 private:
  // Writes the blob's bytes, of the recording in the descriptor.
  using Make = std::function<Result<void>(int fd, const media::Info& info, blob::Writer& writer)>;

  Result<UniqueFd> once(const File& file, const char* name, const Make& make);
  Result<void> take_turn(const std::string& blob);
  Result<void> make(const File& file, const std::string& blob, const Make& make);
  Result<bool> played_as_it_is(const File& file);

  store::Store& store_;
  blob::Blobs& blobs_;
  const std::filesystem::path spool_folder_;
  std::stop_source stop_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::set<std::string> making_;                 // blobs
  size_t waiting_ = 0;                           // requests, those that make among them
  std::map<std::string, bool> played_as_it_is_;  // by file; so that its header is not read for each range
};

// With the recording.
void erase_renditions(blob::Blobs& blobs, std::string_view file_id);

}  // namespace hansard::library
