#include "fetch/address_rules.h"

#include <utility>

namespace hansard::fetch {
namespace {

// What IANA's registries of special-purpose addresses (RFC 6890) do not call globally reachable, multicast,
// and the one public address at which a cloud keeps what is for its machines alone.
const Networks& closed_ipv4() {
  static const Networks networks =
      Networks::parse({"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
                       "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
                       "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
                       "168.63.129.16/32"})
          .value();
  return networks;
}

// All that is given out for the whole Internet.
const Networks& open_ipv6() {
  static const Networks networks = Networks::parse({"2000::/3"}).value();
  return networks;
}
// And of that: protocols and tunnels (Teredo), documentation.
const Networks& closed_ipv6() {
  static const Networks networks = Networks::parse({"2001::/23", "2001:db8::/32", "3fff::/20"}).value();
  return networks;
}

// Whoever carries packets for these sends them on to the address within.
std::optional<IpAddress> carried_ipv4(const IpAddress& address) {
  static const Networks nat64 = Networks::parse({"64:ff9b::/96"}).value();
  static const Networks six_to_four = Networks::parse({"2002::/16"}).value();
  if (nat64.contain(address)) return ipv4(address.data() + 12);
  if (six_to_four.contain(address)) return ipv4(address.data() + 2);
  return std::nullopt;
}

}  // namespace

AddressRules::AddressRules(Networks also) : also_(std::move(also)) {}

bool AddressRules::allow(const IpAddress& address) const {
  const IpAddress meant = carried_ipv4(address).value_or(address);
  if (also_.contain(meant)) return true;
  if (is_ipv4(meant)) return !closed_ipv4().contain(meant);
  return open_ipv6().contain(meant) && !closed_ipv6().contain(meant);
}

}  // namespace hansard::fetch
