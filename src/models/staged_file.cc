#include "models/staged_file.h"

#include <fcntl.h>

#include <cerrno>
#include <vector>

#include "base/file.h"

namespace hansard::models {

Result<StagedFile> StagedFile::create(const std::filesystem::path& path) {
  StagedFile file;
  file.fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.fd_) return fail(system_error("cannot create a file of the model", errno));
  return file;
}

Result<StagedFile> StagedFile::resume(const std::filesystem::path& path, const std::stop_token& stop) {
  StagedFile file;
  file.fd_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.fd_) return fail(system_error("cannot create a file of the model", errno));
  std::vector<char> buffer(256UL * 1024);
  for (;;) {
    if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
    const ssize_t n = ::read(file.fd_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(system_error("cannot read what was downloaded before", errno));
    if (n == 0) return file;
    file.hash_.update({buffer.data(), static_cast<size_t>(n)});
    file.size_bytes_ += static_cast<uint64_t>(n);
  }
}

Result<void> StagedFile::append(std::string_view bytes) {
  TRY(write_all(fd_.get(), bytes));
  hash_.update(bytes);
  size_bytes_ += bytes.size();
  return {};
}

Result<void> StagedFile::restart() {
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) != 0) {
    return fail(system_error("cannot begin a file of the model anew", errno));
  }
  hash_ = Sha256();
  size_bytes_ = 0;
  return {};
}

Result<std::string> StagedFile::finish() {
  if (::fsync(fd_.get()) != 0) return fail(system_error("cannot write a file of the model", errno));
  fd_.reset();
  return hash_.finish();
}

}  // namespace hansard::models
