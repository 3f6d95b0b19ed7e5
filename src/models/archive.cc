#include "models/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <utility>
#include <vector>

#include <fmt/format.h>

namespace hansard::models {
namespace {

constexpr int kEntries = 10'000;
constexpr size_t kBlockBytes = 256UL * 1024;

struct ReadFree {
  void operator()(struct archive* handle) const { archive_read_free(handle); }
};

// "./a//b/" as "a/b"; nothing for a path that is empty, absolute or leads upwards.
std::optional<std::string> clean_path(std::string_view path) {
  if (path.starts_with('/')) return std::nullopt;
  std::string clean;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (name == ".." || name.find('\0') != std::string_view::npos) return std::nullopt;
    if (name.empty() || name == ".") continue;
    if (!clean.empty()) clean += '/';
    clean += name;
  }
  return clean;
}

tl::unexpected<Error> refused(std::string_view why) {
  return fail(ErrorCode::invalid_request, fmt::format("the archive {}", why));
}

}  // namespace

struct Archive::State {
  std::unique_ptr<struct archive, ReadFree> handle{archive_read_new()};
  uint64_t limit_bytes = 0;
  uint64_t declared_bytes = 0;
  uint64_t read_bytes = 0;
  int entries = 0;
};

Archive::Archive(std::unique_ptr<State> state) : state_(std::move(state)) {}
Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;
Archive::~Archive() = default;

Result<Archive> Archive::open(const std::filesystem::path& path, Format format, uint64_t limit_bytes) {
  auto state = std::make_unique<State>();
  struct archive* handle = state->handle.get();
  if (handle == nullptr) return fail(ErrorCode::out_of_memory, "cannot read the archive");
  state->limit_bytes = limit_bytes;
  if (format == Format::zip) {
    archive_read_support_format_zip(handle);
  } else {
    archive_read_support_format_tar(handle);
    archive_read_support_filter_gzip(handle);
    archive_read_support_filter_zstd(handle);
    archive_read_support_filter_xz(handle);
    archive_read_support_filter_bzip2(handle);
  }
  if (archive_read_open_filename(handle, path.c_str(), kBlockBytes) != ARCHIVE_OK) {
    const char* why = archive_error_string(handle);
    return fail(ErrorCode::invalid_request, "the file is not an archive that can be read",
                why == nullptr ? "" : why);
  }
  return Archive(std::move(state));
}

Result<std::optional<Archive::Entry>> Archive::next() {
  struct archive* handle = state_->handle.get();
  for (;;) {
    struct archive_entry* entry = nullptr;
    const int code = archive_read_next_header(handle, &entry);
    if (code == ARCHIVE_EOF) return std::nullopt;
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
      const char* why = archive_error_string(handle);
      return fail(
          ErrorCode::invalid_request,
          state_->entries == 0 ? "the file is not an archive that can be read" : "the archive is damaged",
          why == nullptr ? "" : why);
    }
    if (++state_->entries > kEntries) return refused(fmt::format("has more than {} entries", kEntries));
    const char* name = archive_entry_pathname(entry);
    const std::optional<std::string> path = name == nullptr ? std::nullopt : clean_path(name);
    if (!path) return refused("has a path that leads out of it");
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) {
      return refused(fmt::format("has a link ({}); pack the files themselves", *path));
    }
    const auto type = archive_entry_filetype(entry);
    if (type == AE_IFDIR) continue;
    if (type != AE_IFREG) return refused(fmt::format("has something that is not a file ({})", *path));
    const uint64_t size_bytes =
        archive_entry_size_is_set(entry) ? static_cast<uint64_t>(archive_entry_size(entry)) : 0;
    state_->declared_bytes += size_bytes;
    if (size_bytes > state_->limit_bytes || state_->declared_bytes > state_->limit_bytes) {
      return refused(fmt::format("unpacks to more than {} bytes", state_->limit_bytes));
    }
    return Entry{*path, size_bytes};
  }
}

Result<void> Archive::read(const std::function<Result<void>(std::string_view)>& take) {
  std::vector<char> buffer(kBlockBytes);
  for (;;) {
    const la_ssize_t n = archive_read_data(state_->handle.get(), buffer.data(), buffer.size());
    if (n < 0) {
      const char* why = archive_error_string(state_->handle.get());
      return fail(ErrorCode::invalid_request, "the archive is damaged", why == nullptr ? "" : why);
    }
    if (n == 0) return {};
    state_->read_bytes += static_cast<uint64_t>(n);
    if (state_->read_bytes > state_->limit_bytes) {
      return refused(fmt::format("unpacks to more than {} bytes", state_->limit_bytes));
    }
    TRY(take({buffer.data(), static_cast<size_t>(n)}));
  }
}

}  // namespace hansard::models
