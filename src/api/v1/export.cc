// GET /export: everything that a user has, as one tar, for taking it elsewhere.
#include <unistd.h>

#include <array>

#include <fmt/format.h>

#include "api/v1/common.h"
#include "auth/users.h"
#include "base/archive.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "http/range.h"
#include "library/versions.h"
#include "library/webhooks.h"
#include "transcript/exports.h"
#include "transcript/text.h"

namespace hansard::api::v1 {
namespace {

constexpr int64_t kPage = 200;

// What a recording is called outside: its title as far as a file system takes it, and an extension.
std::string file_name(const library::File& file) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kExtensions{{
      {"audio/wav", ".wav"},
      {"audio/mpeg", ".mp3"},
      {"audio/mp4", ".m4a"},
      {"audio/aac", ".aac"},
      {"audio/ogg", ".ogg"},
      {"audio/flac", ".flac"},
      {"audio/webm", ".weba"},
      {"video/mp4", ".mp4"},
      {"video/webm", ".webm"},
      {"video/quicktime", ".mov"},
      {"video/x-matroska", ".mkv"},
      {"video/mpeg", ".mpg"},
  }};
  constexpr size_t kLongest = 100;
  std::string name(transcript::first_characters(file.title, kLongest));
  for (char& character : name) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f || character == '/' || character == '\\') character = '_';
  }
  if (name.starts_with('.')) name.front() = '_';
  for (const auto& [type, extension] : kExtensions) {
    if (file.mime_type == type && !name.ends_with(extension)) return name + std::string(extension);
  }
  return name;
}

class Export {
 public:
  Export(Services& services, std::string user_id, TarWriter tar)
      : services_(services), user_id_(std::move(user_id)), tar_(std::move(tar)) {}

  Outcome<void> write() {
    TRY(account());
    TRY(each_page<library::File>(
        [&](store::Reader& reader, const library::Page& page) {
          return library::list_files(reader, user_id_, {}, page);
        },
        [&](const library::File& file) { return recording(file); }));
    TRY(each_page<jobs::Job>(
        [&](store::Reader& reader, const library::Page& page) {
          return library::list_transcriptions(reader, user_id_, {}, page);
        },
        [&](const jobs::Job& job) { return transcription(job); }));
    TRY(tar_.finish());
    return {};
  }

 private:
  // Page by page: however much there is, little of it is held.
  template <typename T, typename List, typename Take>
  Outcome<void> each_page(List list, Take take) {
    auto page = library::Page::first({library::SortBy::created_at, false}, kPage);
    for (;;) {
      const auto items =
          TRY(read<std::vector<T>>(services_, [&](store::Reader& reader) -> Outcome<std::vector<T>> {
            return TRY(list(reader, page));
          }));
      for (const T& item : items) TRY(take(item));
      if (static_cast<int64_t>(items.size()) < kPage) return {};
      page = page_after(page, items.back());
    }
  }

  Outcome<void> account() {
    struct Known {
      std::optional<auth::User> user;
      std::vector<library::Profile> profiles;
      std::vector<library::Webhook> webhooks;
    };
    const auto known = TRY(read<Known>(services_, [&](store::Reader& reader) -> Outcome<Known> {
      return Known{TRY(auth::find_user(reader, user_id_)), TRY(library::list_profiles(reader, user_id_)),
                   TRY(library::list_webhooks(reader, user_id_))};
    }));
    bj::array profiles;
    for (const library::Profile& profile : known.profiles) {
      profiles.push_back(bj::object{{"name", profile.name},
                                    {"description", profile.description},
                                    {"is_default", profile.is_default},
                                    {"options", TRY(json::parse_object(profile.options))}});
    }
    // Without their secrets, which are worth nothing elsewhere.
    bj::array webhooks;
    for (const library::Webhook& webhook : known.webhooks) {
      webhooks.push_back(bj::object{{"url", webhook.url},
                                    {"events", bj::array(webhook.events.begin(), webhook.events.end())}});
    }
    const bj::object account{{"username", known.user ? known.user->username : ""},
                             {"created_at", format_time(known.user ? known.user->created_at_ms : 0)},
                             {"exported_at", format_time(services_.store.now_ms())},
                             {"profiles", std::move(profiles)},
                             {"webhooks", std::move(webhooks)}};
    return text("account.json", json::to_text(account), services_.store.now_ms());
  }

