// Profiles and settings: what is done where a request does not say.

#include "library/profiles.h"

#include <charconv>

#include <fmt/format.h>

#include "api/v1/common.h"
#include "base/clock.h"

namespace hansard::api::v1 {
namespace {

using library::Profile;

bj::object to_json(const Profile& profile) {
  bj::object json{{"id", profile.id}, {"name", profile.name}, {"description", profile.description}};
  json["is_default"] = profile.is_default;
  json["options"] = json::parse_object(profile.options).value_or(bj::object());
  json["created_at"] = format_time(profile.created_at_ms);
  json["updated_at"] = format_time(profile.updated_at_ms);
  return json;
}

Response answer_with(const Request& request, const Profile& profile) {
  return resource(request, profile.id, profile.updated_at_ms, to_json(profile));
}

tl::unexpected<Problem> no_such_profile() {
  return fail(Problem(404, "there is no such profile"));
}

// As they were written, checked.
Outcome<std::optional<std::string>> options_field(const Services& services, const bj::object& body) {
  const bj::value* options = body.if_contains("options");
  if (options == nullptr || options->is_null()) return std::optional<std::string>();
  if (!options->is_object()) return fail(Problem(422, "must be an object", "options"));
  TRY(check_options(services, options->get_object()));
  return std::optional(json::to_text(*options));
}

Answer list(Services& services, const Request& request) {
  const auto profiles =
      TRY(read<std::vector<Profile>>(services, [&](store::Reader& reader) -> Outcome<std::vector<Profile>> {
        return TRY(library::list_profiles(reader, user_of(services, request)));
      }));
  bj::array items;
  for (const Profile& profile : profiles) items.push_back(to_json(profile));
  return http::json_response(200, page_json(std::move(items)));
}

Answer create(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"name", "description", "options", "is_default"}));
  const auto name = TRY(text_field(body, "name"));
  if (!name) return fail(Problem(422, "must be text of 1 to 500 characters", "name"));
  const Profile wanted{.user_id = user_of(services, request),
                       .name = *name,
                       .description = TRY(text_field(body, "description")).value_or(""),
                       .is_default = TRY(truth_field(body, "is_default")).value_or(false),
                       .options = TRY(options_field(services, body)).value_or("{}")};
  return make_once(services, request, json::to_text(body), 201,
                   [&](store::Transaction& transaction) -> Outcome<Made> {
                     const Profile profile = TRY(library::add_profile(transaction, wanted));
                     return Made{"/api/v1/profiles/" + profile.id, json::to_text(to_json(profile))};
                   });
}

Answer show(Services& services, const Request& request) {
  const auto profile = TRY(
      read<std::optional<Profile>>(services, [&](store::Reader& reader) -> Outcome<std::optional<Profile>> {
        return TRY(library::find_profile(reader, user_of(services, request), request.parameters.at(0)));
      }));
  if (!profile) return no_such_profile();
  return answer_with(request, *profile);
}

Answer change(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(request, {"name", "description", "options", "is_default"}));
  const auto is_default = TRY(truth_field(body, "is_default"));
  library::ProfileChange change{.name = TRY(text_field(body, "name")),
                                .description = TRY(text_field(body, "description")),
                                .options = TRY(options_field(services, body))};
  if (body.contains("description") && !change.description) change.description = "";  // null takes it away
  const auto profile = TRY(write<Profile>(services, [&](store::Transaction& transaction) -> Outcome<Profile> {
    const std::string user = user_of(services, request);
    const auto before = TRY(library::find_profile(transaction, user, request.parameters.at(0)));
    if (!before) return no_such_profile();
    TRY(check_match(request, before->id, before->updated_at_ms));
    if (before->is_default && is_default == false)
      return fail(Problem(422, "one profile is the default: make another one that", "is_default"));
    if (is_default == true) TRY(library::set_default_profile(transaction, user, before->id));
    return *TRY(library::change_profile(transaction, user, before->id, change));
  }));
  return answer_with(request, profile);
}

Answer set_default(Services& services, const Request& request) {
  const auto profile = TRY(write<Profile>(services, [&](store::Transaction& transaction) -> Outcome<Profile> {
    auto chosen =
        TRY(library::set_default_profile(transaction, user_of(services, request), request.parameters.at(0)));
    if (!chosen) return no_such_profile();
    return std::move(*chosen);
  }));
  return answer_with(request, profile);
}

