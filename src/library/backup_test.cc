// Backups of a real database and real blobs, and what becomes of those that are broken, foreign or too new.
#include "library/backup.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/archive.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "blob/file/file_blobs.h"
#include "library/files.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::library {
namespace {

namespace fs = std::filesystem;
using store::Reader;
using store::Statement;
using store::Transaction;

const BackupProgress kQuietly = [](double) { return Result<void>(); };

class Backup : public testing::Test {
 protected:
  Backup() {
    fs::create_directories(folder_ / "work");
    fs::create_directories(folder_ / "new");
    store_ = std::move(store::open_sqlite(folder_ / "hansard.db", {}).value());
    blobs_ = std::move(blob::open_file_blobs(folder_ / "blobs").value());
    static constexpr Statement kUser{"test.user",
                                     "INSERT INTO users (id, username, role, created_at, updated_at) VALUES "
                                     "('user_1', 'local', 'admin', 1, 1)"};
    EXPECT_TRUE(store_->write([](Transaction& t) -> Result<void> {
      TRY(t.change(kUser));
      return {};
    }));
    keep("file_1", "one");
    keep("file_2", std::string(1'000'000, 'x'));
  }

  void keep(const std::string& id, const std::string& bytes) {
    EXPECT_TRUE(blobs_->put("files/" + id, bytes));
    File file;
    file.id = id;
    file.user_id = "user_1";
    file.title = id;
    file.kind = "audio";
    file.status = "ready";
    file.blob = "files/" + id;
    file.size_bytes = static_cast<int64_t>(bytes.size());
    file.sha256 = sha256_hex(bytes);
    EXPECT_TRUE(store_->write([&](Transaction& t) { return insert_file(t, file); }));
  }

  void purge(const std::string& id) {
    EXPECT_TRUE(store_->write([&](Transaction& t) -> Result<void> {
      TRY(purge_file(t, "user_1", id));
      return {};
    }));
    EXPECT_TRUE(blobs_->remove("files/" + id));
  }

