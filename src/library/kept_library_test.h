// For tests: a store and blobs in a temporary folder, one user, and recordings in them.
#pragma once

#include <gtest/gtest.h>

#include <semaphore>
#include <set>
#include <string>

#include "base/temporary_folder.h"
#include "blob/file/file_blobs.h"
#include "jobs/state.h"
#include "library/files.h"
#include "store/relay.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::library {

class KeptLibrary : public testing::Test {
 protected:
  KeptLibrary() {
    store_->listen([this](const store::Notice& notice) { relay_.notice(notice); });
    add_user("ann");
  }

  void add_user(std::string_view id) const {
    static constexpr store::Statement kUser{
        "test.user",
        "INSERT INTO users (id, username, role, created_at, updated_at) VALUES ($1, $1, 'user', 1, 1)"};
    write([&](store::Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kUser, id));
      return {};
    });
  }

  void write(const store::Store::Work& work) const {
    const auto written = store_->write(work);
    ASSERT_TRUE(written) << written.error().message << " " << written.error().detail;
  }
  void read(const std::function<Result<void>(store::Reader&)>& work) const {
    const auto done = store_->read(work);
    ASSERT_TRUE(done) << done.error().message << " " << done.error().detail;
  }
  // Hands in a recording, as an upload does.
  Result<File> hand_in(std::string_view bytes,
                       std::chrono::milliseconds patience = limits::kUploadProbeTime) const {
    auto incoming = TRY(Incoming::begin(*blobs_, store_->now_ms()));
    TRY(incoming->append(bytes));
    File file = TRY(incoming->finish("ann", "", "a.wav", patience));
    TRY(store_->write([&](store::Transaction& transaction) { return insert_file(transaction, file); }));
    incoming->keep();
    return file;
  }
  File found(const std::string& id) const {
    std::optional<File> file;
    read([&](store::Reader& reader) -> Result<void> {
      file = TRY(find_file(reader, "ann", id));
      return {};
    });
    return file.value_or(File());
  }
  // Names of the blobs that are there.
  std::set<std::string> blobs() const {
    std::set<std::string> names;
    EXPECT_TRUE(blobs_->list("", [&](const blob::Found& one) { names.insert(one.name); }));
    return names;
  }

  const TemporaryFolder folder_;
  store::Relay relay_;
  std::unique_ptr<store::Store> store_ = std::move(store::open_sqlite(folder_ / "test.db", {}).value());
  std::unique_ptr<blob::Blobs> blobs_ = std::move(blob::open_file_blobs(folder_ / "blobs").value());
};

}  // namespace hansard::library
