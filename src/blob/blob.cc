#include "blob/blob.h"

#include <vector>

namespace hansard::blob {

bool is_blob_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.front() == '/' || name.back() == '/') return false;
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789._-/";
  if (name.find_first_not_of(kAllowed) != std::string_view::npos) return false;
  // No part is hidden, empty or a way up.
  for (size_t at = 0; at < name.size();) {
    if (name[at] == '.' || name[at] == '/') return false;
    const size_t slash = name.find('/', at);
    if (slash == std::string_view::npos) break;
    at = slash + 1;
  }
  return true;
}

Result<void> Blobs::put(std::string_view name, std::string_view bytes) {
  std::unique_ptr<Writer> writer = TRY(create(name));
  TRY(writer->append(bytes));
  return writer->commit();
}

Result<int64_t> sweep(Blobs& blobs, std::string_view prefix, int64_t before_ms,
                      const std::function<Result<bool>(const std::string&)>& is_named) {
  std::vector<std::string> old;
  TRY(blobs.list(prefix, [&](const Found& found) {
    if (found.modified_ms < before_ms) old.push_back(found.name);
  }));
  int64_t removed = 0;
  for (const std::string& name : old) {
    if (TRY(is_named(name))) continue;
    TRY(blobs.remove(name));
    ++removed;
  }
  return removed;
}

}  // namespace hansard::blob
