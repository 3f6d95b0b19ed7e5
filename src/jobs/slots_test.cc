// Slots over a real store, real blobs, the real pipeline and ffmpeg; the engine alone is a fake that fails as
// it is told.

#include "jobs/slots.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <semaphore>
#include <thread>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/parts_folder.h"
#include "base/temporary_folder.h"
#include "blob/file/file_blobs.h"
#include "store/relay.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::jobs {
namespace {

using namespace std::chrono_literals;
using store::Statement;
using store::Transaction;

// What the fake does; shared by all that a slot opens.
struct Script {
  std::atomic<int> transcribe_crashes = 0;  // so many of the next calls
  std::atomic<bool> voices_crash = false;
  std::atomic<bool> hangs = false;  // transcribe() waits for its stop
  std::binary_semaphore began{0};   // transcribe() was called, while it hangs
  std::atomic<int> transcribed = 0;
  int groups = 1;                           // of each recording
  std::function<void(int group)> on_group;  // called before a group is given
};

class FakeProvider : public engine::Provider {
 public:
  explicit FakeProvider(Script& script) : script_(script) {}
  std::string_view id() const override { return "fake"; }
  Result<engine::Capabilities> capabilities() override {
    return engine::Capabilities{"fake", "cpu", "", "int8", "test"};
  }
  Result<void> prepare(const models::Installed&, std::stop_token) override { return {}; }
  Result<engine::Plan> plan(const Pcm& pcm, const engine::PlanRequest&, engine::Sink&,
                            std::stop_token) override {
    engine::Plan plan;
    for (int group = 0; group < script_.groups; ++group) {
      plan.windows.push_back({{{0, pcm.sample_count()}}, "en"});
      plan.groups.push_back({group, 1});
    }
    plan.language = "en";
    return plan;
  }
  Result<void> transcribe(const Pcm&, const engine::TranscribeRequest& request, engine::Sink& sink,
                          std::stop_token stop) override {
    if (script_.hangs) {
      script_.began.release();
      std::mutex mutex;
      std::condition_variable_any never;
      std::unique_lock lock(mutex);
      never.wait(lock, stop, [] { return false; });
      return fail(ErrorCode::canceled, "canceled");
    }
    if (script_.transcribe_crashes > 0) {
      --script_.transcribe_crashes;
      return fail(ErrorCode::engine_crashed, "the engine process died");
    }
    ++script_.transcribed;
    for (const int group : request.groups) {
      if (stop.stop_requested()) return fail(ErrorCode::canceled, "canceled");
      if (script_.on_group) script_.on_group(group);
      engine::GroupText text;
      text.group = group;
      text.windows = {{"en", {}, -0.1, 0, false, {{0.1, 0.4, " Hello", 0.9F}, {0.5, 0.8, " there.", 0.9F}}}};
      TRY(sink.group(text));
    }
    return {};
  }
  Result<std::string> voices(const Pcm&, const engine::VoicesRequest&, engine::Sink&,
                             std::stop_token) override {
    if (script_.voices_crash) return fail(ErrorCode::engine_crashed, "the engine process died");
    return "voices";
  }
  Result<std::vector<engine::Turn>> diarize(engine::DiarizeRequest, engine::Sink&, std::stop_token) override {
    return std::vector<engine::Turn>{{0, 1, 0}};
  }
  void close() override {}

 private:
  Script& script_;
};

// A second of a tone, as a WAV file.
std::string tone(double hertz) {
  constexpr uint32_t kRate = 16'000;
  std::string bytes = "RIFF";
  const auto u32 = [&](uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i));
  };
  const auto u16 = [&](uint16_t value) {
    for (int i = 0; i < 2; ++i) bytes += static_cast<char>(value >> (8 * i));
  };
  u32(36 + 2 * kRate);
  bytes += "WAVEfmt ";
  u32(16);
  u16(1);
  u16(1);
  u32(kRate);
  u32(2 * kRate);
  u16(2);
  u16(16);
  bytes += "data";
  u32(2 * kRate);
  for (uint32_t i = 0; i < kRate; ++i) {
    u16(static_cast<uint16_t>(static_cast<int16_t>(8000 * std::sin(hertz * 6.283185 * i / kRate))));
  }
  return bytes;
}

