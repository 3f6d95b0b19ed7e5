#include "base/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace hansard {
namespace {

constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::optional<IpAddress> parse_ip_address(const std::string& text) {
  IpAddress bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  std::copy(kMapped.begin(), kMapped.end(), bytes.begin());
  if (::inet_pton(AF_INET, text.c_str(), bytes.data() + kMapped.size()) == 1) return bytes;
  return std::nullopt;
}

std::string to_text(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_ipv4(address)) {
    ::inet_ntop(AF_INET, address.data() + kMapped.size(), text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, address.data(), text.data(), text.size());
  }
  return text.data();
}

bool is_ipv4(const IpAddress& address) {
  return std::equal(kMapped.begin(), kMapped.end(), address.begin());
}

IpAddress ipv4(const uint8_t* four_bytes) {
  IpAddress address{};
  std::copy(kMapped.begin(), kMapped.end(), address.begin());
  std::copy(four_bytes, four_bytes + 4, address.begin() + kMapped.size());
  return address;
}

bool names_this_machine(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

Result<Networks> Networks::parse(const std::vector<std::string>& ranges) {
  Networks result;
  for (const std::string& range : ranges) {
    const auto bad = [&] {
      return fail(ErrorCode::invalid_request,
                  fmt::format("\"{}\" is no address and no range of addresses, such as 10.0.0.0/8", range));
    };
    const size_t slash = std::min(range.find('/'), range.size());
    const auto address = parse_ip_address(range.substr(0, slash));
    if (!address) return bad();
    Network network{*address, 128};
    if (slash < range.size()) {
      const unsigned most = is_ipv4(*address) ? 32 : 128;
      const char* const end = range.data() + range.size();
      const auto [stopped, error] = std::from_chars(range.data() + slash + 1, end, network.bits);
      if (error != std::errc() || stopped != end || network.bits > most) return bad();
      network.bits += 128 - most;
    }
    result.networks_.push_back(network);
  }
  return result;
}

bool Networks::contain(const IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    const size_t whole = network.bits / 8;
    if (!std::equal(address.begin(), address.begin() + whole, network.address.begin())) return false;
    const unsigned rest = network.bits % 8;
    return rest == 0 || (address[whole] ^ network.address[whole]) >> (8 - rest) == 0;
  });
}

bool Networks::contain(std::string_view address) const {
  const auto bytes = parse_ip_address(std::string(address));
  return bytes && contain(*bytes);
}

}  // namespace hansard
