// Addresses and ranges of the Internet protocol, version 4 and 6. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hansard {

// In network order; version 4 as ::ffff:a.b.c.d.
using IpAddress = std::array<uint8_t, 16>;

// "192.0.2.1", "2001:db8::1"; no other spelling of either.
std::optional<IpAddress> parse_ip_address(const std::string& text);
std::string to_text(const IpAddress& address);
bool is_ipv4(const IpAddress& address);
IpAddress ipv4(const uint8_t* four_bytes);

// Whether a host's name, without a port, is this machine's own: "localhost", "127.0.0.1", "[::1]".
bool names_this_machine(std::string_view host);

// Ranges of addresses.
class Networks {
 public:
  // "10.0.0.0/8", "::1". Errors: invalid_request, naming the range.
  static Result<Networks> parse(const std::vector<std::string>& ranges);
  bool contain(const IpAddress& address) const;
  bool contain(std::string_view address) const;  // false of what is no address

 private:
  struct Network {
    IpAddress address{};
    unsigned bits = 128;
  };
  std::vector<Network> networks_;
};

}  // namespace hansard
