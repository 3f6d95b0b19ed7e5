// Lists of files and transcriptions over a real store: filters, every order, and pages.

#include "library/listing.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "library/kept_library_test.h"
#include "library/transcriptions.h"

namespace hansard::library {
namespace {

using jobs::Status;
using Titles = std::vector<std::string>;

class Listing : public KeptLibrary {
 protected:
  // A file of this title; times are those of the rows.
  std::string add_file(const std::string& title, int64_t created_ms, int64_t updated_ms,
                       const std::string& kind = "audio", const std::string& status = "ready") {
    static constexpr store::Statement kTimes{
        "test.times", "UPDATE files SET created_at = $2, updated_at = $3 WHERE id = $1"};
    static constexpr store::Statement kFailed{
        "test.failed", "UPDATE files SET status = 'failed', error_code = 'X' WHERE id = $1"};
    File file;
    file.id = fmt::format("file_{}", ++files_);
    file.user_id = "ann";
    file.title = title;
    file.kind = kind;
    file.status = "ready";
    file.blob = "files/" + file.id;
    file.size_bytes = 1;
    file.sha256 = std::string(64, 'a');
    write([&](store::Transaction& transaction) -> Result<void> {
      TRY(insert_file(transaction, file));
      if (status == "failed") TRY(transaction.change(kFailed, file.id));
      TRY(transaction.change(kTimes, file.id, created_ms, updated_ms));
      return {};
    });
    return file.id;
  }
  std::string add_job(const std::string& title, const std::string& file_id) {
    std::string id;
    write([&](store::Transaction& transaction) -> Result<void> {
      id = TRY(jobs::enqueue(transaction, {.user_id = "ann", .file_id = file_id, .title = title})).id;
      return {};
    });
    return id;
  }
  // All pages of `limit`, joined. The same page is asked for by its cursor alone.
  Titles files(std::string_view sort, int64_t limit = 50, const FileFilter& filter = {}) {
    Titles titles;
    const Sort order = parse_sort(sort).value();
    for (Page page = Page::first(order, limit);;) {
      std::vector<File> found;
      read([&](store::Reader& reader) -> Result<void> {
        found = TRY(list_files(reader, "ann", filter, page));
        return {};
      });
      for (const File& file : found) titles.push_back(file.title);
      if (static_cast<int64_t>(found.size()) < limit) return titles;
      const File& last = found.back();
      page.after_id = last.id;
      if (order.by == SortBy::title) {
        page.after_key = last.title;
      } else {
        page.after_key = order.by == SortBy::created_at ? last.created_at_ms : last.updated_at_ms;
      }
      page = parse_cursor(make_cursor(page), order, limit).value();
    }
  }
  Titles transcriptions(const TranscriptionFilter& filter) {
    Titles titles;
    read([&](store::Reader& reader) -> Result<void> {
      const auto found =
          TRY(list_transcriptions(reader, "ann", filter, Page::first(parse_sort("title").value(), 50)));
      for (const jobs::Job& job : found) titles.push_back(job.title);
      return {};
    });
    return titles;
  }

