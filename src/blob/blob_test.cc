// The cases that every driver of the blobs must pass.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "base/clock.h"
#include "base/file.h"
#include "blob/conformance.h"

namespace hansard::blob {
namespace {

std::string bytes_of(Blobs& blobs, std::string_view name) {
  Result<UniqueFd> fd = blobs.open(name);
  if (!fd) return "(" + std::string(error_code_name(fd.error().code)) + ")";
  struct stat status = {};
  EXPECT_EQ(::fstat(fd->get(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  EXPECT_TRUE(read_at(fd->get(), 0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

std::set<std::string> names_of(Blobs& blobs, std::string_view prefix) {
  std::set<std::string> names;
  EXPECT_TRUE(blobs.list(prefix, [&](const Found& found) { names.insert(found.name); }));
  return names;
}

TEST(BlobName, HasNoWayOut) {
  for (const char* name : {"a", "files/file_01.x", "transcripts/tr_1/2.json"})
    EXPECT_TRUE(is_blob_name(name)) << name;
  for (const char* name : {"", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "A", "a b", "a\n"})
    EXPECT_FALSE(is_blob_name(name)) << name;
  EXPECT_FALSE(is_blob_name(std::string_view("a\0b", 3)));
}

}  // namespace

TEST_P(BlobConformance, ABlobIsThereOnceItIsCommittedAndNotBefore) {
  auto writer = std::move(blobs_->create("files/a").value());
  ASSERT_TRUE(writer->append("one "));
  ASSERT_TRUE(writer->append("two"));
  EXPECT_EQ(bytes_of(*blobs_, "files/a"), "(NOT_FOUND)");
  ASSERT_TRUE(writer->commit());
  EXPECT_EQ(bytes_of(*blobs_, "files/a"), "one two");
  open();
  EXPECT_EQ(bytes_of(*blobs_, "files/a"), "one two");
}

TEST_P(BlobConformance, AWriteThatIsGivenUpLeavesNothing) {
  ASSERT_TRUE(blobs_->create("files/a").value()->append("x"));
  EXPECT_EQ(bytes_of(*blobs_, "files/a"), "(NOT_FOUND)");
  EXPECT_TRUE(names_of(*blobs_, "").empty());
}

TEST_P(BlobConformance, AnEmptyBlobAndOneOfThreeMegabytes) {
  ASSERT_TRUE(blobs_->put("a", ""));
  EXPECT_EQ(bytes_of(*blobs_, "a"), "");
  const std::string large(3U << 20, 'x');
  ASSERT_TRUE(blobs_->put("b", large));
  EXPECT_EQ(bytes_of(*blobs_, "b"), large);
}

TEST_P(BlobConformance, ACommitReplaces) {
  ASSERT_TRUE(blobs_->put("a/b", "1"));
  Result<UniqueFd> old = blobs_->open("a/b");
  ASSERT_TRUE(blobs_->put("a/b", "2"));
  EXPECT_EQ(bytes_of(*blobs_, "a/b"), "2");
  char byte = 0;
  ASSERT_EQ(::pread(old->get(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, '1');  // who had it open reads what was there
}

TEST_P(BlobConformance, RemovingTwiceIsNoError) {
  ASSERT_TRUE(blobs_->put("a/b", "1"));
  ASSERT_TRUE(blobs_->remove("a/b"));
  ASSERT_TRUE(blobs_->remove("a/b"));
  EXPECT_EQ(bytes_of(*blobs_, "a/b"), "(NOT_FOUND)");
}

TEST_P(BlobConformance, WhatIsHeldStaysUntilTheLastLetsGo) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(blobs_->put(name, "1"));
  auto first = std::make_unique<Blobs::Hold>(*blobs_);
  auto second = std::make_unique<Blobs::Hold>(*blobs_);
  ASSERT_TRUE(blobs_->remove("a"));
  ASSERT_TRUE(blobs_->remove("a"));
  ASSERT_TRUE(blobs_->remove("b"));
  ASSERT_TRUE(blobs_->put("b", "2"));
  first.reset();
  EXPECT_EQ(bytes_of(*blobs_, "a"), "1");
  second.reset();
  EXPECT_EQ(bytes_of(*blobs_, "a"), "(NOT_FOUND)");
  EXPECT_EQ(bytes_of(*blobs_, "b"), "2");  // another blob than the one that was removed
  EXPECT_EQ(bytes_of(*blobs_, "c"), "1");
  ASSERT_TRUE(blobs_->remove("c"));
  EXPECT_EQ(bytes_of(*blobs_, "c"), "(NOT_FOUND)");
}

TEST_P(BlobConformance, AListNamesWhatBeginsSo) {
  for (const char* name : {"files/a", "files/b/c", "transcripts/a"}) ASSERT_TRUE(blobs_->put(name, "xyz"));
  EXPECT_EQ(names_of(*blobs_, ""), (std::set<std::string>{"files/a", "files/b/c", "transcripts/a"}));
  EXPECT_EQ(names_of(*blobs_, "files/"), (std::set<std::string>{"files/a", "files/b/c"}));
  ASSERT_TRUE(blobs_->list("transcripts/", [](const Found& found) {
    EXPECT_EQ(found.size_bytes, 3U);
    EXPECT_NEAR(static_cast<double>(found.modified_ms), static_cast<double>(system_now_ms()), 60'000);
  }));
}

TEST_P(BlobConformance, TheSweepTakesWhatIsOldAndUnnamedAlone) {
  for (const char* name : {"files/named", "files/orphan", "transcripts/orphan"})
    ASSERT_TRUE(blobs_->put(name, "x"));
  const auto named = [](const std::string& name) -> Result<bool> { return name == "files/named"; };
  Blobs::Sweep sweep(*blobs_);
  EXPECT_EQ(sweep.remove_unnamed("files/", system_now_ms() - 60'000, named).value(), 0);
  EXPECT_EQ(sweep.remove_unnamed("files/", system_now_ms() + 60'000, named).value(), 1);
  EXPECT_EQ(names_of(*blobs_, ""), (std::set<std::string>{"files/named", "transcripts/orphan"}));
}

TEST_P(BlobConformance, ASweepThatCannotAskRemovesNothing) {
  ASSERT_TRUE(blobs_->put("files/a", "x"));
  const auto broken = [](const std::string&) -> Result<bool> {
    return fail(ErrorCode::internal, "no database");
  };
  EXPECT_FALSE(Blobs::Sweep(*blobs_).remove_unnamed("files/", system_now_ms() + 60'000, broken));
  EXPECT_EQ(bytes_of(*blobs_, "files/a"), "x");
}

TEST_P(BlobConformance, ASweepSparesWhatIsCreatedMeanwhile) {
  ASSERT_TRUE(blobs_->put("files/old", "x"));
  {
    Blobs::Sweep sweep(*blobs_);
    ASSERT_TRUE(blobs_->put("files/new", "x"));
    const auto none = [&](const std::string& name) -> Result<bool> {
      // An upload that is completed again, after a crash had left its blob without a row.
      if (name == "files/old") TRY(blobs_->put(name, "again"));
      return false;
    };
    EXPECT_EQ(sweep.remove_unnamed("files/", INT64_MAX, none).value(), 0);
  }
  EXPECT_EQ(bytes_of(*blobs_, "files/old"), "again");
  EXPECT_EQ(bytes_of(*blobs_, "files/new"), "x");
  const auto none = [](const std::string&) -> Result<bool> { return false; };
  EXPECT_EQ(Blobs::Sweep(*blobs_).remove_unnamed("files/", INT64_MAX, none).value(), 2);
}

}  // namespace hansard::blob
