#include "auth/tokens.h"

#include <sodium.h>

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"

namespace hansard::auth {
namespace {

namespace bj = json::bj;

constexpr std::string_view kIssuer = "hansard";
constexpr uint64_t kLongestFileBytes = 64 << 10;
constexpr size_t kLongestTokenBytes = 2048;
// Clocks of one machine do not differ, but may be set back a little.
constexpr int64_t kClockSlack_s = 60;
constexpr int kBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

std::string_view audience_name(Audience audience) {
  return audience == Audience::api ? "hansard-api" : "hansard-audio";
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string bytes(text.size(), '\0');
  size_t size = 0;
  const char* end = nullptr;
  const int status = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                       text.data(), text.size(), nullptr, &size, &end, kBase64);
  if (status != 0 || end != text.data() + text.size()) return std::nullopt;
  bytes.resize(size);
  return bytes;
}

template <typename Secret>
std::string mac(const Secret& secret, std::string_view text) {
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> tag{};
  crypto_auth_hmacsha256(tag.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                         secret.data());
  return {reinterpret_cast<const char*>(tag.data()), tag.size()};
}

std::string head_of(std::string_view key_id) {
  return to_base64url(json::to_text(bj::object{{"alg", "HS256"}, {"typ", "JWT"}, {"kid", key_id}}));
}

template <typename Secret>
Result<Secret> secret_from(const bj::object& key, std::string_view name) {
  const auto bytes = from_base64url(TRY(json::get_string(key, name)));
  Secret secret{};
  if (!bytes || bytes->size() != secret.size())
    return fail(ErrorCode::invalid_request, "a key has another length");
  std::copy(bytes->begin(), bytes->end(), secret.begin());
  return secret;
}

template <typename Secret>
std::string secret_text(const Secret& secret) {
  return to_base64url({reinterpret_cast<const char*>(secret.data()), secret.size()});
}

}  // namespace

std::string to_base64url(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), kBase64), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kBase64);
  text.pop_back();  // its end of text
  return text;
}

std::string make_secret(std::string_view prefix) {
  std::array<char, 32> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return std::string(prefix) + to_base64url({bytes.data(), bytes.size()});
}

// ---- the file

TokenKeys::Key TokenKeys::make_key(int64_t now_ms) {
  Key key;
  key.id = random_hex(8);
  key.made_at_ms = now_ms;
  for (Secret* secret : {&key.api, &key.audio, &key.refresh}) randombytes_buf(secret->data(), secret->size());
  return key;
}

Result<TokenKeys> TokenKeys::read(const std::filesystem::path& path) {
  const auto damaged = [](std::string detail) {
    return fail(
        ErrorCode::invalid_request,
        "the file of the signing keys in the data folder is damaged; remove it, and everyone logs in again",
        std::move(detail));
  };
  const auto file = json::parse_object(TRY(read_file(path, kLongestFileBytes)));
  if (!file) return damaged(file.error().message);
  const auto list = json::get_array(*file, "keys");
  if (!list || (*list)->empty()) return damaged("no keys");
  TokenKeys result;
  for (const bj::value& value : **list) {
    if (!value.is_object()) return damaged("a key is no object");
    const bj::object& object = value.get_object();
    const auto id = json::get_string(object, "id");
    const auto made_at_ms = json::get_integer(object, "made_at_ms");
    const auto api = secret_from<Secret>(object, "api");
    const auto audio = secret_from<Secret>(object, "audio");
    const auto refresh = secret_from<Secret>(object, "refresh");
    if (!id || !made_at_ms || !api || !audio || !refresh) return damaged("a key lacks something");
    result.keys_.push_back({*id, *made_at_ms, *api, *audio, *refresh});
  }
  return result;
}

Result<void> TokenKeys::write(const std::filesystem::path& path) const {
  bj::array list;
  for (const Key& key : keys_) {
    list.push_back(bj::object{{"id", key.id},
                              {"made_at_ms", key.made_at_ms},
                              {"api", secret_text(key.api)},
                              {"audio", secret_text(key.audio)},
                              {"refresh", secret_text(key.refresh)}});
  }
  return write_file_atomically(path, json::to_text(bj::object{{"keys", std::move(list)}}), Sync::yes, 0600);
}

