// Uploads over a real store and real blobs.

#include "library/uploads.h"

#include <gtest/gtest.h>

#include "library/kept_library_test.h"

namespace hansard::library {
namespace {

class Uploads : public KeptLibrary {
 protected:
  Upload add(int64_t size_bytes, std::optional<std::string> sha256 = {}) {
    Upload wanted;
    wanted.user_id = "ann";
    wanted.name = "a.wav";
    wanted.size_bytes = size_bytes;
    wanted.sha256 = std::move(sha256);
    Upload upload;
    EXPECT_TRUE(store_->write([&](store::Transaction& transaction) -> Result<void> {
      upload = TRY(add_upload(transaction, wanted));
      return {};
    }));
    return upload;
  }
  Upload upload_now(const std::string& id) {
    std::optional<Upload> upload;
    EXPECT_TRUE(store_->read([&](store::Reader& reader) -> Result<void> {
      upload = TRY(find_upload(reader, "ann", id));
      return {};
    }));
    return upload.value_or(Upload());
  }
  Result<UploadPart> put(const Upload& upload, int64_t number, std::string_view bytes) {
    auto part = TRY(IncomingPart::begin(*blobs_, upload, number));
    TRY(part->append(bytes));
    return part->finish(*store_);
  }
  void age(const std::string& id) {
    static constexpr store::Statement kAge{"test.age", "UPDATE uploads SET created_at = 1 WHERE id = $1"};
    EXPECT_TRUE(store_->write([&](store::Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kAge, id));
      return {};
    }));
  }
};

TEST(UploadParts, AreEightMegabytesUnlessThatWereTooMany) {
  constexpr int64_t kMegabyte = 1 << 20;
  EXPECT_EQ(part_bytes_for(1), 8 * kMegabyte);
  EXPECT_EQ(part_bytes_for(80'000 * kMegabyte), 8 * kMegabyte);
  EXPECT_EQ(part_bytes_for(80'000 * kMegabyte + 1), 9 * kMegabyte);
  Upload upload;
  upload.size_bytes = 17 * kMegabyte;
  upload.part_bytes = part_bytes_for(upload.size_bytes);
  EXPECT_EQ(upload.part_count(), 3);
  EXPECT_EQ(upload.bytes_of_part(2), 8 * kMegabyte);
  EXPECT_EQ(upload.bytes_of_part(3), kMegabyte);
  upload.size_bytes = 16 * kMegabyte;
  EXPECT_EQ(upload.part_count(), 2);
  EXPECT_EQ(upload.bytes_of_part(2), 8 * kMegabyte);
}

TEST_F(Uploads, AreJoinedInTheOrderOfTheirNumbers) {
  const std::string first(8 << 20, 'a');
  const std::string last = "the end";
  Upload upload = add(static_cast<int64_t>(first.size() + last.size()), sha256_hex(first + last));
  ASSERT_TRUE(put(upload, 2, last));
  EXPECT_EQ(upload_now(upload.id).missing(), std::vector<int64_t>{1});
  const auto early = assemble(*blobs_, upload_now(upload.id));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::conflict);
  ASSERT_TRUE(put(upload, 1, first));
  const auto whole = assemble(*blobs_, upload_now(upload.id));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ((*whole)->size_bytes(), first.size() + last.size());
  EXPECT_EQ((*whole)->sha256(), sha256_hex(first + last));
}

TEST_F(Uploads, APartSentAgainTakesThePlaceOfTheFirst) {
  const Upload upload = add(4);
  ASSERT_TRUE(put(upload, 1, "1111"));
  const auto again = put(upload, 1, "2222");
  ASSERT_TRUE(again);
  const Upload now = upload_now(upload.id);
  ASSERT_EQ(now.parts.size(), 1U);
  EXPECT_EQ(now.parts[0].sha256, sha256_hex("2222"));
  EXPECT_EQ(blobs(), std::set<std::string>{again->blob});
  const auto whole = assemble(*blobs_, now);
  ASSERT_TRUE(whole);
  EXPECT_EQ((*whole)->sha256(), sha256_hex("2222"));
}

TEST_F(Uploads, AWholeWithAnotherChecksumLeavesItsPartsAlone) {
  const Upload upload = add(4, sha256_hex("good"));
  ASSERT_TRUE(put(upload, 1, "evil"));
  const auto whole = assemble(*blobs_, upload_now(upload.id));
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, ErrorCode::invalid_request);
  EXPECT_EQ(blobs().size(), 1U);
  ASSERT_TRUE(put(upload, 1, "good"));
  EXPECT_TRUE(assemble(*blobs_, upload_now(upload.id)));
}

TEST_F(Uploads, APartThatIsReplacedWhileItsWholeIsJoinedIsNoticed) {
  const Upload upload = add(4);
  ASSERT_TRUE(put(upload, 1, "1111"));
  const Upload before = upload_now(upload.id);
  ASSERT_TRUE(put(upload, 1, "2222"));
  const auto whole = assemble(*blobs_, before);
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().code, ErrorCode::conflict);
}

TEST_F(Uploads, APartOfAnUploadThatIsGoneLeavesNothing) {
  const Upload upload = add(4);
  {
    auto broken = std::move(IncomingPart::begin(*blobs_, upload, 1).value());
    ASSERT_TRUE(broken->append("11"));
  }
  EXPECT_TRUE(blobs().empty());
  ASSERT_TRUE(store_->write([&](store::Transaction& t) { return remove_upload(t, upload.id); }));
  const auto late = put(upload, 1, "1111");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::not_found);
  EXPECT_TRUE(blobs().empty());
}

TEST_F(Uploads, TheSweepLeavesPartsThatARowNames) {
  const Upload upload = add(4);
  const std::string part = put(upload, 1, "1111").value().blob;
  const std::string stray = "uploads/" + upload.id + "/1.stray";
  ASSERT_TRUE(blobs_->put(stray, "x"));
  const auto is_named = [&](const std::string& name) -> Result<bool> {
    bool named = false;
    TRY(store_->read([&](store::Reader& reader) -> Result<void> {
      named = TRY(names_blob(reader, name));
      return {};
    }));
    return named;
  };
  const auto swept = blob::Blobs::Sweep(*blobs_).remove_unnamed("uploads/", INT64_MAX, is_named);
  EXPECT_EQ(swept.value(), 1);
  EXPECT_EQ(blobs(), std::set<std::string>{part});
}

TEST_F(Uploads, OldOnesAreRemovedUnlessSomebodyWorksOnThem) {
  const Upload old = add(4);
  const Upload held = add(4);
  const Upload young = add(4);
  for (const Upload& upload : {old, held, young}) ASSERT_TRUE(put(upload, 1, "1111"));
  age(old.id);
  age(held.id);
  UploadsInWork in_work;
  {
    const auto hold = in_work.hold(held.id);
    ASSERT_TRUE(hold);
    EXPECT_FALSE(in_work.hold(held.id));
    EXPECT_EQ(remove_abandoned_uploads(*store_, *blobs_, in_work).value(), 1);
  }
  EXPECT_TRUE(upload_now(old.id).id.empty());
  EXPECT_EQ(blobs().size(), 2U);
  EXPECT_EQ(remove_abandoned_uploads(*store_, *blobs_, in_work).value(), 1);
  EXPECT_EQ(upload_now(young.id).parts.size(), 1U);
  EXPECT_EQ(blobs().size(), 1U);
}

}  // namespace
}  // namespace hansard::library
