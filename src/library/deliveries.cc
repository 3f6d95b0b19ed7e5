#include "library/deliveries.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "fetch/fetch.h"
#include "library/webhooks.h"

namespace hansard::library {

using store::Reader;
using store::Statement;
using store::Transaction;

struct Deliveries::Due {
  std::string id;
  std::string webhook_id;
  std::string url;
  std::string secret;
  int64_t tries = 0;
  int64_t created_at_ms = 0;
  std::string event;  // its name
  std::string body;
};

namespace {

constexpr Statement kWaiting{
    "webhooks.waiting",
    "SELECT w.id, w.user_id, MIN(d.available_at) FROM webhook_deliveries d JOIN webhooks w ON w.id = "
    "d.webhook_id JOIN events e ON e.id = d.event_id WHERE d.status = 'pending' GROUP BY w.id, w.user_id "
    "ORDER BY MIN(d.available_at), w.id "
    "LIMIT 1000"};

std::string body_of(int64_t id, const std::string& name, const std::string& data, int64_t created_at_ms) {
  json::bj::object body{{"id", id}, {"event", name}, {"created_at", format_time(created_at_ms)}};
  // What the program itself wrote into a row.
  body["data"] = json::parse(data).value_or(json::bj::object());
  return json::to_text(body);
}

bool taken(const Result<int>& answer) {
  return answer && *answer >= 200 && *answer < 300;
}

std::string said(const Result<int>& answer) {
  if (!answer) return answer.error().message;
  const bool elsewhere = *answer >= 300 && *answer < 400;
  return elsewhere ? fmt::format("{}: redirections are not followed", *answer) : std::to_string(*answer);
}

int64_t backoff_ms(std::chrono::milliseconds first, int64_t tries) {
  constexpr int64_t kDoublings = 20;  // far beyond the longest
  return std::min(first.count() << std::min(tries, kDoublings), limits::kDeliveryBackoffMost.count());
}

}  // namespace

Deliveries::Deliveries(store::Store& store, Options options)
    : store_(store),
      options_(options),
      workers_(store, {.name = "webhooks",
                       .waiting = kWaiting,
                       .at_once = limits::kDeliveriesAtOnce,
                       .of_user_at_once = limits::kDeliveriesOfUserAtOnce,
                       .perform = [this](const Workers::Task& task, const std::stop_token& stop) {
                         return deliver(task, stop);
                       }}) {}

Result<void> Deliveries::deliver(const Workers::Task& task, const std::stop_token& stop) {
  static constexpr Statement kDue{
      "webhooks.due",
      "SELECT d.id, d.webhook_id, w.url, w.secret, d.tries, d.created_at, e.id, e.name, e.data, e.created_at "
      "FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id JOIN events e ON e.id = d.event_id "
      "WHERE d.webhook_id = $1 AND d.status = 'pending' AND d.available_at <= $2 ORDER BY d.event_id LIMIT "
      "1"};
  std::optional<Due> due;
  TRY(store_.read([&](Reader& reader) -> Result<void> {
    const auto row = TRY(reader.row(kDue, task.subject, store_.now_ms()));
    if (!row) return {};
    due = Due{row->text(0),    row->text(1),
              row->text(2),    row->text(3),
              row->integer(4), row->integer(5),
              row->text(7),    body_of(row->integer(6), row->text(7), row->text(8), row->integer(9))};
    return {};
  }));
  if (!due) return {};
  const auto answer = fetch::post(
      {.url = due->url,
       .rules = &options_.rules,
       .headers = {"Content-Type: application/json", "X-Hansard-Event: " + due->event,
                   "X-Hansard-Delivery: " + due->id,
                   "X-Hansard-Signature: " + sign(due->secret, store_.now_ms() / 1000, due->body)},
       .body = due->body,
       .time = options_.time},
      stop);
  if (stop.stop_requested()) return {};
  return settle(*due, answer);
}

Result<void> Deliveries::settle(const Due& due, const Result<int>& answer) {
  static constexpr Statement kEnd{
      "webhooks.end_delivery",
      "UPDATE webhook_deliveries SET status = $2, tries = tries + 1, available_at = NULL, response = $3, "
      "updated_at = $4 WHERE id = $1"};
  static constexpr Statement kAgain{
      "webhooks.again",
      "UPDATE webhook_deliveries SET tries = tries + 1, response = $2, updated_at = $3 WHERE id = $1"};
  // What else waits for this receiver would fare no better before.
  static constexpr Statement kPutOff{"webhooks.put_off",
                                     "UPDATE webhook_deliveries SET available_at = $2 WHERE webhook_id = $1 "
                                     "AND status = 'pending' AND available_at < $2"};
  return store_.write([&](Transaction& transaction) -> Result<void> {
    const int64_t now = transaction.now_ms();
    const int64_t again_ms = now + backoff_ms(options_.backoff, due.tries);
    const bool in_time = again_ms < due.created_at_ms + limits::kDeliveryAge.count();
    const bool hopeless = !answer && answer.error().code == ErrorCode::address_refused;
    if (taken(answer) || hopeless || !in_time) {
      TRY(transaction.change(kEnd, due.id, taken(answer) ? "delivered" : "failed", said(answer), now));
      return {};
    }
    TRY(transaction.change(kAgain, due.id, said(answer), now));
    TRY(transaction.change(kPutOff, due.webhook_id, again_ms));
    return {};
  });
}

}  // namespace hansard::library
