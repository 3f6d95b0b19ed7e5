// Signed tokens: JSON Web Tokens (RFC 7519, 7515) with HMAC-SHA256, and the keys that sign them. Strict: what
// this program did not write itself, byte for byte, is no token.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hansard::auth {

// What a token is good for; each has keys of its own.
enum class Audience {
  api,    // a person's requests
  audio,  // reading one recording
};

struct Claims {
  std::string user_id;
  std::string session_id;  // of api
  std::string resource;    // of audio: "/api/v1/files/file_…/audio"
  int64_t issued_at_s = 0;
  int64_t expires_at_s = 0;
};

// The keys, newest first; immutable, so any thread. Kept in one file of the data folder, mode 0600.
class TokenKeys {
 public:
  // Reads the file, or makes it. Where the newest keys are older than limits say, new ones are put before
  // them, and those that signed nothing that still holds are dropped. Errors: those of file.h, and
  // invalid_request for a file that is none of ours.
  static Result<TokenKeys> open(const std::filesystem::path& path, int64_t now_ms);
  // Puts new keys before the others; `forget` drops all others, so that no token of before holds.
  static Result<void> rotate(const std::filesystem::path& path, int64_t now_ms, bool forget);

  std::string sign(Audience audience, const Claims& claims) const;
  // Nothing for what is no valid token at this time: another algorithm, an unknown key, a changed byte,
  // another audience or issuer, a claim that is missing, expired, or not yet begun.
  std::optional<Claims> verify(Audience audience, std::string_view token, int64_t now_ms) const;

  // A secret made from another with the newest key that existed at `made_at_ms`: the same each time, and not
  // to be guessed without the key.
  std::string derive(std::string_view secret, std::string_view salt, int64_t made_at_ms) const;

 private:
  using Secret = std::array<unsigned char, 32>;
  struct Key {
    std::string id;
    int64_t made_at_ms = 0;
    Secret api;
    Secret audio;
    Secret refresh;
  };
  static Result<TokenKeys> read(const std::filesystem::path& path);
  Result<void> write(const std::filesystem::path& path) const;
  static Key make_key(int64_t now_ms);

  std::vector<Key> keys_;
};

// URL-safe base 64 without padding.
std::string to_base64url(std::string_view bytes);

// A new secret of 256 bits, as text.
std::string make_secret(std::string_view prefix);

}  // namespace hansard::auth
