// The reading side is tested where hostile archives come in: models/import_test.cc.
#include "base/archive.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>

#include "base/file.h"
#include "base/temporary_folder.h"

namespace hansard {
namespace {

TEST(TarWriter, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> files{
      {"a.json", "{}"},
      {"empty", ""},
      {"Gespräch über 日本 😀.wav", "ü"},
      {"folder/" + std::string(150, 'x'), std::string(3'000'000, 'y')}};
  {
    const UniqueFd fd(::open((folder / "a.tar").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    TarWriter writer = TarWriter::open(fd.get()).value();
    for (const auto& [name, bytes] : files) {
      ASSERT_TRUE(writer.add(name, bytes.size(), 1'795'000'000'000));
      ASSERT_TRUE(writer.append(bytes));
    }
    ASSERT_TRUE(writer.finish());
  }
  std::map<std::string, std::string> read;
  Archive archive = Archive::open(folder / "a.tar", Archive::Format::tar, {.bytes = 1 << 22}).value();
  for (auto entry = archive.next(); entry && *entry; entry = archive.next()) {
    std::string& bytes = read[(*entry)->path];
    ASSERT_TRUE(archive.read([&](std::string_view piece) -> Result<void> {
      bytes += piece;
      return {};
    }));
    EXPECT_EQ(bytes.size(), (*entry)->size_bytes);
  }
  EXPECT_EQ(read, files);
}

TEST(TarWriter, MoreThanWasAnnouncedIsRefused) {
  const TemporaryFolder folder;
  const UniqueFd fd = open_unnamed_file(folder).value();
  TarWriter writer = TarWriter::open(fd.get()).value();
  ASSERT_TRUE(writer.add("a", 2, 0));
  EXPECT_FALSE(writer.append("three"));
}

TEST(TarWriter, AFullDiskIsSaid) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  TarWriter writer = TarWriter::open(full.get()).value();
  ASSERT_TRUE(writer.add("a", 1 << 20, 0));
  const Result<void> written = writer.append(std::string(1 << 20, 'x'));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::insufficient_storage);
}

}  // namespace
}  // namespace hansard
