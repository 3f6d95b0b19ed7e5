// Tells receivers what they want to hear: POST of the event as JSON, signed with the webhook's secret. A
// receiver that does not take it hears it again, ever later, for a day; meanwhile it hears nothing else. An
// event may come twice (its id tells), and not in order.
#pragma once

#include "fetch/address_rules.h"
#include "library/workers.h"
#include "store/store.h"

namespace hansard::library {

class Deliveries {
 public:
  struct Options {
    const fetch::AddressRules& rules;
    std::chrono::milliseconds time;     // in which a receiver must have answered
    std::chrono::milliseconds backoff;  // before the second try, then twice as long each time
  };
  // All outlive it.
  Deliveries(store::Store& store, Options options);

  // Begins with what is there.
  void start() { workers_.start(); }
  // What is on its way ends, and goes out again after the next start. Returns when all has ended.
  void stop() { workers_.stop(); }
  // Of the store's notices those on "webhooks" and "webhooks_ended". Any thread.
  void notice(const store::Notice& notice) { workers_.notice(notice); }

 private:
  struct Due;

  Result<void> deliver(const Workers::Task& task, const std::stop_token& stop);
  Result<void> settle(const Due& due, const Result<int>& answer);

  store::Store& store_;
  const Options options_;
  Workers workers_;
};

}  // namespace hansard::library