  Outcome<void> recording(const library::File& file) {
    const std::string folder = fmt::format("recordings/{}/", file.id);
    TRY(text(folder + "recording.json", json::to_text(to_json(file)), file.updated_at_ms));
    if (!file.blob) return {};
    const Result<UniqueFd> bytes = services_.blobs.open(*file.blob);
    // Erased since the page was read.
    if (!bytes && bytes.error().code == ErrorCode::not_found) return {};
    if (!bytes) return fail(Problem(bytes.error()));
    const auto size = static_cast<uint64_t>(file.size_bytes.value_or(0));
    TRY(tar_.add(folder + file_name(file), size, file.created_at_ms));
    TRY(read_pieces(bytes->get(), size, [&](std::string_view piece) { return tar_.append(piece); }));
    return {};
  }

  Outcome<void> transcription(const jobs::Job& job) {
    const std::string folder = fmt::format("transcriptions/{}/", job.id);
    TRY(text(folder + "transcription.json", json::to_text(to_json(services_, job, std::nullopt)),
             job.updated_at_ms));
    using Versions = std::vector<library::VersionDocument>;
    const auto versions = TRY(read<Versions>(services_, [&](store::Reader& reader) -> Outcome<Versions> {
      Versions kept;
      for (const library::Version& version : TRY(library::list_versions(reader, job.id))) {
        if (auto found = TRY(library::find_version(reader, job.id, version.number)))
          kept.push_back(std::move(*found));
      }
      return kept;
    }));
    for (const library::VersionDocument& version : versions) {
      TRY(text(fmt::format("{}transcript.{}.json", folder, version.number), version.document,
               job.updated_at_ms));
    }
    if (versions.empty()) return {};
    transcript::Document newest = TRY(transcript::from_json(versions.front().document));
    newest.title = job.title;
    newest.date = format_time(job.completed_at_ms.value_or(0)).substr(0, 10);
    return text(folder + "transcript.md", transcript::export_document(newest, transcript::Format::md),
                job.updated_at_ms);
  }

  Outcome<void> text(const std::string& path, std::string_view bytes, int64_t modified_ms) {
    TRY(tar_.add(path, bytes.size(), modified_ms));
    TRY(tar_.append(bytes));
    return {};
  }

  Services& services_;
  const std::string user_id_;
  TarWriter tar_;
};

Answer export_everything(Services& services, const Request& request) {
  const std::string user = user_of(services, request);
  const uint64_t size = TRY(read<uint64_t>(services, [&](store::Reader& reader) -> Outcome<uint64_t> {
    return TRY(library::stored_bytes(reader, user));
  }));
  TRY(make_private_folder(services.spool_folder));
  if (size + limits::kDiskReserveBytes > TRY(free_bytes(services.spool_folder))) {
    return fail(Problem(507, "the server has no room to put everything together; ask whoever runs it"));
  }
  UniqueFd file = TRY(open_unnamed_file(services.spool_folder));
  TRY(Export(services, user, TRY(TarWriter::open(file.get()))).write());
  auth::add_audit_later(services.store, audit_entry(request, "account.export", user));
  const off_t bytes = ::lseek(file.get(), 0, SEEK_END);
  if (bytes < 0) return fail(Problem(system_error("cannot measure what was put together", errno)));
  Response response;
  response.body = http::FileBody{std::move(file), 0, static_cast<uint64_t>(bytes)};
  response.with("Content-Type", "application/x-tar")
      .with("Content-Disposition", "attachment; filename=\"hansard-export.tar\"")
      .with("Cache-Control", "no-store");
  return response;
}

}  // namespace

void add_export_routes(http::Router& router, Services& services) {
  http::Route route{"GET", "/api/v1/export",
                    [&services](Request& request) { return export_everything(services, request); }};
  route.slow = true;  // as long as copying everything takes
  router.add(std::move(route));
}

}  // namespace hansard::api::v1
