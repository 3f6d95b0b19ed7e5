#include "http/multipart.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/limits.h"

namespace hansard::http {
namespace {

// Writes down what it is told.
class Recorder : public PartHandler {
 public:
  Outcome<void> begin(const Part& part) override {
    text += fmt::format("[{}|{}|{}]", part.name, part.file_name, part.content_type);
    return {};
  }
  Outcome<void> data(std::string_view bytes) override {
    text += bytes;
    return {};
  }
  Outcome<void> end() override {
    text += "$";
    return {};
  }
  std::string text;
};

constexpr std::string_view kBody =
    "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nTeam sync\r\n"
    "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: "
    "audio/wav\r\n\r\n"
    "\r\n--Bytes\r\n-\r\n--b--\r\nepilogue";

int parse(std::string_view body, size_t piece, Recorder& recorder) {
  MultipartParser parser("b", recorder);
  for (size_t at = 0; at < body.size(); at += piece) {
    if (const auto taken = parser.take(body.substr(at, piece)); !taken) return taken.error().status;
  }
  const auto finished = parser.finish();
  return finished ? 200 : finished.error().status;
}

int parse(std::string_view body) {
  Recorder recorder;
  return parse(body, body.size() + 1, recorder);
}

TEST(Multipart, ReadsTheSameHoweverTheBytesAreCut) {
  for (size_t piece = 1; piece < kBody.size(); ++piece) {
    Recorder recorder;
    EXPECT_EQ(parse(kBody, piece, recorder), 200) << piece;
    EXPECT_EQ(recorder.text, "[title||]Team sync$[file|a \"b\".wav|audio/wav]\r\n--Bytes\r\n-$") << piece;
  }
}

TEST(Multipart, EmptyPartsAndPartsWithoutBytesAreRead) {
  Recorder recorder;
  EXPECT_EQ(parse("--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n--b--", 3, recorder), 200);
  EXPECT_EQ(recorder.text, "[x||]$");
}

TEST(Multipart, WhatBreaksOffIsRefused) {
  for (size_t size = 0; size < kBody.find("--b--") + 5; ++size)
    EXPECT_EQ(parse(kBody.substr(0, size)), 400) << size;
}

TEST(Multipart, WhatIsNotWellFormedIsRefused) {
  EXPECT_EQ(parse("--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--"), 400);
  EXPECT_EQ(parse("--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"), 400);
  EXPECT_EQ(parse("--b\r\nno colon\r\n\r\nx\r\n--b--"), 400);
  EXPECT_EQ(parse("--bad\r\n\r\n"), 400);
  EXPECT_EQ(parse(std::string(limits::kPartHeaderBytes + 1000, 'x')), 400);
}

TEST(Multipart, PartsAndTheirHeadersAreBounded) {
  std::string many;
  for (int i = 0; i <= limits::kMultipartParts; ++i) {
    many += "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n";
  }
  EXPECT_EQ(parse(many + "--b--"), 413);
  const std::string long_name(limits::kPartHeaderBytes, 'n');
  EXPECT_EQ(parse("--b\r\nContent-Disposition: form-data; name=\"" + long_name + "\"\r\n\r\n1\r\n--b--"),
            413);
  // Without an end: refused as soon as it is too long, not held.
  Recorder recorder;
  MultipartParser parser("b", recorder);
  ASSERT_TRUE(parser.take("--b\r\nContent-Disposition: form-data; name=\""));
  Outcome<void> taken;
  for (int i = 0; i < 100 && taken; ++i) taken = parser.take(std::string(1024, 'n'));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().status, 413);
}

TEST(Multipart, TheBoundaryComesFromTheContentType) {
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc").value(), "abc");
  EXPECT_EQ(multipart_boundary("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"").value(), "a b");
  EXPECT_EQ(multipart_boundary("application/json").error().status, 415);
  EXPECT_EQ(multipart_boundary("").error().status, 415);
  EXPECT_EQ(multipart_boundary("multipart/form-data").error().status, 400);
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'x')).error().status, 400);
}

}  // namespace
}  // namespace hansard::http
