// What every driver of the store must do: store_test.cc holds the cases, a driver's own test names itself
// with INSTANTIATE_TEST_SUITE_P(…, StoreConformance, …). For test programs only.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/temporary_folder.h"
#include "store/store.h"

namespace hansard::store {

// A driver under test: opens the same database again each time.
struct Driver {
  const char* name;
  std::function<Result<std::unique_ptr<Store>>(const std::filesystem::path& folder, int64_t now_ms)> open;
};

class StoreConformance : public testing::TestWithParam<Driver> {
 protected:
  static constexpr Statement kInsert{
      "test.insert", "INSERT INTO settings (user_id, name, value, updated_at) VALUES ($1, $2, $3, $4)"};
  static constexpr Statement kValue{"test.value",
                                    "SELECT value FROM settings WHERE user_id = $1 AND name = $2"};
  static constexpr Statement kCount{"test.count", "SELECT count(*) FROM settings"};

  StoreConformance() { open(); }
  void open() {
    store_.reset();
    auto opened = GetParam().open(folder_, 1'795'000'000'000);
    ASSERT_TRUE(opened) << opened.error().message << " " << opened.error().detail;
    store_ = std::move(*opened);
  }
  Result<void> put(const std::string& name, const std::string& value) {
    return store_->write([&](Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kInsert, "", name, value, transaction.now_ms()));
      return {};
    });
  }
  std::optional<std::string> get(const std::string& name) {
    std::optional<std::string> value;
    EXPECT_TRUE(store_->read([&](Reader& reader) -> Result<void> {
      if (auto row = TRY(reader.row(kValue, "", name))) value = row->text(0);
      return {};
    }));
    return value;
  }
  int64_t count() {
    int64_t count = -1;
    EXPECT_TRUE(store_->read([&](Reader& reader) -> Result<void> {
      count = TRY(reader.row(kCount))->integer(0);
      return {};
    }));
    return count;
  }

  const TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace hansard::store
