#include "http/compress.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/limits.h"
#include "http/range.h"

namespace hansard::http {
namespace {

std::string gunzip(std::string_view bytes) {
  z_stream stream = {};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string result(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  inflateEnd(&stream);
  return result;
}

std::string header(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "word " + std::to_string(i) + ", ";
  return text;
}

Request asking(std::string accept_encoding) {
  Request request;
  request.headers.emplace_back("accept-encoding", std::move(accept_encoding));
  return request;
}

TEST(Compress, TakesWhatTheClientTakes) {
  for (const char* taken :
       {"gzip", "GZIP", "deflate, gzip;q=0.5", "*", "br;q=1, x-gzip", "gzip;q=1.0, identity",
        "identity;q=0.5, *;q=0.7", "gzip; q=0.001", "gzip, identity;q=0"}) {
    EXPECT_TRUE(accepts_gzip(taken)) << taken;
  }
  for (const char* refused : {"", "br", "gzip;q=0", "gzip; q=0.0", "*;q=0", "gzip;q=0, *", "identity",
                              "identity, gzip;q=0.5", "gzipped", ",,;q=1"}) {
    EXPECT_FALSE(accepts_gzip(refused)) << refused;
  }
}

TEST(Compress, LongTextComesCompressedWithATagOfItsOwn) {
  Response response = json_response(200, long_text());
  response.with("ETag", "\"a-1\"").with("Vary", "Accept");
  encode(asking("gzip"), response);
  EXPECT_EQ(header(response, "Content-Encoding"), "gzip");
  EXPECT_EQ(header(response, "Vary"), "Accept, Accept-Encoding");
  EXPECT_EQ(header(response, "ETag"), "\"a-1-gzip\"");
  const auto& body = std::get<std::string>(response.body);
  EXPECT_LT(body.size(), long_text().size() / 2);
  EXPECT_EQ(gunzip(body), long_text());
}

TEST(Compress, WhoDoesNotAskGetsTheTextButIsToldThatItVaries) {
  Response response = text_response(200, "text/vtt; charset=utf-8", long_text());
  response.with("ETag", "\"a-1\"");
  encode(Request(), response);
  EXPECT_EQ(header(response, "Content-Encoding"), "");
  EXPECT_EQ(header(response, "Vary"), "Accept-Encoding");
  EXPECT_EQ(header(response, "ETag"), "\"a-1\"");
  EXPECT_EQ(std::get<std::string>(response.body), long_text());
}

TEST(Compress, WhatComesCompressedIsNotCompressedAgain) {
  Response response = text_response(200, "text/css", "small");
  response.with("ETag", "\"a-1\"").with("Content-Encoding", "gzip");
  encode(asking("gzip"), response);
  EXPECT_EQ(std::get<std::string>(response.body), "small");
  EXPECT_EQ(header(response, "Vary"), "Accept-Encoding");
  EXPECT_EQ(header(response, "ETag"), "\"a-1-gzip\"");
}

TEST(Compress, WhatGainsNothingStaysAsItIs) {
  const Request request = asking("gzip");
  Response small = json_response(200, std::string(limits::kCompressedBytes - 1, ' '));
  encode(request, small);
  EXPECT_EQ(header(small, "Content-Encoding") + header(small, "Vary"), "");
  Response sound = text_response(200, "audio/wav", long_text());
  encode(request, sound);
  EXPECT_EQ(header(sound, "Content-Encoding") + header(sound, "Vary"), "");
  Response part = text_response(206, "text/plain", long_text());
  encode(request, part);
  EXPECT_EQ(header(part, "Content-Encoding"), "");
  Response file;
  file.with("Content-Type", "text/plain");
  file.body = FileBody{};
  encode(request, file);
  EXPECT_EQ(header(file, "Content-Encoding"), "");
}

TEST(Compress, ATagNamesBothFormsAndNotModifiedAnswersTheOneThatWasNamed) {
  EXPECT_TRUE(names_etag("\"a-1-gzip\"", "\"a-1\""));
  EXPECT_TRUE(names_etag("\"x\", W/\"a-1-gzip\"", "\"a-1\""));
  EXPECT_FALSE(names_etag("\"a-1-gzi\"", "\"a-1\""));
  for (const char* tag : {"\"a-1\"", "\"a-1-gzip\""}) {
    Request request = asking("gzip");
    request.headers.emplace_back("if-none-match", tag);
    Response response = text_response(304, "application/json", "");
    response.with("ETag", "\"a-1\"");
    encode(request, response);
    EXPECT_EQ(header(response, "ETag"), tag);
    EXPECT_EQ(header(response, "Vary"), "Accept-Encoding");
  }
}

}  // namespace
}  // namespace hansard::http
