// The text of header fields (RFC 9110, 5.6): what several of them have in common.
#pragma once

#include <string>
#include <string_view>

namespace hansard::http {

std::string_view trim(std::string_view text);  // without blanks and tabs around it

// Takes the first element off a list, without blanks around it: "a, b" gives "a" and leaves " b". A separator
// within quotes is none.
std::string_view take_element(std::string_view& list, char separator = ',');

}  // namespace hansard::http