Result<TokenKeys> TokenKeys::open(const std::filesystem::path& path, int64_t now_ms) {
  [[maybe_unused]] const int ready = sodium_init();
  assert(ready >= 0);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) TRY(rotate(path, now_ms, true));
  TokenKeys keys = TRY(read(path));
  constexpr auto kAge = std::chrono::milliseconds(limits::kTokenKeyAge).count();
  if (keys.keys_.front().made_at_ms + kAge > now_ms) return keys;
  TRY(rotate(path, now_ms, false));
  return read(path);
}

Result<void> TokenKeys::rotate(const std::filesystem::path& path, int64_t now_ms, bool forget) {
  TokenKeys keys;
  if (!forget) {
    keys = TRY(read(path));
    // A key stopped signing when the next was made; then its last token had its whole time before it.
    constexpr auto kLongest = std::chrono::milliseconds(limits::kAccessTokenAge).count();
    int64_t stopped_ms = now_ms;
    std::erase_if(keys.keys_, [&](const Key& key) {
      const bool over = stopped_ms + kLongest < now_ms;
      stopped_ms = key.made_at_ms;
      return over;
    });
  }
  keys.keys_.insert(keys.keys_.begin(), make_key(now_ms));
  return keys.write(path);
}

// ---- tokens

std::string TokenKeys::sign(Audience audience, const Claims& claims) const {
  const Key& key = keys_.front();
  bj::object body{{"iss", kIssuer}, {"aud", audience_name(audience)}, {"sub", claims.user_id}};
  if (audience == Audience::api) body["sid"] = claims.session_id;
  if (audience == Audience::audio) body["res"] = claims.resource;
  body["iat"] = claims.issued_at_s;
  body["exp"] = claims.expires_at_s;
  const std::string text = head_of(key.id) + "." + to_base64url(json::to_text(body));
  return text + "." + to_base64url(mac(audience == Audience::api ? key.api : key.audio, text));
}

std::optional<Claims> TokenKeys::verify(Audience audience, std::string_view token, int64_t now_ms) const {
  if (token.size() > kLongestTokenBytes) return std::nullopt;
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  // The head is compared, not read: there is one way to write it for each key, and no algorithm to choose.
  const auto key = std::find_if(keys_.begin(), keys_.end(),
                                [&](const Key& k) { return token.substr(0, first) == head_of(k.id); });
  const auto tag = from_base64url(token.substr(second + 1));
  if (key == keys_.end() || !tag || tag->size() != crypto_auth_hmacsha256_BYTES) return std::nullopt;
  const std::string_view signed_text = token.substr(0, second);
  const Secret& secret = audience == Audience::api ? key->api : key->audio;
  if (crypto_auth_hmacsha256_verify(reinterpret_cast<const unsigned char*>(tag->data()),
                                    reinterpret_cast<const unsigned char*>(signed_text.data()),
                                    signed_text.size(), secret.data()) != 0) {
    return std::nullopt;
  }
  const auto text = from_base64url(token.substr(first + 1, second - first - 1));
  const auto body = text ? json::parse_object(*text) : fail(ErrorCode::invalid_request, "no base 64");
  if (!body) return std::nullopt;
  const auto user = json::get_string(*body, "sub");
  const auto bound = json::get_string(*body, audience == Audience::api ? "sid" : "res");
  const auto issued = json::get_integer(*body, "iat");
  const auto expires = json::get_integer(*body, "exp");
  const bool ours = json::get_string(*body, "iss") == std::string(kIssuer) &&
                    json::get_string(*body, "aud") == std::string(audience_name(audience));
  if (!ours || !user || !bound || !issued || !expires) return std::nullopt;
  if (now_ms >= *expires * 1000 || now_ms < (*issued - kClockSlack_s) * 1000) return std::nullopt;
  Claims claims{.user_id = *user, .issued_at_s = *issued, .expires_at_s = *expires};
  (audience == Audience::api ? claims.session_id : claims.resource) = *bound;
  return claims;
}

std::string TokenKeys::derive(std::string_view secret, std::string_view salt, int64_t made_at_ms) const {
  const auto found =
      std::find_if(keys_.begin(), keys_.end(), [&](const Key& key) { return key.made_at_ms <= made_at_ms; });
  const Key& key = found == keys_.end() ? keys_.back() : *found;
  return to_base64url(mac(key.refresh, fmt::format("{}|{}", salt, secret)));
}

}  // namespace hansard::auth