Answer remove(Services& services, const Request& request) {
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    if (!TRY(library::remove_profile(transaction, user_of(services, request), request.parameters.at(0))))
      return no_such_profile();
    return true;
  }));
  return http::text_response(204, "application/json", "");
}

// ---- settings

Answer settings(Services& services, const Request& request) {
  struct Known {
    bool automatic = false;
    std::optional<Profile> profile;
  };
  const auto known = TRY(read<Known>(services, [&](store::Reader& reader) -> Outcome<Known> {
    const std::string user = user_of(services, request);
    Known result;
    result.automatic = TRY(library::find_setting(reader, user, library::kAutoTranscription)) == "true";
    result.profile = TRY(library::default_profile(reader, user));
    return result;
  }));
  bj::object body{{"auto_transcription_enabled", known.automatic}, {"default_profile_id", nullptr}};
  if (known.profile) body["default_profile_id"] = known.profile->id;
  body["local_only"] = true;
  body["max_upload_size_mb"] = services.upload_limit_bytes.load() >> 20;
  return http::json_response(200, json::to_text(body));
}

// Those of the installation are an admin's.
Outcome<std::optional<int64_t>> upload_limit_field(const Request& request, const bj::object& body) {
  constexpr int64_t kMost = 1'000'000;
  const bool installation = body.contains("local_only") || body.contains("max_upload_size_mb");
  if (installation && caller_of(request).role != auth::Role::admin) {
    return fail(Problem(403, "the installation's settings are for admins",
                        body.contains("local_only") ? "local_only" : "max_upload_size_mb"));
  }
  if (TRY(truth_field(body, "local_only")) == false)
    return fail(Problem(422, "must be true: there are no remote engines to allow", "local_only"));
  const bj::value* value = body.if_contains("max_upload_size_mb");
  if (value == nullptr) return std::optional<int64_t>();
  boost::system::error_code error;
  const auto number = value->to_number<int64_t>(error);
  if (error || number < 1 || number > kMost)
    return fail(
        Problem(422, fmt::format("must be a whole number from 1 to {}", kMost), "max_upload_size_mb"));
  return std::optional(number);
}

Answer change_settings(Services& services, const Request& request) {
  const bj::object body = TRY(json_body(
      request, {"auto_transcription_enabled", "default_profile_id", "local_only", "max_upload_size_mb"}));
  const auto automatic = TRY(truth_field(body, "auto_transcription_enabled"));
  const auto profile_id = TRY(text_field(body, "default_profile_id"));
  const auto limit_mb = TRY(upload_limit_field(request, body));
  TRY(write<bool>(services, [&](store::Transaction& transaction) -> Outcome<bool> {
    const std::string user = user_of(services, request);
    if (automatic)
      TRY(library::put_setting(transaction, user, library::kAutoTranscription,
                               *automatic ? "true" : "false"));
    if (profile_id && !TRY(library::set_default_profile(transaction, user, *profile_id)))
      return fail(Problem(422, "there is no such profile", "default_profile_id"));
    if (limit_mb) {
      TRY(library::put_setting(transaction, "", library::kUploadLimitMb, std::to_string(*limit_mb)));
      TRY(auth::add_audit(transaction,
                          audit_entry(request, "settings.change", std::string(library::kUploadLimitMb),
                                      std::to_string(*limit_mb))));
    }
    return true;
  }));
  if (limit_mb) services.upload_limit_bytes = static_cast<uint64_t>(*limit_mb) << 20;
  return settings(services, request);
}

}  // namespace

Result<void> load_settings(Services& services) {
  return services.store.read([&](store::Reader& reader) -> Result<void> {
    const auto text = TRY(library::find_setting(reader, "", library::kUploadLimitMb));
    uint64_t limit_mb = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), limit_mb);
    if (limit_mb > 0) services.upload_limit_bytes = limit_mb << 20;
    return {};
  });
}

void add_profile_routes(http::Router& router, Services& services) {
  const std::string base = "/api/v1/profiles";
  router.get(base, bind(services, list));
  router.post(base, bind(services, create));
  router.get(base + "/{id}", bind(services, show));
  router.add({"PATCH", base + "/{id}", bind(services, change)});
  router.add({"DELETE", base + "/{id}", bind(services, remove)});
  router.post(base + "/{id}:set-default", bind(services, set_default));
  router.get("/api/v1/settings", bind(services, settings));
  router.add({"PATCH", "/api/v1/settings", bind(services, change_settings)});
}

}  // namespace hansard::api::v1
