// Downloads from the model hub, or a mirror with its addresses, over libcurl.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "models/catalog.h"

namespace hansard::models {

// Bytes of a file that are there now; fewer than before when a server begins anew.
using OnBytes = std::function<void(uint64_t)>;

// Any thread.
class Hub {
 public:
  // `endpoint` empty: HF_ENDPOINT of the environment, else the hub itself.
  Hub(std::string endpoint, std::string token, std::chrono::milliseconds retry_delay);

  // Puts `file` of `repository` ("owner/name@revision") at `target`, going on from `target`.part where an
  // earlier try left it. Tries again a few times as long as nothing comes, without end as long as something
  // does. Gives the file with the checksum that it has. Errors: network, model_corrupt (another size or
  // checksum than the catalog's, else than the hub's own; what came is deleted), insufficient_storage,
  // canceled.
  Result<File> download(std::string_view repository, const File& file, const std::filesystem::path& target,
                        const OnBytes& on_bytes, const std::stop_token& stop) const;

  // "huggingface.co", for messages.
  const std::string& host() const { return host_; }

 private:
  std::string endpoint_;
  std::string host_;
  std::string token_;
  std::chrono::milliseconds retry_delay_;
};

}  // namespace hansard::models
