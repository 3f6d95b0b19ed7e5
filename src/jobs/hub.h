// Tells whoever follows what happens: events that are rows, in the order of their commits, and between them
// the progress and the segments of running jobs, which are told and not kept. A follower that is too far
// behind is dropped; nobody waits for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "jobs/job.h"
#include "store/store.h"
#include "transcript/document.h"

namespace hansard::jobs {

struct Event {
  std::optional<int64_t> id;  // of its row; nothing for progress and segments
  std::string user_id;
  std::string name;        // "transcription.progress"
  std::string subject_id;  // the transcription or the file
  std::string data;        // JSON
  bool ephemeral = false;  // for who follows its subject alone
};
using EventPointer = std::shared_ptr<const Event>;

// What is known of a running job beyond its row.
struct LiveJob {
  std::string id;
  std::string user_id;
  int64_t attempt = 0;
  std::string stage;
  double progress = 0;
  std::optional<double> eta_s;
  std::vector<transcript::Segment> segments;  // those that are final, without speakers
  bool ephemeral = false;

  std::string progress_data() const;  // of "transcription.progress"
  std::string segment_data(const transcript::Segment& segment) const;
};

class Follower {
 public:
  // The next event, or null when there is none now. Any thread, one at a time.
  EventPointer next();
  // It fell behind, or the hub has ended: nothing more comes after what next() still has.
  bool ended() const;
  void on_ready(std::function<void()> wake);

 private:
  friend class Hub;
  bool follows(std::string_view user_id, std::string_view subject_id, bool ephemeral) const;
  void push(const EventPointer& event);
  void end();

  std::string user_id_;
  std::string subject_id_;  // empty: everything of the user
  mutable std::mutex mutex_;
  std::deque<EventPointer> waiting_;
  bool ended_ = false;
  std::function<void()> wake_;
};

class Hub {
 public:
  explicit Hub(store::Store& store);
  ~Hub();

  // Follows from now on: rows up to `last_id` are the past.
  struct Start {
    std::shared_ptr<Follower> follower;
    int64_t last_id = 0;
    std::vector<LiveJob> live;  // of what is followed
  };
  Start follow(std::string user_id, std::string subject_id);
  std::optional<LiveJob> live(std::string_view job_id) const;
  size_t follower_count() const;

  // Rows after `after`, up to `until`, that a follower of user and subject (empty: all) would have got.
  // Nothing where some of them are no longer kept.
  Result<std::optional<std::vector<Event>>> replay(std::string_view user_id, std::string_view subject_id,
                                                   int64_t after, int64_t until) const;

  // Told of every event that is a row, in their order, on the hub's thread. Before the first notice.
  void on_event(std::function<void(const Event&)> told) { on_event_ = std::move(told); }

  // Of the store's notices those on channel "events". Any thread.
  void notice(const store::Notice& notice);

  // Tells those who follow its user or its subject of something that is not kept. Any thread.
  void announce(Event event);

  // Of the slot that runs a job, in this order.
  void begin(const Job& job);
  void progress(const Job& job, std::string stage, double progress, std::optional<double> eta_s);
  void words(const Job& job, std::vector<transcript::Word> words);
  void finish(const Job& job);

 private:
  struct Work {
    enum class Kind { rows, event, begin, progress, words, finish } kind;
    std::string job_id;
    LiveJob live;  // of begin and progress
    std::vector<transcript::Word> words;
    EventPointer event;
    int64_t count = 0;  // of rows
  };
  struct Live {
    LiveJob job;
    std::vector<transcript::Word> tail;  // not yet in a final segment
  };

  void put(Work work);
  void run(const std::stop_token& stop);
  void perform(Work& work);
  void read_rows(int64_t most);
  void tell(const EventPointer& event);
  void tell_segments(Live& live, bool all);

  store::Store& store_;
  std::function<void(const Event&)> on_event_;
  mutable std::mutex mutex_;  // of followers, live jobs and last_id_
  std::vector<std::weak_ptr<Follower>> followers_;
  std::map<std::string, Live, std::less<>> live_;
  int64_t last_id_ = 0;

  std::mutex queue_mutex_;
  std::condition_variable_any queue_filled_;
  std::deque<Work> queue_;
  std::jthread thread_;
};

}  // namespace hansard::jobs
