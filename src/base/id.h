// Names of rows: a prefix and a ULID (github.com/ulid/spec), opaque to clients, sortable by creation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hansard {

// "tr_01jdg3…": 26 lower-case characters of Crockford's base 32, time first, then chance. Within one process
// ids of the same millisecond count up. Any thread.
std::string make_id(std::string_view prefix, int64_t now_ms);

// Whether `id` could have come from make_id() with this prefix.
bool is_id(std::string_view prefix, std::string_view id);

// So many bytes of the kernel's chance, as lower-case hexadecimal digits.
std::string random_hex(size_t byte_count);

}  // namespace hansard
