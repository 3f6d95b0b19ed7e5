// Server-Sent Events: the state now, then what follows (WHATWG HTML, 9.2).

#include <fmt/format.h>

#include "api/v1/common.h"
#include "base/spelling.h"
#include "jobs/state.h"

namespace hansard::api::v1 {
namespace {

using jobs::Job;
using jobs::Status;

// The jobs whose state a stream of everything begins with.
constexpr int64_t kActiveJobs = 200;

std::string formatted(std::string_view name, std::string_view data, std::optional<int64_t> id) {
  std::string text;
  if (id) text += fmt::format("id: {}\n", *id);
  return text + fmt::format("event: {}\ndata: {}\n\n", name, data);
}

bool is_end(std::string_view event) {
  return event == "transcription.completed" || event == "transcription.failed" ||
         event == "transcription.canceled" || event == "transcription.deleted";
}

class Feed : public http::EventSource {
 public:
  // `ends`: after the end of the one job it follows.
  Feed(std::shared_ptr<jobs::Follower> follower, std::shared_ptr<const auth::Standing> standing,
       std::string beginning, bool ends, bool ended)
      : follower_(std::move(follower)),
        standing_(std::move(standing)),
        beginning_(std::move(beginning)),
        ends_(ends),
        ended_(ended) {}

  Next next() override {
    // Not all at once, so that a slow reader's text does not pile up here.
    constexpr size_t kMost = 64 << 10;
    // Asked for at least as often as a comment is written.
    if (!standing_->holds()) return {{}, true};
    Next result{std::exchange(beginning_, {}), ended_};
    while (!result.ended && result.text.size() < kMost) {
      const jobs::EventPointer event = follower_->next();
      if (!event) {
        result.ended = follower_->ended();
        break;
      }
      result.text += formatted(event->name, event->data, event->id);
      result.ended = ends_ && is_end(event->name);
    }
    ended_ = result.ended;
    return result;
  }
  void on_ready(std::function<void()> wake) override { follower_->on_ready(std::move(wake)); }

 private:
  std::shared_ptr<jobs::Follower> follower_;
  std::shared_ptr<const auth::Standing> standing_;
  std::string beginning_;
  const bool ends_;
  bool ended_;
};

std::string state_event(const Job& job, std::optional<int64_t> id) {
  bj::object data{{"id", job.id}, {"status", jobs::status_name(job.status)}, {"progress", job.progress}};
  data["stage"] = job.stage;
  data["attempt"] = job.attempt;
  if (job.error_code)
    data["error"] = bj::object{{"code", *job.error_code}, {"message", job.error_message.value_or("")}};
  const std::string name =
      job.status == Status::processing ? "progress" : std::string(jobs::status_name(job.status));
  return formatted("transcription." + name, json::to_text(data), id);
}

std::string live_events(const std::vector<jobs::LiveJob>& live) {
  std::string text;
  for (const jobs::LiveJob& job : live) {
    if (job.progress > 0) text += formatted("transcription.progress", job.progress_data(), std::nullopt);
    for (const transcript::Segment& segment : job.segments) {
      text += formatted("transcription.segment", job.segment_data(segment), std::nullopt);
    }
  }
  return text;
}

Outcome<std::optional<int64_t>> last_event_id(const Request& request) {
  const auto text = request.header("last-event-id");
  if (!text || text->empty()) return std::optional<int64_t>();
  const auto id = parse_integer(*text);
  if (!id || *id < 0) return fail(Problem(400, "Last-Event-ID is not the id of an event"));
  return id;
}

// `subject`: the one transcription that is followed; empty: everything of the user.
Answer stream(Services& services, const Request& request, const std::string& subject) {
  const auto after = TRY(last_event_id(request));
  const std::string user = user_of(services, request);
  if (!subject.empty()) {
    TRY(read<bool>(services, [&](store::Reader& reader) -> Outcome<bool> {
      if (!TRY(library::find_transcription(reader, user, subject))) {
        return fail(Problem(404, "there is no such transcription"));
      }
      return true;
    }));
  }
  // First the follower, then the state: nothing falls between.
  const jobs::Hub::Start start = services.hub.follow(user, subject);
  const std::vector<Job> states =
      TRY(read<std::vector<Job>>(services, [&](store::Reader& reader) -> Outcome<std::vector<Job>> {
        if (subject.empty()) return TRY(library::active_transcriptions(reader, user, kActiveJobs));
        std::vector<Job> one;
        if (auto job = TRY(jobs::find(reader, subject))) one.push_back(std::move(*job));
        return one;
      }));
  const bool over =
      !subject.empty() &&
      (states.empty() || (states[0].status != Status::queued && states[0].status != Status::processing));
  std::optional<std::vector<jobs::Event>> missed;
  if (after) missed = TRY(services.hub.replay(user, subject, *after, start.last_id));
  if (missed && missed->empty() && over) return http::text_response(204, "text/event-stream", "");

  std::string beginning = "retry: 2000\n\n";
  if (missed) {
    for (const jobs::Event& event : *missed) beginning += formatted(event.name, event.data, event.id);
  } else {
    if (after) beginning += formatted("stream.reset", "{}", start.last_id);
    for (const Job& job : states) beginning += state_event(job, start.last_id);
    if (states.empty()) beginning += fmt::format("id: {}\n\n", start.last_id);
  }
  beginning += live_events(start.live);
  Response response;
  response.with("Content-Type", "text/event-stream")
      .with("Cache-Control", "no-store")
      .with("X-Accel-Buffering", "no");
  response.body = std::make_shared<Feed>(start.follower, services.standings.watch(caller_of(request)),
                                         std::move(beginning), !subject.empty(), over);
  return response;
}

}  // namespace

void add_event_routes(http::Router& router, Services& services) {
  router.get("/api/v1/events", [&services](Request& request) { return stream(services, request, ""); });
  router.get("/api/v1/transcriptions/{id}/events",
             [&services](Request& request) { return stream(services, request, request.parameters.at(0)); });
}

}  // namespace hansard::api::v1