 private:
  int files_ = 0;
};

TEST_F(Listing, FilesComeInEveryOrderAndOnPagesOfAnySize) {
  add_file("b", 30, 100);
  add_file("c", 10, 300);
  add_file("a", 20, 200);
  for (const int64_t limit : {1, 2, 3, 50}) {
    EXPECT_EQ(files("created_at", limit), (Titles{"c", "a", "b"})) << limit;
    EXPECT_EQ(files("-created_at", limit), (Titles{"b", "a", "c"})) << limit;
    EXPECT_EQ(files("updated_at", limit), (Titles{"b", "a", "c"})) << limit;
    EXPECT_EQ(files("-updated_at", limit), (Titles{"c", "a", "b"})) << limit;
    EXPECT_EQ(files("title", limit), (Titles{"a", "b", "c"})) << limit;
    EXPECT_EQ(files("-title", limit), (Titles{"c", "b", "a"})) << limit;
  }
}

TEST_F(Listing, WhatIsEqualInTheOrderIsOnOnePageEach) {
  for (int i = 0; i < 7; ++i) add_file("same", 10, 10);
  for (const char* sort : {"created_at", "-updated_at", "title", "-title"}) {
    EXPECT_EQ(files(sort, 2).size(), 7U) << sort;
  }
}

TEST_F(Listing, FilesAreFilteredByTitleKindAndStatus) {
  add_file("Team sync", 1, 1);
  add_file("team 100%", 2, 2, "video");
  add_file("Écoute", 3, 3, "audio", "failed");
  EXPECT_EQ(files("created_at", 50, {.title_part = "TEAM"}), (Titles{"Team sync", "team 100%"}));
  EXPECT_EQ(files("created_at", 50, {.title_part = "0%"}), Titles{"team 100%"});
  EXPECT_EQ(files("created_at", 50, {.title_part = "%"}), Titles{"team 100%"});
  EXPECT_EQ(files("created_at", 50, {.title_part = "_"}), Titles{});
  EXPECT_EQ(files("created_at", 50, {.title_part = "éCO"}), Titles{"Écoute"});
  EXPECT_EQ(files("created_at", 50, {.kind = "video"}), Titles{"team 100%"});
  EXPECT_EQ(files("created_at", 50, {.status = "failed"}), Titles{"Écoute"});
  EXPECT_EQ(files("created_at", 1, {.title_part = "team", .kind = "audio"}), Titles{"Team sync"});
}

TEST_F(Listing, WhatIsInTheTrashOrAnothersIsNotListed) {
  const std::string id = add_file("a", 1, 1);
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(trash_file(transaction, "ann", id));
    return {};
  });
  EXPECT_EQ(files("title"), Titles{});
  read([&](store::Reader& reader) -> Result<void> {
    EXPECT_TRUE(TRY(list_files(reader, "bob", {}, Page::first({}, 50))).empty());
    return {};
  });
}

TEST_F(Listing, TranscriptionsAreFilteredByTitleStatusAndChange) {
  static constexpr store::Statement kUpdated{"test.updated",
                                             "UPDATE transcriptions SET updated_at = $2 WHERE id = $1"};
  const std::string file = add_file("a", 1, 1);
  const std::string early = add_job("Early talk", file);
  const std::string late = add_job("late talk", file);
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(jobs::cancel(transaction, late));
    TRY(transaction.change(kUpdated, early, 1000));
    TRY(transaction.change(kUpdated, late, 2000));
    return {};
  });
  EXPECT_EQ(transcriptions({}), (Titles{"Early talk", "late talk"}));
  EXPECT_EQ(transcriptions({.title_part = "LATE"}), Titles{"late talk"});
  EXPECT_EQ(transcriptions({.status = Status::queued}), Titles{"Early talk"});
  EXPECT_EQ(transcriptions({.status = Status::canceled}), Titles{"late talk"});
  EXPECT_EQ(transcriptions({.updated_after_ms = 999}), (Titles{"Early talk", "late talk"}));
  EXPECT_EQ(transcriptions({.updated_after_ms = 1000}), Titles{"late talk"});
  EXPECT_EQ(transcriptions({.updated_after_ms = 2000}), Titles{});
}

TEST(Cursor, IsOfOneOrderAlone) {
  Page page = Page::first({SortBy::title, false}, 10);
  page.after_key = "a|b";
  page.after_id = "file_1";
  const std::string cursor = make_cursor(page);
  const auto read = parse_cursor(cursor, {SortBy::title, false}, 10);
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<std::string>(read->after_key), "a|b");
  EXPECT_EQ(read->after_id, "file_1");
  EXPECT_FALSE(parse_cursor(cursor, {SortBy::title, true}, 10));
  EXPECT_FALSE(parse_cursor(cursor, {SortBy::created_at, false}, 10));
  EXPECT_FALSE(parse_cursor(cursor.substr(1), {SortBy::title, false}, 10));
  for (const char* none : {"", "zz", "00", "7c7c"}) {
    EXPECT_FALSE(parse_cursor(none, {SortBy::created_at, true}, 10)) << none;
  }
}

}  // namespace
}  // namespace hansard::library
