// Profiles: options under a name, kept by a user; one of them is the default. And settings, of a user and of
// the installation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/admission.h"
#include "library/files.h"
#include "store/store.h"

namespace hansard::library {

// Times are milliseconds since 1970.
struct Profile {
  std::string id;  // "prof_…"
  std::string user_id;
  std::string name;
  std::string description;
  bool is_default = false;
  std::string options = "{}";  // JSON object, as checked by jobs/options.h
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
};

// Each is part of the caller's transaction. A user with profiles has exactly one default: the first, until
// another is made it; when it is removed, the oldest of the others. Errors: conflict for more profiles than
// limits say.
Result<Profile> add_profile(store::Transaction& transaction, const Profile& wanted);
struct ProfileChange {
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::optional<std::string> options;
};
// These give nothing, or false, where this user has no such profile.
Result<std::optional<Profile>> change_profile(store::Transaction& transaction, std::string_view user_id,
                                              std::string_view id, const ProfileChange& change);
Result<std::optional<Profile>> set_default_profile(store::Transaction& transaction, std::string_view user_id,
                                                   std::string_view id);
Result<bool> remove_profile(store::Transaction& transaction, std::string_view user_id, std::string_view id);

Result<std::optional<Profile>> find_profile(store::Reader& reader, std::string_view user_id,
                                            std::string_view id);
Result<std::optional<Profile>> default_profile(store::Reader& reader, std::string_view user_id);
// The oldest first.
Result<std::vector<Profile>> list_profiles(store::Reader& reader, std::string_view user_id);

// A setting of a user, or of the installation where `user_id` is empty; nothing where it was never set.
Result<std::optional<std::string>> find_setting(store::Reader& reader, std::string_view user_id,
                                                std::string_view name);
Result<void> put_setting(store::Transaction& transaction, std::string_view user_id, std::string_view name,
                         std::string_view value);
inline constexpr std::string_view kAutoTranscription = "auto_transcription_enabled";  // "true"
inline constexpr std::string_view kUploadLimitMb = "max_upload_size_mb";

// A file has come: queues its transcription by the default profile, where its user wants that; it waits until
// the file is ready. Part of the transaction that keeps it; not for files that come with a transcription of
// their own. Nothing where the limits have no room for it.
Result<void> transcribe_if_wanted(store::Transaction& transaction, const File& file,
                                  const jobs::QueueLimits& limits);

}  // namespace hansard::library
