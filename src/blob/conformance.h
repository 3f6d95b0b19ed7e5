// What every driver of the blobs must do: blob_test.cc holds the cases, a driver's own test names itself with
// INSTANTIATE_TEST_SUITE_P(…, BlobConformance, …). For test programs only.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/temporary_folder.h"
#include "blob/blob.h"

namespace hansard::blob {

// A driver under test: opens the same blobs again each time.
struct Driver {
  const char* name;
  std::function<Result<std::unique_ptr<Blobs>>(const std::filesystem::path& folder)> open;
};

class BlobConformance : public testing::TestWithParam<Driver> {
 protected:
  BlobConformance() { open(); }
  void open() {
    blobs_.reset();
    auto opened = GetParam().open(folder_);
    ASSERT_TRUE(opened) << opened.error().message;
    blobs_ = std::move(*opened);
  }

  const TemporaryFolder folder_;
  std::unique_ptr<Blobs> blobs_;
};

}  // namespace hansard::blob
