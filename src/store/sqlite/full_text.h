// The search of the SQLite driver, on FTS5. One connection's thread at a time.
#pragma once

#include "store/search.h"
#include "store/sqlite/connection.h"

struct sqlite3;

namespace hansard::store {

// Teaches a connection what the index needs: the tokenizer "hansard" and the function relevance(). The
// database cannot be searched, nor passages changed, by a program that does not know them.
Result<void> add_full_text(sqlite3* db);

// The index of passages, and the triggers that keep it.
extern const char* const kPassagesIndex;

Result<SearchPage> search(Connection& connection, const SearchQuery& query);

}  // namespace hansard::store
