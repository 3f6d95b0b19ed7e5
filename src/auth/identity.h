// Who a request is from, and what it may do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hansard::auth {

enum class Role { user, admin };
std::string_view role_name(Role role);  // "admin"
std::optional<Role> parse_role(std::string_view name);

struct Identity {
  enum class By {
    nobody,       // HANSARD_AUTH=none: the first admin
    session,      // a person's access token
    api_key,      // a program's key
    audio_token,  // a link to one recording
  };
  std::string user_id;
  std::string username;
  Role role = Role::user;
  By by = By::nobody;
  std::string credential;  // the session's or the key's id; empty for nobody
  bool can_write = true;
};

// Where a request comes from, as far as it says.
struct Client {
  std::string address;
  std::string program;  // its User-Agent
  bool operator==(const Client&) const = default;
};

}  // namespace hansard::auth
