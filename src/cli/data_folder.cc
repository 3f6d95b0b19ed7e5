#include "cli/data_folder.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "base/file.h"

namespace hansard::cli {

namespace fs = std::filesystem;

fs::path database_path(const fs::path& folder) {
  return folder / "hansard.db";
}

fs::path blobs_path(const fs::path& folder) {
  return folder / "blobs";
}

fs::path token_keys_path(const fs::path& folder) {
  return folder / "token-keys.json";
}

namespace {

Error unusable(const fs::path& folder, const Error& why) {
  // That a part of its way is missing is no word about a recording.
  const ErrorCode code = why.code == ErrorCode::not_found ? ErrorCode::permission_denied : why.code;
  return Error{
      code,
      fmt::format("the data folder {} cannot be used: {}; set HANSARD_DATA_DIR to a folder that this "
                  "user may write to",
                  folder.string(), why.message),
      why.detail};
}

}  // namespace

Result<void> make_data_folder(const fs::path& folder) {
  if (const auto made = make_private_folder(folder); !made) return fail(unusable(folder, made.error()));
  if (const auto file = open_unnamed_file(folder); !file) return fail(unusable(folder, file.error()));
  return {};
}

Result<UniqueFd> lock_data_folder(const fs::path& folder) {
  TRY(make_data_folder(folder));
  UniqueFd lock(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail(unusable(folder, system_error("cannot write in it", errno)));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(
        ErrorCode::conflict,
        "another hansard serve has this data folder; stop it, or choose another folder with --data-dir");
  }
  return lock;
}

Result<void> check_owner(const fs::path& folder) {
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0 || status.st_uid == ::geteuid()) return {};
  std::array<char, 4096> buffer{};
  passwd entry = {};
  passwd* found = nullptr;
  ::getpwuid_r(status.st_uid, &entry, buffer.data(), buffer.size(), &found);
  const std::string name = found == nullptr ? fmt::format("#{}", status.st_uid) : entry.pw_name;
  return fail(ErrorCode::permission_denied,
              fmt::format("the data folder belongs to {0}; run this as {0}: sudo -u '{0}' hansard …", name));
}

}  // namespace hansard::cli