  Result<BackupSummary> write(const BackupProgress& progress = kQuietly) {
    const UniqueFd fd(::open(file().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    return write_backup(*store_, *blobs_, folder_ / "work", fd.get(), progress);
  }

  Result<BackupSummary> read(const BackupProgress& progress = kQuietly) {
    fs::remove_all(folder_ / "new");
    fs::create_directories(folder_ / "new");
    const auto blobs = blob::open_file_blobs(folder_ / "new/blobs").value();
    return read_backup(file(), folder_ / "new/hansard.db", *blobs, progress);
  }

  std::string restored(const std::string& blob) const {
    return read_file(folder_ / "new/blobs" / blob, 1 << 22).value_or("(missing)");
  }

  // The files of the backup, which rewrite() writes again as they are given.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> files;
    Archive archive = Archive::open(file(), Archive::Format::tar, {.bytes = 1 << 26}).value();
    for (auto entry = archive.next().value(); entry; entry = archive.next().value()) {
      EXPECT_TRUE(archive.read([&](std::string_view bytes) -> Result<void> {
        files[entry->path] += bytes;
        return {};
      }));
    }
    return files;
  }
  void rewrite(const std::vector<std::pair<std::string, std::string>>& files) const {
    const UniqueFd fd(::open(file().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    TarWriter tar = TarWriter::open(fd.get()).value();
    for (const auto& [name, bytes] : files) {
      ASSERT_TRUE(tar.add(name, bytes.size(), 0));
      ASSERT_TRUE(tar.append(bytes));
    }
    ASSERT_TRUE(tar.finish());
  }

  fs::path file() const { return folder_ / "backup.tar"; }
  bool workspace_is_empty() const { return fs::is_empty(folder_ / "work"); }

  const TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<blob::Blobs> blobs_;
};

TEST_F(Backup, WhatWasThereIsThereAgain) {
  ASSERT_TRUE(blobs_->put("files/unnamed", "of an upload that goes on"));
  double last = 0;
  const Result<BackupSummary> written = write([&](double fraction) -> Result<void> {
    EXPECT_GE(fraction, last);
    last = fraction;
    return {};
  });
  ASSERT_TRUE(written) << written.error().message << written.error().detail;
  EXPECT_EQ(written->blobs, 2);
  EXPECT_EQ(written->missing, 0);
  EXPECT_GT(last, 0.9);
  EXPECT_TRUE(workspace_is_empty());

  const Result<BackupSummary> read_back = read();
  ASSERT_TRUE(read_back) << read_back.error().message << read_back.error().detail;
  EXPECT_EQ(read_back->created_at, written->created_at);
  EXPECT_EQ(read_back->size_bytes, written->size_bytes);
  EXPECT_EQ(restored("files/file_1"), "one");
  EXPECT_EQ(restored("files/file_2"), std::string(1'000'000, 'x'));
  EXPECT_EQ(restored("files/unnamed"), "(missing)");
  const auto store = store::open_sqlite(folder_ / "new/hansard.db", {}).value();
  EXPECT_TRUE(store->read([](Reader& reader) -> Result<void> {
    EXPECT_EQ(TRY(named_blobs(reader, "")), (std::vector<std::string>{"files/file_1", "files/file_2"}));
    return {};
  }));
}

TEST_F(Backup, WhatIsErasedOrComesWhileItIsMadeChangesNothingInIt) {
  bool done = false;
  const Result<BackupSummary> written = write([&](double) -> Result<void> {
    if (done) return {};
    done = true;
    purge("file_1");
    purge("file_2");
    keep("file_3", "three");
    return {};
  });
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->blobs, 2);
  EXPECT_EQ(written->missing, 0);
  // Erased is erased, once the backup is made.
  EXPECT_FALSE(blobs_->open("files/file_1"));
  EXPECT_TRUE(blobs_->open("files/file_3"));
  ASSERT_TRUE(read());
  EXPECT_EQ(restored("files/file_1"), "one");
  EXPECT_EQ(restored("files/file_3"), "(missing)");
}

TEST_F(Backup, TheBlobsThatAreNamedComeInPages) {
  static constexpr Statement kFile{"test.file",
                                   "INSERT INTO files (id, user_id, title, kind, status, blob, size_bytes, "
                                   "sha256, created_at, updated_at) SELECT $1, user_id, title, kind, status, "
                                   "$2, size_bytes, sha256, 1, 1 FROM files WHERE id = 'file_1'"};
  static constexpr Statement kUpload{"test.upload",
                                     "INSERT INTO uploads (id, user_id, name, size_bytes, part_bytes, "
                                     "created_at) VALUES ('up_1', 'user_1', 'a', 9, 9, 1)"};
  static constexpr Statement kPart{"test.part",
                                   "INSERT INTO upload_parts (upload_id, number, blob, size_bytes, sha256) "
                                   "VALUES ('up_1', 1, 'uploads/up_1/1.a', 9, 'x')"};
  std::set<std::string> expected{"files/file_1", "files/file_2", "uploads/up_1/1.a"};
  ASSERT_TRUE(store_->write([&](Transaction& t) -> Result<void> {
    TRY(t.change(kUpload));
    TRY(t.change(kPart));
    for (int i = 0; i < 1200; ++i) {
      const std::string id = "many_" + std::to_string(i);
      TRY(t.change(kFile, id, "files/" + id));
      expected.insert("files/" + id);
    }
    return {};
  }));
  std::vector<std::string> found;
  ASSERT_TRUE(store_->read([&](Reader& reader) -> Result<void> {
    for (std::vector<std::string> page = TRY(named_blobs(reader, "")); !page.empty();
         page = TRY(named_blobs(reader, page.back()))) {
      for (const std::string& name : page) EXPECT_TRUE(TRY(names_blob(reader, name))) << name;
      found.insert(found.end(), page.begin(), page.end());
    }
    return {};
  }));
  EXPECT_EQ(found, std::vector<std::string>(expected.begin(), expected.end()));
}

TEST_F(Backup, ABlobThatWasLostBeforeIsCountedAndTheRestIsSaved) {
  fs::remove(folder_ / "blobs/files/file_1");
  const Result<BackupSummary> written = write();
  ASSERT_TRUE(written);
  EXPECT_EQ(written->missing, 1);
  EXPECT_EQ(written->blobs, 1);
  EXPECT_TRUE(read());
}

TEST_F(Backup, WhoeverWaitsCanEndIt) {
  const auto stop = [](double) -> Result<void> { return fail(ErrorCode::canceled, "interrupted"); };
  EXPECT_EQ(write(stop).error().code, ErrorCode::canceled);
  EXPECT_TRUE(workspace_is_empty());
  purge("file_1");  // nothing is held any more
  EXPECT_FALSE(fs::exists(folder_ / "blobs/files/file_1"));
  ASSERT_TRUE(write());
  EXPECT_EQ(read(stop).error().code, ErrorCode::canceled);
}

TEST_F(Backup, AFullDiskIsSaid) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const auto written = write_backup(*store_, *blobs_, folder_ / "work", full.get(), kQuietly);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::insufficient_storage);
  EXPECT_TRUE(workspace_is_empty());
}

TEST_F(Backup, EveryCutIsNoticed) {
  ASSERT_TRUE(write());
  const uint64_t size = fs::file_size(file());
  const std::string bytes = read_file(file(), 1 << 26).value();
  for (uint64_t cut = 0; cut < size - 1024; cut += size / 37) {
    ASSERT_TRUE(write_file_atomically(file(), bytes.substr(0, cut), Sync::no));
    const auto result = read();
    ASSERT_FALSE(result) << cut;
    EXPECT_EQ(result.error().code, ErrorCode::invalid_request) << cut;
    EXPECT_NE(result.error().message.find("backup"), std::string::npos) << result.error().message;
  }
}

TEST_F(Backup, EveryChangedByteOfItsFilesIsNoticed) {
  ASSERT_TRUE(write());
  const auto files = contents();
  const auto in_order = [](std::map<std::string, std::string> changed) {
    std::vector<std::pair<std::string, std::string>> result;
    for (const char* name :
         {"hansard-backup.json", "hansard.db", "blobs/files/file_1", "blobs/files/file_2", "SHA256SUMS"}) {
      result.emplace_back(name, changed.at(name));
    }
    return result;
  };
  rewrite(in_order(files));
  ASSERT_TRUE(read()) << "as it was";
  for (const auto& [name, bytes] : files) {
    auto changed = files;
    changed[name].back() ^= 1;
    rewrite(in_order(changed));
    const auto result = read();
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, ErrorCode::invalid_request) << name;
  }
  // A file too few, and one too many.
  auto order = in_order(files);
  order.erase(order.begin() + 2);
  rewrite(order);
  EXPECT_FALSE(read());
  order = in_order(files);
  order.insert(order.begin() + 2, {"blobs/../../escaped", "x"});
  rewrite(order);
  EXPECT_FALSE(read());
  EXPECT_FALSE(fs::exists(folder_ / "escaped"));
}