class SlotsModel : public testing::Test {
 protected:
  SlotsModel() {
    store_->listen([this](const store::Notice& notice) { relay_.notice(notice); });
    static constexpr Statement kUser{"test.user",
                                     "INSERT INTO users (id, username, role, created_at, updated_at) "
                                     "VALUES ('ann', 'ann', 'admin', 1, 1)"};
    in([](Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kUser));
      return {};
    });
    hub_ = std::make_unique<Hub>(*store_);
    open_slots({.poll_interval = 50ms});
  }
  ~SlotsModel() override {
    slots_->drain(0ms);
    relay_.tell({});
  }

  void open_slots(const SlotOptions& options) {
    relay_.tell({});
    slots_ = std::make_unique<Slots>(
        options,
        Workshop{.store = *store_,
                 .blobs = *blobs_,
                 .hub = *hub_,
                 .policy = policy_,
                 .library = library_,
                 .artifacts = artifacts_,
                 .spool_folder = folder_ / "spool",
                 .auto_download = false,
                 .open_provider =
                     [this](const engine::EngineOptions&) -> Result<std::unique_ptr<engine::Provider>> {
                   return std::make_unique<FakeProvider>(script_);
                 },
                 .on_claim = [this] { ++claims_; },
                 .on_end = [this](const AttemptReport& report) { reports_.push_back(report); }});
    relay_.tell([this](const store::Notice& notice) {
      hub_->notice(notice);
      slots_->notice(notice);
      if (notice.channel == "events") events_.release();
    });
  }

  void in(const store::Store::Work& work) {
    const auto written = store_->write(work);
    EXPECT_TRUE(written) << written.error().message << written.error().detail;
  }

  std::string enqueue_file(std::string_view bytes, std::string options = "{}", double duration_s = 3600) {
    static constexpr Statement kFile{"test.file",
                                     "INSERT INTO files (id, user_id, title, kind, status, blob, size_bytes, "
                                     "sha256, duration_seconds, created_at, updated_at) "
                                     "VALUES ($1, 'ann', 'tone', 'audio', 'ready', $1, 1, $2, $3, 1, 1)"};
    const std::string name = fmt::format("file_{}", ++files_);
    EXPECT_TRUE(blobs_->put(name, bytes));
    std::string id;
    in([&](Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kFile, name, sha256_hex(bytes), duration_s));
      id = TRY(enqueue(transaction, {.user_id = "ann", .file_id = name, .title = "tone", .options = options}))
               .id;
      return {};
    });
    return id;
  }
  Job job(const std::string& id) {
    std::optional<Job> found;
    EXPECT_TRUE(store_->read([&](store::Reader& reader) -> Result<void> {
      found = TRY(find(reader, id));
      return {};
    }));
    return found.value();
  }
  // Waits for a job's end; each change of state is an event.
  Job ended(const std::string& id) {
    for (;;) {
      const Job now = job(id);
      if (now.status != Status::queued && now.status != Status::processing) return now;
      events_.acquire();
    }
  }
  std::string document(const std::string& id) {
    static constexpr Statement kDocument{"test.document",
                                         "SELECT document FROM transcripts WHERE transcription_id = $1"};
    std::string text;
    EXPECT_TRUE(store_->read([&](store::Reader& reader) -> Result<void> {
      if (const auto row = TRY(reader.row(kDocument, id))) text = row->text(0);
      return {};
    }));
    return text;
  }
  size_t blob_count(std::string_view prefix) {
    size_t count = 0;
    EXPECT_TRUE(blobs_->list(prefix, [&](const blob::Found&) { ++count; }));
    return count;
  }

  const TemporaryFolder folder_;
  std::counting_semaphore<> events_{0};
  Script script_;
  FifoPolicy policy_;
  int files_ = 0;
  std::atomic<int> claims_ = 0;
  std::vector<AttemptReport> reports_;  // of the one slot; to be read once it is drained
  models::Library library_{folder_ / "models", {parts_folder() / "models"}};
  pipeline::Artifacts artifacts_{folder_ / "cache", 1ULL << 30};
  std::unique_ptr<blob::Blobs> blobs_ = std::move(blob::open_file_blobs(folder_ / "blobs").value());
  store::Relay relay_;
  std::unique_ptr<store::Store> store_ = std::move(store::open_sqlite(folder_ / "hansard.db").value());
  std::unique_ptr<Hub> hub_;
  std::unique_ptr<Slots> slots_;
};

TEST_F(SlotsModel, AJobBecomesATranscriptAndItsBlob) {
  slots_->start();
  const std::string id = enqueue_file(tone(440));
  const Job done = ended(id);
  EXPECT_EQ(done.status, Status::completed);
  EXPECT_EQ(done.speaker_count, 1);
  EXPECT_EQ(done.language, "en");
  EXPECT_NE(document(id).find("Hello there."), std::string::npos);
  const UniqueFd fd = blobs_->open(fmt::format("transcripts/{}/1.json", id)).value();
  EXPECT_EQ(sha256_of_file(fd.get()).value(), sha256_hex(document(id)));
}

