// Which addresses may be asked on behalf of others: public ones, and those of networks that the configuration
// names. What a program can reach from where it runs, whoever names an address to it cannot: this machine,
// its network, the metadata service of a cloud.
#pragma once

#include "base/network.h"

namespace hansard::fetch {

// Any thread.
class AddressRules {
 public:
  // `also`: networks that may be asked beside public addresses; as a rule none.
  explicit AddressRules(Networks also = {});

  // Addresses that hold one of version 4 (mapped, NAT64, 6to4) are as that one.
  bool allow(const IpAddress& address) const;

 private:
  Networks also_;
};

}  // namespace hansard::fetch
