#include "base/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <clocale>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace hansard {
namespace {

constexpr size_t kBlockBytes = 256UL * 1024;

struct ReadFree {
  void operator()(struct archive* handle) const { archive_read_free(handle); }
};

// Names are UTF-8 here, and the library takes them for what the thread's locale says: in C, where programs
// begin, for nothing but ASCII.
class Utf8Names {
 public:
  Utf8Names() : before_(::uselocale(utf8())) {}
  ~Utf8Names() { ::uselocale(before_); }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  static locale_t utf8() {
    static const locale_t kLocale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return kLocale;  // where there is none, the thread keeps its own
  }
  locale_t before_;
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
  Limits limits;
  uint64_t declared_bytes = 0;
  uint64_t read_bytes = 0;
  uint64_t entries = 0;
};

Archive::Archive(std::unique_ptr<State> state) : state_(std::move(state)) {}
Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;
Archive::~Archive() = default;

Result<Archive> Archive::open(const std::filesystem::path& path, Format format, Limits limits) {
  auto state = std::make_unique<State>();
  struct archive* handle = state->handle.get();
  if (handle == nullptr) return fail(ErrorCode::out_of_memory, "cannot read the archive");
  state->limits = limits;
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
  const Utf8Names names;
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
    if (++state_->entries > state_->limits.entries) {
      return refused(fmt::format("has more than {} entries", state_->limits.entries));
    }
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
    if (size_bytes > state_->limits.bytes || state_->declared_bytes > state_->limits.bytes) {
      return refused(fmt::format("unpacks to more than {} bytes", state_->limits.bytes));
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
    if (state_->read_bytes > state_->limits.bytes) {
      return refused(fmt::format("unpacks to more than {} bytes", state_->limits.bytes));
    }
    TRY(take({buffer.data(), static_cast<size_t>(n)}));
  }
}

// ---- writing

namespace {

struct WriteFree {
  // Freed without archive_write_close(), which would try to complete what has failed.
  void operator()(struct archive* handle) const {
    archive_write_fail(handle);
    archive_write_free(handle);
  }
};

tl::unexpected<Error> write_failure(struct archive* handle) {
  const int number = archive_errno(handle);
  const char* why = archive_error_string(handle);
  if (number > 0) return fail(system_error("cannot write the archive", number));
  return fail(ErrorCode::internal, "cannot write the archive", why == nullptr ? "" : why);
}

}  // namespace

struct TarWriter::State {
  std::unique_ptr<struct archive, WriteFree> handle{archive_write_new()};
};

TarWriter::TarWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarWriter::TarWriter(TarWriter&&) noexcept = default;
TarWriter& TarWriter::operator=(TarWriter&&) noexcept = default;
TarWriter::~TarWriter() = default;

Result<TarWriter> TarWriter::open(int fd) {
  auto state = std::make_unique<State>();
  struct archive* handle = state->handle.get();
  if (handle == nullptr) return fail(ErrorCode::out_of_memory, "cannot write an archive");
  archive_write_set_format_pax_restricted(handle);  // plain ustar but for what does not fit into it
  archive_write_set_bytes_per_block(handle, static_cast<int>(kBlockBytes));
  archive_write_set_bytes_in_last_block(handle, 512);
  if (archive_write_open_fd(handle, fd) != ARCHIVE_OK) return write_failure(handle);
  return TarWriter(std::move(state));
}

Result<void> TarWriter::add(const std::string& path, uint64_t size_bytes, int64_t modified_ms) {
  const Utf8Names names;
  const std::unique_ptr<struct archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                                   archive_entry_free);
  archive_entry_set_pathname(entry.get(), path.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0600);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size_bytes));
  archive_entry_set_mtime(entry.get(), modified_ms / 1000, 0);
  struct archive* handle = state_->handle.get();
  return archive_write_header(handle, entry.get()) == ARCHIVE_OK ? Result<void>() : write_failure(handle);
}

Result<void> TarWriter::append(std::string_view bytes) {
  struct archive* handle = state_->handle.get();
  const la_ssize_t written = archive_write_data(handle, bytes.data(), bytes.size());
  if (written < 0) return write_failure(handle);
  if (static_cast<size_t>(written) == bytes.size()) return {};
  return fail(ErrorCode::internal, "a file has more bytes than were announced");
}

Result<void> TarWriter::finish() {
  struct archive* handle = state_->handle.get();
  return archive_write_close(handle) == ARCHIVE_OK ? Result<void>() : write_failure(handle);
}

Result<std::string> make_zip(std::span<const ZipMember> members) {
  // What a zip can say of a time begins with this day.
  constexpr time_t kFirstOf1980 = 315'532'800;
  std::string zip;
  const auto take = [](struct archive*, void* out, const void* bytes, size_t size) -> la_ssize_t {
    static_cast<std::string*>(out)->append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
  };
  const std::unique_ptr<struct archive, WriteFree> handle(archive_write_new());
  const auto failed = [&] { return fail(ErrorCode::out_of_memory, "cannot write an archive"); };
  if (!handle) return failed();
  archive_write_set_format_zip(handle.get());
  archive_write_set_bytes_per_block(handle.get(), 0);
  if (archive_write_open(handle.get(), &zip, nullptr, take, nullptr) != ARCHIVE_OK) return failed();
  for (const ZipMember& member : members) {
    const std::unique_ptr<struct archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                                     archive_entry_free);
    archive_entry_set_pathname(entry.get(), std::string(member.path).c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.bytes.size()));
    archive_entry_set_mtime(entry.get(), kFirstOf1980, 0);
    if (archive_write_header(handle.get(), entry.get()) != ARCHIVE_OK) return failed();
    const la_ssize_t written = archive_write_data(handle.get(), member.bytes.data(), member.bytes.size());
    if (written != static_cast<la_ssize_t>(member.bytes.size())) return failed();
  }
  if (archive_write_close(handle.get()) != ARCHIVE_OK) return failed();
  return zip;
}

}  // namespace hansard