TEST_F(SlotsModel, AnEngineThatDiesInEveryDiarizationCostsNoTranscript) {
  script_.voices_crash = true;
  slots_->start();
  for (const double hertz : {300.0, 400.0, 500.0}) {
    const Job done = ended(enqueue_file(tone(hertz)));
    EXPECT_EQ(done.status, Status::completed);
    EXPECT_EQ(done.diarization_error_code, "crashed");
    EXPECT_NE(done.warnings.find("DIARIZATION_FAILED"), std::string::npos);
    EXPECT_NE(document(done.id).find("Hello there."), std::string::npos);
    EXPECT_EQ(done.attempt, 1);
  }
}

TEST_F(SlotsModel, AnEngineThatDiesOnceCostsAnAttempt) {
  script_.transcribe_crashes = 1;
  slots_->start();
  const Job done = ended(enqueue_file(tone(440)));
  EXPECT_EQ(done.status, Status::completed);
  EXPECT_EQ(done.crashes, 1);
}

TEST_F(SlotsModel, EachAttemptIsReported) {
  script_.transcribe_crashes = 1;
  slots_->start();
  EXPECT_EQ(ended(enqueue_file(tone(440))).status, Status::completed);
  slots_->drain(10s);
  EXPECT_EQ(claims_, 2);
  ASSERT_EQ(reports_.size(), 2U);
  EXPECT_EQ(reports_[0].error->code, ErrorCode::engine_crashed);
  EXPECT_TRUE(reports_[0].held);
  EXPECT_EQ(reports_[0].audio_s, 0);
  EXPECT_FALSE(reports_[1].error);
  EXPECT_TRUE(reports_[1].stage_seconds.contains("transcribing"));
  EXPECT_GT(reports_[1].seconds, 0);
  EXPECT_GT(reports_[1].audio_s, 0);
}

TEST_F(SlotsModel, ACanceledAttemptIsReportedAsTakenAway) {
  script_.hangs = true;
  slots_->start();
  const std::string id = enqueue_file(tone(440));
  script_.began.acquire();
  in([&](Transaction& transaction) -> Result<void> {
    TRY(cancel(transaction, id));
    return {};
  });
  slots_->drain(10s);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_FALSE(reports_[0].held);
}

TEST_F(SlotsModel, AnEngineThatDiesEveryTimeFailsTheJob) {
  script_.transcribe_crashes = 1000;
  slots_->start();
  const Job done = ended(enqueue_file(tone(440)));
  EXPECT_EQ(done.status, Status::failed);
  EXPECT_EQ(done.error_code, "ENGINE_CRASHED");
  EXPECT_EQ(1000 - script_.transcribe_crashes, limits::kTranscribeCrashes);
  EXPECT_EQ(blob_count("transcripts/"), 0U);
}

TEST_F(SlotsModel, WhatCannotBeDecodedIsNotTriedAgain) {
  slots_->start();
  const Job done = ended(enqueue_file("this is no recording"));
  EXPECT_EQ(done.status, Status::failed);
  EXPECT_EQ(done.failures, 0);
  EXPECT_EQ(done.error_code, "UNSUPPORTED_MEDIA");
}

TEST_F(SlotsModel, OptionsThatCannotBeReadFailTheJob) {
  slots_->start();
  EXPECT_EQ(ended(enqueue_file(tone(440), R"({"colour":1})")).error_code, "INVALID_REQUEST");
}

TEST_F(SlotsModel, CancelFreesTheSlot) {
  script_.hangs = true;
  slots_->start();
  const std::string first = enqueue_file(tone(440));
  script_.began.acquire();
  in([&](Transaction& transaction) -> Result<void> {
    EXPECT_TRUE(TRY(cancel(transaction, first)));
    return {};
  });
  script_.hangs = false;
  EXPECT_EQ(ended(enqueue_file(tone(500))).status, Status::completed);
  EXPECT_EQ(job(first).status, Status::canceled);
  EXPECT_EQ(blob_count("transcripts/" + first), 0U);
}

TEST_F(SlotsModel, DrainPutsBackWhatRunsAndClaimsNothing) {
  script_.hangs = true;
  slots_->start();
  const std::string running = enqueue_file(tone(440));
  const std::string waiting = enqueue_file(tone(500));
  script_.began.acquire();
  slots_->drain(0ms);
  EXPECT_EQ(slots_->alive(), 0);
  EXPECT_EQ(job(running).status, Status::queued);
  EXPECT_EQ(job(running).failures + job(running).crashes + job(running).recoveries, 0);
  EXPECT_EQ(job(waiting).attempt, 0);
}

