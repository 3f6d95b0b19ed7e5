#include "jobs/hub.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

namespace hansard::jobs {
namespace {

namespace bj = json::bj;
using store::Row;
using store::Statement;

// A notice is a hint: what none told of is found after this time.
constexpr auto kPollInterval = std::chrono::seconds(2);

Event event_from(const Row& row) {
  return {row.integer(0), row.text(1), row.text(2), row.text(3), row.text(4), row.boolean(5)};
}

// From then on the last segment is final, too, and can be told before the job's end is.
bool comes_after_words(std::string_view stage) {
  return stage == "diarizing" || stage == "merging" || stage == "saving";
}

}  // namespace

// ---- what is told

std::string LiveJob::progress_data() const {
  bj::object data{{"id", id}, {"status", "processing"}, {"progress", json::rounded(progress, 4)}};
  data["stage"] = stage;
  data["eta_seconds"] = eta_s ? bj::value(json::rounded(*eta_s, 1)) : bj::value(nullptr);
  data["attempt"] = attempt;
  return json::to_text(data);
}

std::string LiveJob::segment_data(const transcript::Segment& segment) const {
  bj::object data{{"id", id}, {"attempt", attempt}};
  data["segment"] = bj::object{{"id", segment.id},
                               {"start", json::rounded(segment.start, 3)},
                               {"end", json::rounded(segment.end, 3)},
                               {"text", segment.text}};
  return json::to_text(data);
}

// ---- followers

EventPointer Follower::next() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return nullptr;
  EventPointer event = std::move(waiting_.front());
  waiting_.pop_front();
  return event;
}

bool Follower::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_ && waiting_.empty();
}

void Follower::on_ready(std::function<void()> wake) {
  std::function<void()> now;
  {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
    if (ended_ || !waiting_.empty()) now = wake_;
  }
  if (now) now();
}

bool Follower::follows(std::string_view user_id, std::string_view subject_id, bool ephemeral) const {
  return user_id_ == user_id && (subject_id_ == subject_id || (subject_id_.empty() && !ephemeral));
}

void Follower::push(const EventPointer& event) {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (waiting_.size() >= limits::kWaitingEvents) {
      waiting_.clear();
      ended_ = true;
    } else {
      waiting_.push_back(event);
    }
    wake = wake_;
  }
  if (wake) wake();
}

void Follower::end() {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    wake = wake_;
  }
  if (wake) wake();
}

// ---- the hub

Hub::Hub(store::Store& store) : store_(store) {
  static constexpr Statement kLast{"events.last", "SELECT COALESCE(MAX(id), 0) FROM events"};
  const auto read = store_.read([&](store::Reader& reader) -> Result<void> {
    last_id_ = TRY(reader.row(kLast))->integer(0);
    return {};
  });
  if (!read) log::error("events: {} {}", read.error().message, read.error().detail);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Hub::~Hub() {
  thread_.request_stop();
  thread_.join();
  for (const auto& weak : followers_) {
    if (const auto follower = weak.lock()) follower->end();
  }
}

Hub::Start Hub::follow(std::string user_id, std::string subject_id) {
  Start start;
  start.follower = std::make_shared<Follower>();
  start.follower->user_id_ = std::move(user_id);
  start.follower->subject_id_ = std::move(subject_id);
  const std::lock_guard lock(mutex_);
  std::erase_if(followers_, [](const auto& weak) { return weak.expired(); });
  followers_.push_back(start.follower);
  start.last_id = last_id_;
  for (const auto& [id, live] : live_) {
    if (start.follower->follows(live.job.user_id, id, live.job.ephemeral)) start.live.push_back(live.job);
  }
  return start;
}

std::optional<LiveJob> Hub::live(std::string_view job_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(job_id);
  return found == live_.end() ? std::nullopt : std::optional(found->second.job);
}

size_t Hub::follower_count() const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(followers_.begin(), followers_.end(), [](const auto& weak) { return !weak.expired(); }));
}

Result<std::optional<std::vector<Event>>> Hub::replay(std::string_view user_id, std::string_view subject_id,
                                                      int64_t after, int64_t until) const {
  static constexpr Statement kOldest{"events.oldest", "SELECT COALESCE(MIN(id), 0) FROM events"};
  static constexpr Statement kOfUser{
      "events.of_user",
      "SELECT id, user_id, name, subject_id, data, ephemeral FROM events WHERE user_id = $1 "
      "AND id > $2 AND id <= $3 AND ephemeral = 0 ORDER BY id LIMIT $4"};
  static constexpr Statement kOfSubject{"events.of_subject",
                                        "SELECT id, user_id, name, subject_id, data, ephemeral FROM events "
                                        "WHERE subject_id = $5 AND user_id = $1 "
                                        "AND id > $2 AND id <= $3 ORDER BY id LIMIT $4"};
  std::optional<std::vector<Event>> events;
  TRY(store_.read([&](store::Reader& reader) -> Result<void> {
    events.reset();
    const int64_t oldest = TRY(reader.row(kOldest))->integer(0);
    if (after > until || (oldest > 0 && after + 1 < oldest)) return {};
    const auto most = static_cast<int64_t>(limits::kWaitingEvents);
    const auto rows = subject_id.empty()
                          ? TRY(reader.rows(kOfUser, user_id, after, until, most + 1))
                          : TRY(reader.rows(kOfSubject, user_id, after, until, most + 1, subject_id));
    if (static_cast<int64_t>(rows.size()) > most) return {};
    events.emplace();
    for (const Row& row : rows) events->push_back(event_from(row));
    return {};
  }));
  return events;
}

void Hub::notice(const store::Notice& notice) {
  if (notice.channel == "events") put({Work::Kind::rows, {}, {}, {}, {}, 1});
}

