// What every driver of the blobs must do: blob_test.cc holds the cases, a driver's own test names itself with
// INSTANTIATE_TEST_SUITE_P(…, BlobConformance, …). For test programs only.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "blob/blob.h"

namespace hansard::blob {

// A driver under test: opens the same blobs again each time.
struct Driver {
  const char* name;
  std::function<Result<std::unique_ptr<Blobs>>(const std::filesystem::path& folder)> open;
};

class BlobConformance : public testing::TestWithParam<Driver> {
 protected:
  BlobConformance() {
    std::string name = (std::filesystem::temp_directory_path() / "hansard-blob.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    open();
  }
  ~BlobConformance() override { std::filesystem::remove_all(folder_); }
  void open() {
    blobs_.reset();
    auto opened = GetParam().open(folder_);
    ASSERT_TRUE(opened) << opened.error().message;
    blobs_ = std::move(*opened);
  }

  std::filesystem::path folder_;
  std::unique_ptr<Blobs> blobs_;
};

}  // namespace hansard::blob