TEST_F(SlotsModel, WhatIsReleasedIsNotClaimedAgain) {
  script_.hangs = true;
  slots_->start();
  const std::string id = enqueue_file(tone(440));
  script_.began.acquire();
  slots_->release_now();  // a second signal, before the first had anything drained
  while (slots_->alive() > 0 && claims_ == 1) std::this_thread::yield();
  EXPECT_EQ(claims_, 1);
  EXPECT_EQ(job(id).status, Status::queued);
  EXPECT_EQ(job(id).attempt, 2);  // claimed, put back
}

TEST_F(SlotsModel, EachChannelIsASpeaker) {
  // Two channels, of which neither is a copy of the other.
  std::string stereo = tone(440);
  stereo[22] = 2;
  slots_->start();
  const Job done = ended(enqueue_file(stereo, R"({"multichannel":true})"));
  EXPECT_EQ(done.status, Status::completed) << done.error_message.value_or("");
  EXPECT_EQ(done.speaker_count, 2);
  EXPECT_NE(document(done.id).find("SPEAKER_01"), std::string::npos);
  EXPECT_EQ(script_.transcribed, 2);
  // One channel is one speaker.
  EXPECT_EQ(ended(enqueue_file(tone(500), R"({"multichannel":true})")).speaker_count, 1);
}

TEST_F(SlotsModel, ALongJobMakesWayOnceForAShortOneAndGoesOn) {
  script_.groups = 3;
  std::string first;
  std::string second;
  int groups = 0;
  script_.on_group = [&](int) {
    ++groups;
    if (groups == 1) first = enqueue_file(tone(500), "{}", 10);
    // Of the long one again: it has just made way.
    if (groups == 5) second = enqueue_file(tone(600), "{}", 10);
  };
  const std::string id = enqueue_file(tone(440));
  slots_->start();
  const Job done = ended(id);
  EXPECT_EQ(done.status, Status::completed);
  EXPECT_EQ(done.attempt, 3);  // claimed, put back, claimed
  EXPECT_EQ(done.crashes + done.failures + done.recoveries, 0);
  EXPECT_LE(job(first).completed_at_ms, done.completed_at_ms);
  EXPECT_EQ(ended(second).status, Status::completed);
  EXPECT_GE(*job(second).started_at_ms, *done.completed_at_ms);
  EXPECT_EQ(groups, 9);  // no group twice
}

TEST_F(SlotsModel, WithoutTheShortLaneNobodyMakesWay) {
  open_slots({.poll_interval = 50ms, .short_lane = false});
  script_.groups = 3;
  std::string other;
  script_.on_group = [&](int) {
    if (other.empty()) other = enqueue_file(tone(500), "{}", 10);
  };
  const std::string id = enqueue_file(tone(440));
  slots_->start();
  EXPECT_EQ(ended(id).attempt, 1);
  EXPECT_EQ(ended(other).attempt, 1);
}

TEST_F(SlotsModel, AShortOneMakesNoWay) {
  script_.groups = 2;
  std::string other;
  script_.on_group = [&](int) {
    if (other.empty()) other = enqueue_file(tone(500), "{}", 10);
  };
  const std::string id = enqueue_file(tone(440), "{}", 60);
  slots_->start();
  EXPECT_EQ(ended(id).attempt, 1);
  EXPECT_EQ(ended(other).attempt, 1);
}

TEST_F(SlotsModel, NobodyMakesWayForALongOneOrALesserPriority) {
  script_.groups = 2;
  std::vector<std::string> others;
  script_.on_group = [&](int) {
    if (!others.empty()) return;
    others.push_back(enqueue_file(tone(500), "{}", 61));
    others.push_back(enqueue_file(tone(600), "{}", 10));
    static constexpr Statement kLesser{"test.lesser", "UPDATE transcriptions SET priority = 6 WHERE id = $1"};
    in([&](Transaction& transaction) -> Result<void> {
      TRY(transaction.change(kLesser, others.back()));
      return {};
    });
  };
  const std::string id = enqueue_file(tone(440));
  slots_->start();
  EXPECT_EQ(ended(id).attempt, 1);
  for (const std::string& other : others) EXPECT_EQ(ended(other).status, Status::completed);
}

TEST_F(SlotsModel, ARetryUsesWhatWasComputed) {
  slots_->start();
  EXPECT_EQ(ended(enqueue_file(tone(440))).status, Status::completed);
  EXPECT_EQ(ended(enqueue_file(tone(440))).status, Status::completed);
  EXPECT_EQ(script_.transcribed, 1);
  EXPECT_EQ(ended(enqueue_file(tone(440), R"({"no_cache":true})")).status, Status::completed);
  EXPECT_EQ(script_.transcribed, 2);
}

}  // namespace
}  // namespace hansard::jobs
