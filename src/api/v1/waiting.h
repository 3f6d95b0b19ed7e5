// Requests that stay until their transcript is there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/v1/common.h"
#include "auth/standing.h"
#include "jobs/hub.h"
#include "transcript/document.h"

namespace hansard::api::v1 {

// A job that a client waits for. One thread at a time.
class WaitedJob {
 public:
  // Of a job that was made by this request and whose row is durable.
  WaitedJob(Services& services, const Request& request, const jobs::Job& job);
  // An ephemeral job that has not ended is canceled: nobody waits for it any longer.
  ~WaitedJob();
  WaitedJob(const WaitedJob&) = delete;
  WaitedJob& operator=(const WaitedJob&) = delete;

  // What was said so far and is final; the first call has all since the job was taken up.
  std::vector<transcript::Segment> new_segments();

  // The job once it has ended, with the transcript where it was completed. Asks the database, unless all that
  // was heard since the last time is progress. 401 where the right of who waits was taken away.
  struct Ended {
    jobs::Job job;
    std::optional<transcript::Document> document;
  };
  Outcome<std::optional<Ended>> ended();

  void on_ready(std::function<void()> wake) { follower_->on_ready(std::move(wake)); }

 private:
  void take_events();

  Services& services_;
  const std::string id_;
  const bool ephemeral_;
  std::shared_ptr<jobs::Follower> follower_;
  std::shared_ptr<const auth::Standing> standing_;
  std::vector<transcript::Segment> segments_;  // not yet asked for
  std::string last_segment_;                   // id; another attempt tells the first ones again
  bool heard_ = false;                         // something, since the last look
  bool changed_ = false;                       // and it was no progress
  bool ended_ = false;
};

// How a recording that came with a request is to be transcribed for it.
struct WaitedWork {
  jobs::JobOptions options;
  std::string client;     // "openai"
  bool ephemeral = true;  // in no list, erased some time after
};
// Keeps the recording of a form and queues its job, both or neither. Short ones come before what others have
// queued for later.
Outcome<jobs::Job> queue_waited(Services& services, const Request& request, Upload& upload,
                                const WaitedWork& work);

// Why there is no transcript, as a problem.
Problem problem_of(const jobs::Job& job);

// "options.language" → "language": those routes have options as fields of their own.
void drop_options_prefix(std::string& field);
// {"detail": …}, as FastAPI writes it: the shape of refusals under Cesar and whisper-asr-webservice.
Response detail_refusal(const Problem& problem, std::string_view request_id);

}  // namespace hansard::api::v1
