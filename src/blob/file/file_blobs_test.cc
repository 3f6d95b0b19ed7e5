#include "blob/file/file_blobs.h"

#include <gtest/gtest.h>

#include <fstream>

#include "blob/conformance.h"

namespace hansard::blob {
namespace {

namespace fs = std::filesystem;

INSTANTIATE_TEST_SUITE_P(File, BlobConformance, testing::Values(Driver{"file", open_file_blobs}),
                         [](const auto& driver) { return std::string(driver.param.name); });

TEST(FileBlobs, WhatAnEarlierProcessDidNotFinishIsRemoved) {
  const TemporaryFolder temporary;
  const fs::path& folder = temporary;
  auto blobs = std::move(open_file_blobs(folder).value());
  auto writer = std::move(blobs->create("a").value());
  ASSERT_TRUE(writer->append("half"));
  ASSERT_TRUE(open_file_blobs(folder));  // as after a kill
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 0U);
  writer.reset();
  EXPECT_EQ(fs::status(folder).permissions() & fs::perms::all, fs::perms::owner_all);
}

}  // namespace
}  // namespace hansard::blob
