#include "engine/model_files.h"

#include <sys/stat.h>

#include <fmt/format.h>

#include "base/file.h"

namespace hansard::engine {
namespace {

// The largest file that is read whole is a tokenizer of some megabytes; weights are streamed.
constexpr int64_t kWholeFileBytes = 64 << 20;

}  // namespace

int ModelFiles::fd(std::string_view name) const {
  for (const ModelFile& file : files) {
    if (file.name == name) return file.fd.get();
  }
  return -1;
}

Result<std::string> ModelFiles::read(std::string_view name) const {
  const int descriptor = fd(name);
  if (descriptor < 0) {
    return fail(ErrorCode::model_corrupt, fmt::format("The model {} has no file {}.", id, name));
  }
  const auto damaged = [&](std::string detail) {
    return fail(ErrorCode::model_corrupt,
                fmt::format("The file {} of the model {} cannot be read.", name, id), std::move(detail));
  };
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return damaged("fstat failed");
  if (status.st_size > kWholeFileBytes) return damaged(fmt::format("{} bytes", status.st_size));
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  const Result<void> done = read_at(descriptor, 0, std::as_writable_bytes(std::span(bytes)));
  if (!done) return damaged(done.error().message);
  return bytes;
}

}  // namespace hansard::engine