TEST_F(Backup, WhatIsNoneOrTooNewIsRefusedBeforeAnythingIsWritten) {
  const auto refusal = [&](const std::string& facts) {
    rewrite({{"hansard-backup.json", facts}, {"hansard.db", "x"}, {"SHA256SUMS", "x"}});
    const auto result = read();
    EXPECT_FALSE(result);
    EXPECT_FALSE(fs::exists(folder_ / "new/hansard.db"));
    return result ? Error() : result.error();
  };
  EXPECT_EQ(refusal(R"({"format":2,"schema":1,"created_at":"x"})").code, ErrorCode::conflict);
  const Error newer = refusal(R"({"format":1,"schema":9999,"created_at":"x"})");
  EXPECT_EQ(newer.code, ErrorCode::conflict);
  EXPECT_NE(newer.message.find("newer Hansard"), std::string::npos);
  for (const char* facts : {"", "[]", R"({"format":1})", R"({"format":"1","schema":1,"created_at":"x"})"})
    EXPECT_EQ(refusal(facts).message, "this is no backup that hansard backup made") << facts;
  rewrite({{"other.txt", "x"}});
  EXPECT_EQ(read().error().message, "this is no backup that hansard backup made");
  ASSERT_TRUE(write_file_atomically(file(), "no tar at all", Sync::no));
  EXPECT_EQ(read().error().message, "this is no backup that hansard backup made");
  fs::remove(file());
  EXPECT_EQ(read().error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace hansard::library
