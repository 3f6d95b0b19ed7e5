// Where one model is put together or taken away: a lock that keeps every other process from doing the same,
// and folders beside the installed models, on their file system, that survive until the model is whole.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace hansard::models {

// Under the library's own folder: .locks/<id>.lock, .partial/<id>/<source>/, and <id>/ when it is installed.
// Held from enter() to its end. One thread at a time.
class Workplace {
 public:
  // Waits while another process or thread holds the lock. Errors: canceled, permission_denied, internal.
  static Result<Workplace> enter(const std::filesystem::path& own, const std::string& id,
                                 const std::stop_token& stop);

  enum class Leftovers { keep, discard };
  // A folder for what comes from `source`.
  Result<std::filesystem::path> stage(std::string_view source, Leftovers leftovers) const;

  // Puts `stage` with this model.json in the place of what was installed before, and forgets all stages.
  // Whoever has files of the former model open keeps them.
  Result<void> settle(const std::filesystem::path& stage, std::string_view manifest) const;

  // Takes the installed model and all stages away. Errors: not_found where there is neither.
  Result<void> remove() const;

  std::filesystem::path installed() const { return own_ / id_; }

 private:
  Workplace(std::filesystem::path own, std::string id) : own_(std::move(own)), id_(std::move(id)) {}
  std::filesystem::path partial() const { return own_ / ".partial" / id_; }
  Result<void> set_aside() const;
  void forget_stages() const;

  std::filesystem::path own_;
  std::string id_;
  UniqueFd lock_;
};

}  // namespace hansard::models
