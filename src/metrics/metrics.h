// What the server tells of itself, for Prometheus: numbers, and labels out of fixed sets. No user, no title,
// no id, no path but a route's pattern.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "http/router.h"
#include "http/server.h"
#include "jobs/hub.h"
#include "jobs/slots.h"
#include "store/store.h"

namespace hansard::metrics {

// Counts what others tell it. Any thread; nothing waits for the database.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  void answered(const http::Answered& answered);
  void happened(const jobs::Event& event);  // outcomes are counted by the events that are rows
  void claimed();
  void attempted(const jobs::AttemptReport& report);
  void engine_started(pid_t pid);
  void engine_ended(pid_t pid, bool died);

  // A number that is looked up when it is asked for. Before routes() is asked.
  void add_gauge(const std::string& name, const std::string& help, std::function<double()> look);

  // GET /metrics; counts the queue in `store`. For a listener of its own.
  http::Router routes(store::Store& store);

 private:
  struct Numbers;
  std::unique_ptr<Numbers> numbers_;
};

}  // namespace hansard::metrics
