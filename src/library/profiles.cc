#include "library/profiles.h"

#include <fmt/format.h>

#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "jobs/options.h"
#include "jobs/state.h"

#define PROFILE_COLUMNS "id, user_id, name, description, is_default, options, created_at, updated_at"

namespace hansard::library {
namespace {

using store::Reader;
using store::Row;
using store::Statement;
using store::Transaction;

Profile profile_from(const Row& row) {
  return {.id = row.text(0),
          .user_id = row.text(1),
          .name = row.text(2),
          .description = row.text(3),
          .is_default = row.boolean(4),
          .options = row.text(5),
          .created_at_ms = row.integer(6),
          .updated_at_ms = row.integer(7)};
}

std::optional<Profile> profile_if(const std::optional<Row>& row) {
  return row ? std::optional(profile_from(*row)) : std::nullopt;
}

}  // namespace

Result<Profile> add_profile(Transaction& transaction, const Profile& wanted) {
  static constexpr Statement kCount{"profiles.count", "SELECT COUNT(*) FROM profiles WHERE user_id = $1"};
  static constexpr Statement kInsert{"profiles.insert",
                                     "INSERT INTO profiles (id, user_id, name, description, is_default, "
                                     "options, created_at, updated_at) VALUES "
                                     "($1, $2, $3, $4, $5, $6, $7, $7) RETURNING " PROFILE_COLUMNS};
  const int64_t count = TRY(transaction.row(kCount, wanted.user_id))->integer(0);
  if (count >= limits::kProfilesOfUser) {
    return fail(ErrorCode::conflict,
                fmt::format("there are {} profiles, and that is the most; delete one first",
                            limits::kProfilesOfUser));
  }
  Profile made = profile_from(
      *TRY(transaction.row(kInsert, make_id("prof", transaction.now_ms()), wanted.user_id, wanted.name,
                           wanted.description, count == 0 ? 1 : 0, wanted.options, transaction.now_ms())));
  if (!wanted.is_default) return made;
  return *TRY(set_default_profile(transaction, made.user_id, made.id));
}

Result<std::optional<Profile>> change_profile(Transaction& transaction, std::string_view user_id,
                                              std::string_view id, const ProfileChange& change) {
  static constexpr Statement kChange{
      "profiles.change",
      "UPDATE profiles SET name = $3, description = $4, options = $5, updated_at = $6 "
      "WHERE user_id = $1 AND id = $2 RETURNING " PROFILE_COLUMNS};
  const auto before = TRY(find_profile(transaction, user_id, id));
  if (!before) return std::optional<Profile>();
  return profile_if(TRY(transaction.row(kChange, user_id, id, change.name.value_or(before->name),
                                        change.description.value_or(before->description),
                                        change.options.value_or(before->options), transaction.now_ms())));
}

Result<std::optional<Profile>> set_default_profile(Transaction& transaction, std::string_view user_id,
                                                   std::string_view id) {
  static constexpr Statement kNone{
      "profiles.no_default",
      "UPDATE profiles SET is_default = 0, updated_at = $3 WHERE user_id = $1 AND "
      "is_default = 1 AND id <> $2"};
  static constexpr Statement kDefault{
      "profiles.set_default",
      "UPDATE profiles SET is_default = 1, updated_at = $3 WHERE user_id = $1 AND id "
      "= $2 RETURNING " PROFILE_COLUMNS};
  auto before = TRY(find_profile(transaction, user_id, id));
  if (!before || before->is_default) return before;
  TRY(transaction.change(kNone, user_id, id, transaction.now_ms()));
  return profile_if(TRY(transaction.row(kDefault, user_id, id, transaction.now_ms())));
}

Result<bool> remove_profile(Transaction& transaction, std::string_view user_id, std::string_view id) {
  static constexpr Statement kRemove{"profiles.remove",
                                     "DELETE FROM profiles WHERE user_id = $1 AND id = $2"};
  const auto before = TRY(find_profile(transaction, user_id, id));
  if (!before) return false;
  TRY(transaction.change(kRemove, user_id, id));
  if (!before->is_default) return true;
  const std::vector<Profile> left = TRY(list_profiles(transaction, user_id));
  if (!left.empty()) TRY(set_default_profile(transaction, user_id, left.front().id));
  return true;
}

Result<std::optional<Profile>> find_profile(Reader& reader, std::string_view user_id, std::string_view id) {
  static constexpr Statement kFind{"profiles.find",
                                   "SELECT " PROFILE_COLUMNS " FROM profiles WHERE user_id = $1 AND id = $2"};
  return profile_if(TRY(reader.row(kFind, user_id, id)));
}

Result<std::optional<Profile>> default_profile(Reader& reader, std::string_view user_id) {
  static constexpr Statement kFind{
      "profiles.default", "SELECT " PROFILE_COLUMNS " FROM profiles WHERE user_id = $1 AND is_default = 1"};
  return profile_if(TRY(reader.row(kFind, user_id)));
}

Result<std::vector<Profile>> list_profiles(Reader& reader, std::string_view user_id) {
  static constexpr Statement kList{
      "profiles.list", "SELECT " PROFILE_COLUMNS " FROM profiles WHERE user_id = $1 ORDER BY created_at, id"};
  std::vector<Profile> profiles;
  for (const Row& row : TRY(reader.rows(kList, user_id))) profiles.push_back(profile_from(row));
  return profiles;
}

Result<std::optional<std::string>> find_setting(Reader& reader, std::string_view user_id,
                                                std::string_view name) {
  static constexpr Statement kFind{"settings.find",
                                   "SELECT value FROM settings WHERE user_id = $1 AND name = $2"};
  const auto row = TRY(reader.row(kFind, user_id, name));
  return row ? std::optional(row->text(0)) : std::nullopt;
}

Result<void> put_setting(Transaction& transaction, std::string_view user_id, std::string_view name,
                         std::string_view value) {
  static constexpr Statement kPut{"settings.put",
                                  "INSERT INTO settings (user_id, name, value, updated_at) VALUES ($1, $2, "
                                  "$3, $4) ON CONFLICT (user_id, name) "
                                  "DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"};
  TRY(transaction.change(kPut, user_id, name, value, transaction.now_ms()));
  return {};
}

Result<void> transcribe_if_wanted(Transaction& transaction, const File& file,
                                  const jobs::QueueLimits& limits) {
  if (TRY(find_setting(transaction, file.user_id, kAutoTranscription)) != "true") return {};
  const auto profile = TRY(default_profile(transaction, file.user_id));
  const auto options = jobs::parse_options(TRY(json::parse_object(profile ? profile->options : "{}")));
  if (!options) {
    log::warning(
        "a ready file is not transcribed: its user's default profile has an option that is no longer known");
    return {};
  }
  if (TRY(jobs::find_no_room(transaction, limits, file.user_id, file.duration_s, transaction.now_ms()))) {
    log::warning("{} is not transcribed by itself: the queue has no room for more of its user", file.id);
    return {};
  }
  TRY(jobs::enqueue(transaction, {.user_id = file.user_id,
                                  .file_id = file.id,
                                  .title = file.title,
                                  .options = json::to_text(jobs::to_json(*options)),
                                  .priority = options->priority,
                                  .file_ready = file.status == "ready"}));
  return {};
}

}  // namespace hansard::library
