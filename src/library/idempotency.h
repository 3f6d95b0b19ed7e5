// Answers to creating requests, kept for a day for whoever asks again with the same Idempotency-Key: in the
// database, so that a client that lost the answer to a crash or its network gets it all the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/store.h"

namespace hansard::library {

// One user's key for one method and path.
struct RequestKey {
  std::string user_id;
  std::string method;
  std::string path;
  std::string key;
};

struct KeptAnswer {
  int64_t status = 0;
  std::string location;  // the Location header; may be empty
  std::string body;
};

// What a key stands for.
struct KeyState {
  enum class Kind {
    taken,     // it was free, and is now this request's until finish_key() or free_key()
    answered,  // the same request had this answer
    running,   // the same request is in work
    other,     // it stands for another request
  } kind = Kind::taken;
  KeptAnswer answer;
};
// `request`: a fingerprint of what is asked. `owner`: this process; keys of another that is gone are free.
Result<KeyState> take_key(store::Transaction& transaction, const RequestKey& key, std::string_view request,
                          std::string_view owner);
// Part of the transaction that does what was asked, so that both are there or neither.
Result<void> finish_key(store::Transaction& transaction, const RequestKey& key, const KeptAnswer& answer);
Result<void> free_key(store::Transaction& transaction, const RequestKey& key);

// At start: keys of dead servers; and those older than a day.
Result<int64_t> forget_keys(store::Transaction& transaction, std::string_view owner);

}  // namespace hansard::library