void Hub::announce(Event event) {
  put({Work::Kind::event, {}, {}, {}, std::make_shared<Event>(std::move(event))});
}

void Hub::begin(const Job& job) {
  LiveJob live{job.id, job.user_id, job.attempt, "preparing", 0, {}, {}, job.ephemeral_until_ms.has_value()};
  put({Work::Kind::begin, job.id, std::move(live), {}, {}});
}

void Hub::progress(const Job& job, std::string stage, double progress, std::optional<double> eta_s) {
  put({Work::Kind::progress,
       job.id,
       {job.id, job.user_id, job.attempt, std::move(stage), progress, eta_s, {}, false},
       {},
       {}});
}

void Hub::words(const Job& job, std::vector<transcript::Word> words) {
  put({Work::Kind::words, job.id, {}, std::move(words), {}});
}

void Hub::finish(const Job& job) {
  put({Work::Kind::finish, job.id, {}, {}, {}});
}

void Hub::put(Work work) {
  {
    const std::lock_guard lock(queue_mutex_);
    // Rows are read as many as were told of, so that those of a job come before what its slot says next, and
    // after what it said before.
    if (work.kind == Work::Kind::rows && !queue_.empty() && queue_.back().kind == Work::Kind::rows) {
      queue_.back().count += work.count;
      return;
    }
    queue_.push_back(std::move(work));
  }
  queue_filled_.notify_one();
}

void Hub::run(const std::stop_token& stop) {
  for (;;) {
    Work work;
    {
      std::unique_lock lock(queue_mutex_);
      const bool filled = queue_filled_.wait_for(lock, stop, kPollInterval, [&] { return !queue_.empty(); });
      if (!filled && stop.stop_requested()) return;
      if (filled) {
        work = std::move(queue_.front());
        queue_.pop_front();
      } else {
        work.kind = Work::Kind::rows;
        work.count = std::numeric_limits<int64_t>::max();
      }
    }
    perform(work);
  }
}

void Hub::perform(Work& work) {
  if (work.kind == Work::Kind::rows) return read_rows(work.count);
  const std::lock_guard lock(mutex_);
  if (work.kind == Work::Kind::event) return tell(work.event);
  if (work.kind == Work::Kind::begin) {
    live_[work.job_id] = {std::move(work.live), {}};
    return;
  }
  const auto found = live_.find(work.job_id);
  if (found == live_.end()) return;
  Live& live = found->second;
  switch (work.kind) {
    case Work::Kind::progress:
      if (comes_after_words(work.live.stage)) tell_segments(live, true);
      live.job.stage = std::move(work.live.stage);
      live.job.progress = std::max(live.job.progress, work.live.progress);
      live.job.eta_s = work.live.eta_s;
      tell(std::make_shared<Event>(Event{{},
                                         live.job.user_id,
                                         "transcription.progress",
                                         live.job.id,
                                         live.job.progress_data(),
                                         live.job.ephemeral}));
      return;
    case Work::Kind::words:
      live.tail.insert(live.tail.end(), std::make_move_iterator(work.words.begin()),
                       std::make_move_iterator(work.words.end()));
      return tell_segments(live, false);
    case Work::Kind::finish:
      tell_segments(live, true);
      live_.erase(found);
      return;
    case Work::Kind::rows:
    case Work::Kind::event:
    case Work::Kind::begin:
      return;
  }
}

void Hub::read_rows(int64_t most) {
  static constexpr Statement kNew{
      "events.new",
      "SELECT id, user_id, name, subject_id, data, ephemeral FROM events WHERE id > $1 ORDER BY id LIMIT $2"};
  constexpr int64_t kAtOnce = 1000;
  while (most > 0) {
    std::vector<Row> rows;
    const auto read = store_.read([&](store::Reader& reader) -> Result<void> {
      rows = TRY(reader.rows(kNew, last_id_, std::min(most, kAtOnce)));
      return {};
    });
    if (!read) return log::error("events: {} {}", read.error().message, read.error().detail);
    if (rows.empty()) return;
    most -= static_cast<int64_t>(rows.size());
    const std::lock_guard lock(mutex_);
    for (const Row& row : rows) {
      const auto event = std::make_shared<Event>(event_from(row));
      last_id_ = *event->id;
      if (on_event_) on_event_(*event);
      tell(event);
    }
  }
}

void Hub::tell(const EventPointer& event) {
  for (const auto& weak : followers_) {
    const auto follower = weak.lock();
    if (follower && follower->follows(event->user_id, event->subject_id, event->ephemeral))
      follower->push(event);
  }
}

// Segments are cut from left to right, so all but the last are final.
void Hub::tell_segments(Live& live, bool all) {
  if (live.tail.empty()) return;
  transcript::MergeInput input;
  input.words = live.tail;
  input.duration_s = live.tail.back().end;
  transcript::Document document = transcript::merge(std::move(input));
  const size_t final_count = document.segments.size() - (all || document.segments.empty() ? 0 : 1);
  size_t words = 0;
  for (size_t i = 0; i < final_count; ++i) {
    transcript::Segment& segment = document.segments[i];
    words = segment.first_word + segment.word_count;
    segment.id = fmt::format("seg_{:06}", live.job.segments.size() + 1);
    tell(std::make_shared<Event>(Event{{},
                                       live.job.user_id,
                                       "transcription.segment",
                                       live.job.id,
                                       live.job.segment_data(segment),
                                       live.job.ephemeral}));
    live.job.segments.push_back(std::move(segment));
  }
  live.tail.erase(live.tail.begin(), live.tail.begin() + static_cast<std::ptrdiff_t>(words));
}

}  // namespace hansard::jobs
