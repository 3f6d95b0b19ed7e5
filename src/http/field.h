// The text of header fields (RFC 9110, 5.6): what several of them have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hansard::http {

std::string_view trim(std::string_view text);  // without blanks and tabs around it

// Takes the first element off a list, without blanks around it: "a, b" gives "a" and leaves " b". A separator
// within quotes is none.
std::string_view take_element(std::string_view& list, char separator = ',');

// How much a client wants what these parameters belong to: "; q=0.5" gives 0.5, none of that name 1, and
// nothing what is no number (RFC 9110, 12.4.2).
std::optional<double> quality(std::string_view parameters);

// "localhost:8080" → "localhost", "[::1]:8080" → "[::1]"
std::string_view without_port(std::string_view host);

}  // namespace hansard::http
