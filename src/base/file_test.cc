#include "base/file.h"

#include "base/temporary_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace hansard {
namespace {

namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  fs::path write(const std::string& name, std::string_view bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  std::ptrdiff_t files() const { return std::distance(fs::directory_iterator(folder_), {}); }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_;
};

// Makes every write beyond `size_bytes` of a file fail, as on a full disk, for the life of the object.
class FullDisk {
 public:
  explicit FullDisk(rlim_t size_bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const struct rlimit small = {size_bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  struct rlimit before_ = {};
  sighandler_t handler_;
};

TEST_F(File, IsReadWholeUpToALimit) {
  const fs::path path = write("file", std::string(200'000, 'x'));
  EXPECT_EQ(read_file(path, 200'000)->size(), 200'000U);
  EXPECT_EQ(read_file(path, 199'999).error().code, ErrorCode::invalid_request);
  EXPECT_EQ(read_file(folder_ / "absent", 10).error().code, ErrorCode::not_found);
  EXPECT_FALSE(read_file(folder_, 10));
}

TEST_F(File, IsReadInPlaces) {
  const UniqueFd fd = open_for_read(write("file", "0123456789")).value();
  EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  std::array<std::byte, 4> bytes{};
  ASSERT_TRUE(read_at(fd.get(), 3, bytes));
  EXPECT_EQ(static_cast<char>(bytes[0]), '3');
  EXPECT_EQ(static_cast<char>(bytes[3]), '6');
  EXPECT_FALSE(read_at(fd.get(), 7, bytes));
}

TEST_F(File, IsReadInPieces) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += std::to_string(i);
  const UniqueFd fd = open_for_read(write("file", bytes)).value();
  std::string read;
  size_t pieces = 0;
  const auto take = [&](std::string_view piece) -> Result<void> {
    read += piece;
    ++pieces;
    return {};
  };
  ASSERT_TRUE(read_pieces(fd.get(), bytes.size(), take));
  EXPECT_EQ(read, bytes);
  EXPECT_GT(pieces, 1U);
  read.clear();
  ASSERT_TRUE(read_pieces(fd.get(), 0, take));
  EXPECT_TRUE(read.empty());
  EXPECT_FALSE(read_pieces(fd.get(), bytes.size() + 1, take));
  pieces = 0;
  const auto refuse = [&](std::string_view) -> Result<void> {
    ++pieces;
    return fail(ErrorCode::conflict, "enough");
  };
  EXPECT_EQ(read_pieces(fd.get(), bytes.size(), refuse).error().code, ErrorCode::conflict);
  EXPECT_EQ(pieces, 1U);
}

TEST_F(File, IsReplacedAtOnce) {
  const fs::path path = write("file", "before");
  const UniqueFd old = open_for_read(path).value();
  ASSERT_TRUE(write_file_atomically(path, "after", Sync::yes));
  EXPECT_EQ(read_file(path, 100).value(), "after");
  std::array<std::byte, 6> bytes{};
  EXPECT_TRUE(read_at(old.get(), 0, bytes));  // who has it open reads on
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600));
  EXPECT_EQ(files(), 1);
}

TEST_F(File, ModeIsLessTheUmask) {
  const mode_t before = ::umask(0022);
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "x", Sync::no, 0666));
  ::umask(before);
  EXPECT_EQ(fs::status(folder_ / "file").permissions(), fs::perms(0644));
}

TEST_F(File, NameMayBeTheLongest) {
  ASSERT_TRUE(write_file_atomically(folder_ / std::string(255, 'n'), "x", Sync::no));
  EXPECT_FALSE(write_file_atomically(folder_ / std::string(256, 'n'), "x", Sync::no));
  EXPECT_EQ(files(), 1);
}

TEST_F(File, FailedWriteLeavesAllAsItWas) {
  const fs::path path = write("file", "before");
  {
    const FullDisk full(10);
    const Result<void> written = write_file_atomically(path, std::string(100, 'x'), Sync::no);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::insufficient_storage);
  }
  EXPECT_EQ(read_file(path, 100).value(), "before");
  fs::create_directory(folder_ / "folder");
  EXPECT_FALSE(write_file_atomically(folder_ / "folder", "x", Sync::no));
  EXPECT_EQ(files(), 2);
  EXPECT_EQ(write_file_atomically(folder_ / "absent" / "file", "x", Sync::no).error().code,
            ErrorCode::not_found);
}

TEST_F(File, ManyWritersLeaveOneWholeFile) {
  const fs::path path = folder_ / "file";
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&, i] {
      for (int n = 0; n < 20; ++n) {
        EXPECT_TRUE(write_file_atomically(path, std::string(10'000, static_cast<char>('a' + i)), Sync::no));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string bytes = read_file(path, 1 << 20).value();
  EXPECT_EQ(bytes, std::string(10'000, bytes[0]));
  EXPECT_EQ(files(), 1);
}

TEST_F(File, WritesToAPipeThatFillsUp) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  const std::string bytes(1 << 20, 'x');
  std::thread writer([&] {
    EXPECT_TRUE(write_all(write_end.get(), bytes));
    write_end.reset();
  });
  size_t total = 0;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;)
    total += static_cast<size_t>(n);
  writer.join();
  EXPECT_EQ(total, bytes.size());
}

TEST_F(File, PrivateFoldersAreMadeWithTheirParents) {
  const mode_t before = ::umask(0);
  ASSERT_TRUE(make_private_folder(folder_ / "a" / "b" / "c"));
  ::umask(before);
  EXPECT_EQ(fs::status(folder_ / "a").permissions(), fs::perms(0700));
  EXPECT_EQ(fs::status(folder_ / "a/b/c").permissions(), fs::perms(0700));
  EXPECT_TRUE(make_private_folder(folder_ / "a" / "b" / "c"));
  EXPECT_TRUE(make_private_folder(folder_ / "d" / "e" / ""));
  write("file", "");
  EXPECT_EQ(make_private_folder(folder_ / "file").error().code, ErrorCode::conflict);
  EXPECT_FALSE(make_private_folder(folder_ / "file" / "below"));
}

TEST_F(File, UnnamedFilesHaveNoName) {
  const UniqueFd fd = open_unnamed_file(folder_).value();
  EXPECT_EQ(files(), 0);
  ASSERT_TRUE(write_all(fd.get(), "text"));
  std::array<std::byte, 4> bytes{};
  EXPECT_TRUE(read_at(fd.get(), 0, bytes));
  EXPECT_EQ(open_unnamed_file(folder_ / "absent").error().code, ErrorCode::not_found);
}

TEST_F(File, RoomIsMeasured) {
  EXPECT_GT(free_bytes(folder_).value(), 0U);
  EXPECT_EQ(free_bytes(folder_ / "absent").error().code, ErrorCode::not_found);
}

TEST_F(File, WhatAKilledWriteLeftIsRemovedAndNothingElse) {
  write(".hansard-0123456789abcdef.tmp", "cut off");
  write(".hansard-note", "mine");
  const fs::path in_work = write(".hansard-fedcba9876543210.tmp", "in work");
  const UniqueFd fd(::open(in_work.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(fd.get(), LOCK_SH), 0);
  remove_cut_off_writes(folder_);
  EXPECT_FALSE(fs::exists(folder_ / ".hansard-0123456789abcdef.tmp"));
  EXPECT_TRUE(fs::exists(in_work));
  EXPECT_EQ(files(), 2);
}

TEST_F(File, WritesAndWhoTidiesUpAfterThemDoNoHarmToEachOther) {
  std::jthread tidy([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) remove_cut_off_writes(folder_);
  });
  for (int i = 0; i < 50; ++i) {
    const Result<void> written = write_file_atomically(folder_ / "file", std::string(10'000, 'x'), Sync::no);
    ASSERT_TRUE(written) << written.error().message;
  }
  EXPECT_EQ(read_file(folder_ / "file", 20'000)->size(), 10'000U);
}

}  // namespace
}  // namespace hansard
