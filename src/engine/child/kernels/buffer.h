// An array that begins at a cache line: what the kernels read and write.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace hansard::engine::kernels {

// Not initialised. Throws std::bad_alloc.
template <typename T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(size_t size) : data_(allocate(size)), size_(size) {}

  T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  T& operator[](size_t i) const { return data_.get()[i]; }

  // At least so many; what was there is gone when it grows.
  void need(size_t size) {
    if (size > size_) *this = Buffer(size);
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* data) const { ::operator delete(data, kAlignment); }
  };
  static T* allocate(size_t size) { return static_cast<T*>(::operator new(size * sizeof(T), kAlignment)); }

  std::unique_ptr<T[], Free> data_;
  size_t size_ = 0;
};

}  // namespace hansard::engine::kernels
