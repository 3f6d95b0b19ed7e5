// What every driver of the store must do: store_test.cc holds the cases, a driver's own test names itself
// with INSTANTIATE_TEST_SUITE_P(…, StoreConformance, …). For test programs only.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "store/store.h"

namespace hansard::store {

inline constexpr Statement kInsertForTests{
    "test.insert", "INSERT INTO settings (user_id, name, value, updated_at) VALUES ($1, $2, $3, $4)"};
inline constexpr Statement kValueForTests{"test.value",
                                          "SELECT value FROM settings WHERE user_id = $1 AND name = $2"};
inline constexpr Statement kCountForTests{"test.count", "SELECT count(*) FROM settings"};

// A driver under test: opens the same database again each time.
struct Driver {
  const char* name;
  std::function<Result<std::unique_ptr<Store>>(const std::filesystem::path& folder, int64_t now_ms)> open;
};

class StoreConformance : public testing::TestWithParam<Driver> {
 protected:
  StoreConformance() {
    std::string name = (std::filesystem::temp_directory_path() / "hansard-store.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    open();
  }
  ~StoreConformance() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    store_.reset();
    auto opened = GetParam().open(folder_, 1'795'000'000'000);
    ASSERT_TRUE(opened) << opened.error().message << " " << opened.error().detail;
    store_ = std::move(*opened);
  }
  Result<void> put(const std::string& name, const std::string& value) {
    return store_->write([&](Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kInsertForTests, "", name, value, transaction.now_ms()));
      return {};
    });
  }
  std::optional<std::string> get(const std::string& name) {
    std::optional<std::string> value;
    EXPECT_TRUE(store_->read([&](Reader& reader) -> Result<void> {
      if (auto row = TRY(reader.row(kValueForTests, "", name))) value = row->text(0);
      return {};
    }));
    return value;
  }
  int64_t count() {
    int64_t count = -1;
    EXPECT_TRUE(store_->read([&](Reader& reader) -> Result<void> {
      count = TRY(reader.row(kCountForTests))->integer(0);
      return {};
    }));
    return count;
  }

  std::filesystem::path folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace hansard::store
