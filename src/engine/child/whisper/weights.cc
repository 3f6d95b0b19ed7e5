#include "engine/child/whisper/weights.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"

namespace hansard::engine::whisper {
namespace {

// Types as CTranslate2 numbers them.
enum Type { kFloat32 = 0, kInt8 = 1, kFloat16 = 4, kBfloat16 = 5 };

constexpr int64_t kMostTensors = 100'000;
constexpr int64_t kMostDimensions = 8;
constexpr int64_t kMostNumbers = int64_t{1} << 32;  // of a tensor: its bytes are counted in 32 bits

// Reads the file's small fields from a buffer that moves along.
class Cursor {
 public:
  Cursor(int fd, int64_t size) : fd_(fd), size_(size) {}

  int64_t position() const { return position_; }
  int64_t size() const { return size_; }
  void skip(int64_t bytes) { position_ += bytes; }

  template <typename T>
  std::optional<T> number() {
    T value;
    if (!take(&value, sizeof value)) return std::nullopt;
    return value;
  }

  // Length, characters, and a zero that counts.
  std::optional<std::string> text() {
    const auto length = number<uint16_t>();
    if (!length || *length == 0) return std::nullopt;
    std::string characters(*length, '\0');
    if (!take(characters.data(), *length)) return std::nullopt;
    characters.pop_back();
    return characters;
  }

 private:
  bool take(void* to, int64_t count) {
    if (position_ + count > size_) return false;
    if (position_ < begin_ || position_ + count > begin_ + std::ssize(buffer_)) {
      buffer_.resize(
          static_cast<size_t>(std::min<int64_t>(size_ - position_, std::max<int64_t>(count, 4096))));
      begin_ = position_;
      if (!read_at(fd_, static_cast<uint64_t>(begin_), std::as_writable_bytes(std::span(buffer_))))
        return false;
    }
    std::memcpy(to, buffer_.data() + (position_ - begin_), static_cast<size_t>(count));
    position_ += count;
    return true;
  }

  int fd_;
  int64_t size_;
  int64_t position_ = 0;
  int64_t begin_ = 0;
  std::vector<char> buffer_;
};

tl::unexpected<Error> damaged() {
  return fail(ErrorCode::model_corrupt, "The model's model.bin is damaged.");
}

// IEEE's half precision; whatever is not finite becomes something that is.
float from_half(uint16_t bits) {
  const float value = std::bit_cast<float>((bits & 0x7FFFU) << 13) * 0x1p112F;
  return (bits & 0x8000U) != 0 ? -value : value;
}

float from_bfloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

int bytes_of(int type) {
  return type == kFloat32 ? 4 : type == kInt8 ? 1 : type == kFloat16 || type == kBfloat16 ? 2 : 0;
}

}  // namespace

Result<WeightsFile> WeightsFile::open(int fd) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return damaged();
  Cursor cursor(fd, status.st_size);
  const auto version = cursor.number<uint32_t>();
  if (!version || *version < 5 || *version > 6) return damaged();
  if (!cursor.text() || !cursor.number<uint32_t>()) return damaged();  // the kind of model, and its revision
  WeightsFile file;
  file.fd_ = fd;
  const auto count = cursor.number<uint32_t>();
  if (!count || *count > kMostTensors) return damaged();
  for (uint32_t i = 0; i < *count; ++i) {
    const auto name = cursor.text();
    const auto rank = cursor.number<uint8_t>();
    if (!name || !rank || *rank > kMostDimensions) return damaged();
    Tensor tensor;
    for (uint8_t k = 0; k < *rank; ++k) {
      const auto dimension = cursor.number<uint32_t>();
      if (!dimension || *dimension > kMostNumbers / std::max<int64_t>(1, tensor.size)) return damaged();
      tensor.shape.push_back(*dimension);
      tensor.size *= *dimension;
    }
    const auto type = cursor.number<uint8_t>();
    const auto bytes = cursor.number<uint32_t>();
    if (!type || !bytes || cursor.position() + *bytes > cursor.size()) return damaged();
    if (const int width = bytes_of(*type); width > 0 && tensor.size * width != *bytes) return damaged();
    tensor.type = *type;
    tensor.offset = cursor.position();
    cursor.skip(*bytes);
    file.tensors_.emplace(*name, std::move(tensor));
  }
  const auto aliases = cursor.number<uint32_t>();
  if (!aliases || *aliases > kMostTensors) return damaged();
  for (uint32_t i = 0; i < *aliases; ++i) {
    const auto alias = cursor.text();
    const auto name = cursor.text();
    if (!alias || !name) return damaged();
    file.aliases_.emplace(*alias, *name);
  }
  return file;
}

const WeightsFile::Tensor* WeightsFile::find(std::string_view name) const {
  const auto alias = aliases_.find(std::string(name));
  const auto found = tensors_.find(alias != aliases_.end() ? alias->second : std::string(name));
  return found != tensors_.end() ? &found->second : nullptr;
}

std::vector<int64_t> WeightsFile::shape(std::string_view name) const {
  const Tensor* tensor = find(name);
  return tensor != nullptr ? tensor->shape : std::vector<int64_t>();
}

Result<std::vector<float>> WeightsFile::read(std::string_view name, int64_t size) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr || tensor->size != size) return damaged();
  std::vector<float> values(static_cast<size_t>(size));
  TRY(read(*tensor, name, 0, values));
  return values;
}

Result<void> WeightsFile::read_rows(std::string_view name, int64_t first, int64_t columns,
                                    std::span<float> rows) const {
  const Tensor* tensor = find(name);
  const auto count = std::ssize(rows);
  if (tensor == nullptr || tensor->shape.size() != 2 || tensor->shape[1] != columns ||
      first * columns + count > tensor->size) {
    return damaged();
  }
  return read(*tensor, name, first * columns, rows);
}

Result<void> WeightsFile::read(const Tensor& tensor, std::string_view name, int64_t first,
                               std::span<float> values) const {
  const int64_t width = bytes_of(tensor.type);
  if (width == 0) return damaged();
  std::vector<char> bytes(values.size() * static_cast<size_t>(width));
  const auto offset = static_cast<uint64_t>(tensor.offset + first * width);
  if (!read_at(fd_, offset, std::as_writable_bytes(std::span(bytes)))) return damaged();
  if (tensor.type == kFloat32) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
  } else if (tensor.type == kInt8) {
    const int64_t rows = tensor.shape.empty() ? 1 : std::max<int64_t>(1, tensor.shape[0]);
    const int64_t columns = std::max<int64_t>(1, tensor.size / rows);
    const std::vector<float> scales = TRY(read(fmt::format("{}_scale", name), rows));
    for (size_t i = 0; i < values.size(); ++i) {
      const auto row = static_cast<size_t>((first + static_cast<int64_t>(i)) / columns);
      values[i] = static_cast<float>(static_cast<int8_t>(bytes[i])) / scales[row];
    }
  } else {
    std::vector<uint16_t> halves(values.size());
    std::memcpy(halves.data(), bytes.data(), bytes.size());
    if (tensor.type == kFloat16) {
      std::transform(halves.begin(), halves.end(), values.begin(), from_half);
    } else {
      std::transform(halves.begin(), halves.end(), values.begin(), from_bfloat);
    }
  }
  return {};
}

}  // namespace hansard::engine::whisper
