#include "metrics/metrics.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <fmt/format.h>

#include "base/temporary_folder.h"
#include "http/test_client.h"
#include "store/sqlite/sqlite_store.h"

namespace hansard::metrics {
namespace {

class MetricsTest : public testing::Test {
 protected:
  // What a scrape over HTTP reads.
  std::string scrape() {
    const auto server = http::Server::open({.port = 0, .workers = 1}, metrics_.routes(*store_)).value();
    server->start();
    const http::ClientResponse response = http::Client(server->port()).request("GET", "/metrics");
    EXPECT_EQ(response.status, 200);
    EXPECT_TRUE(response.headers.at("content-type").starts_with("text/plain; version=0.0.4"));
    return "\n" + response.body;
  }
  void expect_line(const std::string& line) {
    const std::string text = scrape();
    EXPECT_NE(text.find("\n" + line + "\n"), std::string::npos) << line << " is not in" << text;
  }

  const TemporaryFolder folder_;
  const std::unique_ptr<store::Store> store_ = store::open_sqlite(folder_ / "hansard.db", {}).value();
  Metrics metrics_;
};

TEST_F(MetricsTest, AnswersAreCountedByRouteMethodAndStatus) {
  using std::chrono::duration;
  metrics_.answered({"GET", "/files/{id}", 200, duration<double>(0.003)});
  metrics_.answered({"GET", "/files/{id}", 200, duration<double>(0.2)});
  metrics_.answered({"DELETE", "/files/{id}", 204, duration<double>(0.003)});
  metrics_.answered({"SECRET", "", 404, duration<double>(0.001)});
  expect_line(R"(hansard_http_requests_total{method="GET",route="/files/{id}",status="200"} 2)");
  expect_line(R"(hansard_http_requests_total{method="DELETE",route="/files/{id}",status="204"} 1)");
  expect_line(R"(hansard_http_requests_total{method="other",route="none",status="404"} 1)");
  expect_line(R"(hansard_http_request_seconds_bucket{method="GET",route="/files/{id}",le="0.005"} 1)");
  expect_line(R"(hansard_http_request_seconds_bucket{method="GET",route="/files/{id}",le="0.25"} 2)");
  expect_line(R"(hansard_http_request_seconds_count{method="GET",route="/files/{id}"} 2)");
}

TEST_F(MetricsTest, JobsAreCountedByWhatHappensToThem) {
  expect_line(R"(hansard_jobs_total{event="failed"} 0)");
  for (const char* name : {"transcription.created", "transcription.created", "transcription.completed",
                           "transcription.deleted", "file.ready", "transcription.canceled"}) {
    metrics_.happened({1, "ann", name, "secret", "{}"});
  }
  metrics_.claimed();
  metrics_.attempted({.stage_seconds = {{"transcribing", 4}}, .seconds = 5, .audio_s = 50});
  metrics_.attempted(
      {.error = Error{ErrorCode::engine_crashed, "secret", ""}, .stage_seconds = {{"preparing", 1}}});
  metrics_.attempted({.error = Error{ErrorCode::canceled, "", ""}, .held = false});
  metrics_.attempted({.error = Error{ErrorCode::canceled, "", ""}});
  expect_line(R"(hansard_jobs_total{event="created"} 2)");
  expect_line(R"(hansard_jobs_total{event="completed"} 1)");
  expect_line(R"(hansard_jobs_total{event="canceled"} 1)");
  expect_line("hansard_job_claims_total 1");
  expect_line(R"(hansard_job_attempts_total{outcome="completed"} 1)");
  expect_line(R"(hansard_job_attempts_total{outcome="engine_crashed"} 1)");
  expect_line(R"(hansard_job_attempts_total{outcome="taken_away"} 1)");
  expect_line(R"(hansard_job_attempts_total{outcome="released"} 1)");
  expect_line(R"(hansard_stage_seconds_sum{stage="transcribing"} 4)");
  expect_line("hansard_real_time_factor_sum 0.1");
  expect_line("hansard_real_time_factor_count 1");
  EXPECT_EQ(scrape().find("secret"), std::string::npos);
  EXPECT_EQ(scrape().find("preparing"), std::string::npos);
}

TEST_F(MetricsTest, TheQueueIsCountedWhenItIsAskedFor) {
  static constexpr store::Statement kUser{
      "test.user",
      "INSERT INTO users (id, username, role, created_at, updated_at) VALUES ('ann', 'ann', 'admin', 1, 1)"};
  static constexpr store::Statement kFile{
      "test.file",
      "INSERT INTO files (id, user_id, title, kind, status, blob, size_bytes, sha256, created_at, "
      "updated_at) "
      "VALUES ('file_1', 'ann', 'secret', 'audio', 'ready', 'files/1', 1, "
      "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1, 1)"};
  static constexpr store::Statement kAge{"test.age",
                                         "UPDATE transcriptions SET queued_at = queued_at - 60000"};
  expect_line(R"(hansard_queue_jobs{status="queued"} 0)");
  const jobs::FifoPolicy policy;
  const auto written = store_->write([&](store::Transaction& transaction) -> Result<void> {
    TRY(transaction.change(kUser));
    TRY(transaction.change(kFile));
    for (int i = 0; i < 3; ++i) {
      TRY(jobs::enqueue(transaction, {.user_id = "ann", .file_id = "file_1", .title = "secret"}));
    }
    TRY(jobs::claim(transaction, policy, "slot", 1000));
    TRY(transaction.change(kAge));
    return {};
  });
  ASSERT_TRUE(written) << written.error().message << written.error().detail;
  expect_line(R"(hansard_queue_jobs{status="queued"} 2)");
  expect_line(R"(hansard_queue_jobs{status="processing"} 1)");
  const std::string text = scrape();
  EXPECT_NE(text.find("\nhansard_queue_oldest_seconds 6"), std::string::npos) << text;
  EXPECT_EQ(text.find("secret"), std::string::npos);
}

TEST_F(MetricsTest, EnginesAreAliveWhileTheyHaveMemory) {
  metrics_.engine_started(::getpid());
  metrics_.engine_started(1 << 30);  // gone without a word
  expect_line("hansard_engines 1");
  EXPECT_EQ(scrape().find("\nhansard_engine_resident_bytes 0\n"), std::string::npos);
  metrics_.engine_ended(::getpid(), true);
  metrics_.engine_ended(1 << 30, false);
  expect_line("hansard_engines 0");
  expect_line("hansard_engine_resident_bytes 0");
  expect_line("hansard_engine_starts_total 2");
  expect_line("hansard_engine_deaths_total 1");
}

TEST_F(MetricsTest, GaugesAreLookedUp) {
  double streams = 3;
  metrics_.add_gauge("hansard_event_streams", "Event streams", [&] { return streams; });
  expect_line("hansard_event_streams 3");
  streams = 4;
  expect_line("hansard_event_streams 4");
}

}  // namespace
}  // namespace hansard::metrics
