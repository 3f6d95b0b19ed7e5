// Asks addresses over http and https: recordings that are brought from elsewhere, and receivers that are told
// what happens. Over libcurl.
//
// Where there are AddressRules, they decide on the address that is connected to, at the moment it is: a name
// that means another address a second later, a redirection, and every other spelling of a number end there.
// Proxies of the environment are not used then: a proxy would resolve the name itself, and reach what the
// rules do not allow. Without rules everything may be asked, as by any program of whoever named the address,
// and their environment's proxies hold.
//
// Errors of all: invalid_request (no http or https address), address_refused, unavailable, access_denied,
// rate_limited, too_large, network (may pass), canceled. Messages name the host that was given and no other.
// Threads: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fetch/address_rules.h"

namespace hansard::fetch {

// Whether an address is one that may be tried: http or https, and no number that the rules refuse. What a
// name stands for is found out when it is asked.
Result<void> check_url(const std::string& url, const AddressRules* rules);

// The last part of an address's path, decoded, else its host: the name of what it leads to.
std::string name_of(const std::string& url);

struct Get {
  std::string url;
  const AddressRules* rules = nullptr;  // null: none
  uint64_t most_bytes = 0;
  std::chrono::milliseconds time;  // for all of it
};
struct Got {
  std::string name;        // of the Content-Disposition, else of the address that had it; any bytes
  std::string media_type;  // as the server says, in lower case, without parameters
  uint64_t size_bytes = 0;
};
// The body as it comes; its own error ends the transfer.
using Take = std::function<Result<void>(std::string_view)>;
// How much has come, and of how much where the server says.
using OnBytes = std::function<void(uint64_t, std::optional<uint64_t>)>;
// Follows up to five redirections. A transfer that stands still for a minute is given up (network).
Result<Got> get(const Get& wanted, const Take& take, const OnBytes& on_bytes, const std::stop_token& stop);

struct Post {
  std::string url;
  const AddressRules* rules = nullptr;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  std::chrono::milliseconds time;
};
// The status of the answer, whatever it is. Follows no redirection, and reads no body.
Result<int> post(const Post& wanted, const std::stop_token& stop);

}  // namespace hansard::fetch
