#include "auth/tokens.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/temporary_folder.h"

namespace hansard::auth {
namespace {

namespace bj = json::bj;

constexpr int64_t kNow = 1'795'000'000'000;

class Tokens : public testing::Test {
 protected:
  TokenKeys keys(int64_t now_ms = kNow) const {
    return TokenKeys::open(folder_ / "keys.json", now_ms).value();
  }
  static Claims claims(int64_t now_ms = kNow) {
    return {.user_id = "user_1",
            .session_id = "sess_1",
            .issued_at_s = now_ms / 1000,
            .expires_at_s = now_ms / 1000 + 900};
  }
  std::string key_text(const char* name) const {
    const auto file = json::parse_object(read_file(folder_ / "keys.json", 1 << 20).value()).value();
    return std::string(file.at("keys").at(0).at(name).as_string());
  }
  // A token of any head and body, signed with a key of the file ("api", "audio").
  std::string forged(const std::string& head, const std::string& body, const char* key) const {
    unsigned char secret[32];
    size_t size = 0;
    const std::string text = key_text(key);
    EXPECT_EQ(sodium_base642bin(secret, sizeof secret, text.data(), text.size(), nullptr, &size, nullptr,
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING),
              0);
    const std::string signed_text = to_base64url(head) + "." + to_base64url(body);
    char tag[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256(reinterpret_cast<unsigned char*>(tag),
                           reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(),
                           secret);
    return signed_text + "." + to_base64url({tag, sizeof tag});
  }
  std::string head() const { return R"({"alg":"HS256","typ":"JWT","kid":")" + key_text("id") + R"("})"; }
  static bj::object body() {
    return {{"iss", "hansard"}, {"aud", "hansard-api"}, {"sub", "user_1"},
            {"sid", "sess_1"},  {"iat", kNow / 1000},   {"exp", kNow / 1000 + 900}};
  }

  const TemporaryFolder folder_;
};

TEST_F(Tokens, ATokenSaysWhatWasSignedUntilItExpires) {
  const TokenKeys keys = this->keys();
  const std::string token = keys.sign(Audience::api, claims());
  const auto read = keys.verify(Audience::api, token, kNow);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->user_id, "user_1");
  EXPECT_EQ(read->session_id, "sess_1");
  EXPECT_TRUE(keys.verify(Audience::api, token, kNow + 899'999));
  EXPECT_FALSE(keys.verify(Audience::api, token, kNow + 900'000));
  EXPECT_FALSE(keys.verify(Audience::api, token, kNow - 3'600'000)) << "not yet issued";
}

TEST_F(Tokens, AnyOtherByteMakesItNone) {
  const TokenKeys keys = this->keys();
  const std::string token = keys.sign(Audience::api, claims());
  for (size_t i = 0; i < token.size(); ++i) {
    std::string other = token;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(keys.verify(Audience::api, other, kNow)) << i;
  }
  for (const std::string& other :
       {token + "A", token + "=", token + ".", token.substr(1), token.substr(0, token.rfind('.') + 1),
        std::string(), std::string("."), std::string(".."), std::string(5000, 'a')}) {
    EXPECT_FALSE(keys.verify(Audience::api, other, kNow)) << other;
  }
}

TEST_F(Tokens, ForgedHeadsAndClaimsAreRefusedThoughSigned) {
  const TokenKeys keys = this->keys();
  // The forger's tool is right: what it makes of true parts is taken.
  ASSERT_TRUE(keys.verify(Audience::api, forged(head(), json::to_text(body()), "api"), kNow));

  const std::string id = key_text("id");
  for (const std::string& other :
       {R"({"alg":"none","typ":"JWT","kid":")" + id + R"("})",
        R"({"alg":"HS512","typ":"JWT","kid":")" + id + R"("})",
        R"({"alg":"RS256","typ":"JWT","kid":")" + id + R"("})", std::string(R"({"alg":"HS256","typ":"JWT"})"),
        std::string(R"({"alg":"HS256","typ":"JWT","kid":"../../dev/null"})"),
        R"({"alg":"HS256","typ":"JWT","kid":")" + id + R"(","crit":["b64"]})"}) {
    EXPECT_FALSE(keys.verify(Audience::api, forged(other, json::to_text(body()), "api"), kNow)) << other;
  }
  const std::string unsigned_text =
      to_base64url(R"({"alg":"none","typ":"JWT"})") + "." + to_base64url(json::to_text(body())) + ".";
  EXPECT_FALSE(keys.verify(Audience::api, unsigned_text, kNow));

  for (const char* name : {"iss", "aud", "sub", "sid", "iat", "exp"}) {
    bj::object without = body();
    without.erase(name);
    EXPECT_FALSE(keys.verify(Audience::api, forged(head(), json::to_text(without), "api"), kNow)) << name;
    bj::object wrong = body();
    wrong[name] = bj::array{"hansard-api"};
    EXPECT_FALSE(keys.verify(Audience::api, forged(head(), json::to_text(wrong), "api"), kNow)) << name;
  }
  bj::object of_others = body();
  of_others["iss"] = "elsewhere";
  EXPECT_FALSE(keys.verify(Audience::api, forged(head(), json::to_text(of_others), "api"), kNow));
}

TEST_F(Tokens, AnAudioTokenIsNoAccessTokenNorTheReverse) {
  const TokenKeys keys = this->keys();
  Claims audio = claims();
  audio.resource = "/api/v1/files/file_1/audio";
  const std::string token = keys.sign(Audience::audio, audio);
  EXPECT_EQ(keys.verify(Audience::audio, token, kNow)->resource, audio.resource);
  EXPECT_FALSE(keys.verify(Audience::api, token, kNow));
  EXPECT_FALSE(keys.verify(Audience::audio, keys.sign(Audience::api, claims()), kNow));
  // Nor where the claims are right and the key is the other's.
  EXPECT_FALSE(keys.verify(Audience::api, forged(head(), json::to_text(body()), "audio"), kNow));
}

TEST_F(Tokens, KeysAreTheOwnersAloneAndOutliveARestart) {
  const std::string token = keys().sign(Audience::api, claims());
  struct stat file = {};
  ASSERT_EQ(::stat((folder_ / "keys.json").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  EXPECT_TRUE(keys().verify(Audience::api, token, kNow));
  const TemporaryFolder other;
  EXPECT_FALSE(TokenKeys::open(other / "keys.json", kNow)->verify(Audience::api, token, kNow))
      << "another installation's key";
}

TEST_F(Tokens, OldKeysAreReplacedAndWhatTheySignedHoldsOn) {
  const std::string id = (keys(), key_text("id"));
  const int64_t later = kNow + std::chrono::milliseconds(limits::kTokenKeyAge).count();
  const std::string token = keys(later - 1).sign(Audience::api, claims(later - 1));
  const TokenKeys renewed = keys(later);
  EXPECT_NE(key_text("id"), id);
  EXPECT_TRUE(renewed.verify(Audience::api, token, later));
  EXPECT_NE(renewed.sign(Audience::api, claims(later)).substr(0, 60), token.substr(0, 60));

  ASSERT_TRUE(TokenKeys::rotate(folder_ / "keys.json", later, true));
  EXPECT_FALSE(keys(later).verify(Audience::api, token, later)) << "forgotten on demand";
}

TEST_F(Tokens, ADamagedFileIsSaidToBeAndNotReplaced) {
  for (const char* text : {"", "{}", R"({"keys":[]})", R"({"keys":[{"id":"a"}]})", R"({"keys":[1]})"}) {
    ASSERT_TRUE(write_file_atomically(folder_ / "keys.json", text, Sync::no));
    const auto opened = TokenKeys::open(folder_ / "keys.json", kNow);
    ASSERT_FALSE(opened) << text;
    EXPECT_NE(opened.error().message.find("remove it"), std::string::npos);
    EXPECT_EQ(read_file(folder_ / "keys.json", 100).value(), text);
  }
}

}  // namespace
}  // namespace hansard::auth
