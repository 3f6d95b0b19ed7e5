// Recordings that a real server on the loopback gives, or does not.

#include "library/imports.h"

#include <atomic>
#include <latch>

#include <fmt/format.h>

#include "base/json.h"
#include "base/test_server.h"
#include "library/erasure.h"
#include "library/kept_library_test.h"
#include "media/made_media.h"

namespace hansard::library {
namespace {

using namespace std::chrono_literals;

class ImportsTest : public KeptLibrary {
 protected:
  ImportsTest() {
    relay_.tell([this](const store::Notice& notice) { happen(notice); });
  }
  ~ImportsTest() override { relay_.tell({}); }

  void happen(const store::Notice& notice) {
    if (notice.channel == "events" || notice.channel.starts_with("imports")) happened_.release();
  }

  void start() {
    imports_ = std::make_unique<Imports>(*store_, *blobs_, hub_,
                                         Imports::Options{.rules = rules_,
                                                          .most_bytes = [this] { return most_bytes_; },
                                                          .storage_limit_bytes = storage_limit_bytes_,
                                                          .backoff = 1ms});
    relay_.tell([this](const store::Notice& notice) {
      imports_->notice(notice);
      happen(notice);
    });
    imports_->start();
  }
  File import(const std::string& url, const std::optional<std::string>& title = {},
              const std::string& user = "ann") const {
    File file;
    write([&](store::Transaction& transaction) -> Result<void> {
      file = TRY(add_import(transaction, {.user_id = user, .kind = "url", .url = url, .title = title}));
      return {};
    });
    return file;
  }
  void wait_until(const std::function<bool()>& reached) {
    while (!reached()) happened_.acquire();
  }
  File settled(const File& file) {
    wait_until([&] { return found(file.id).status != "processing"; });
    return found(file.id);
  }
  int64_t rows(std::string_view user) const {
    static constexpr store::Statement kRows{"test.imports",
                                            "SELECT COUNT(*) FROM imports WHERE user_id = $1"};
    int64_t count = 0;
    read([&](store::Reader& reader) -> Result<void> {
      count = TRY(reader.row(kRows, user))->integer(0);
      return {};
    });
    return count;
  }
  // At once, as by one who does not wait for the file.
  std::pair<File, jobs::Job> import_with_job(const std::string& url) const {
    std::pair<File, jobs::Job> made;
    write([&](store::Transaction& transaction) -> Result<void> {
      made.first = TRY(add_import(transaction, {.user_id = "ann", .kind = "url", .url = url}));
      made.second = TRY(jobs::enqueue(
          transaction, {.user_id = "ann", .file_id = made.first.id, .title = "a", .file_ready = false}));
      return {};
    });
    return made;
  }
  jobs::Job now(const jobs::Job& job) const {
    std::optional<jobs::Job> found;
    read([&](store::Reader& reader) -> Result<void> {
      found = TRY(jobs::find(reader, job.id));
      return {};
    });
    return found.value_or(jobs::Job());
  }
  std::string wav() const {
    return read_file(made_.write_wav("a.wav", media::clicks(1), 1, 44100), 1 << 20).value();
  }

  media::MadeMedia made_;
  fetch::AddressRules rules_{Networks::parse({"127.0.0.1"}).value()};
  const uint64_t most_bytes_ = 1 << 20;
  uint64_t storage_limit_bytes_ = 0;
  std::counting_semaphore<> happened_{0};
  jobs::Hub hub_{*store_};
  std::unique_ptr<Imports> imports_;
};

TEST_F(ImportsTest, AFileIsBroughtAndItsJobCanRun) {
  const std::string bytes = wav();
  const TestServer server([&](const TestRequest&) -> TestResponse {
    return {.headers = {{"Content-Disposition", "attachment; filename=\"Talk \xe9.wav\""}}, .body = bytes};
  });
  const auto follower = hub_.follow("ann", "").follower;
  const auto [file, job] = import_with_job(server.address() + "/x.wav?token=secret");
  EXPECT_EQ(file.status, "processing");
  EXPECT_EQ(file.title, "x.wav");
  EXPECT_EQ(job.stage, "downloading");
  start();
  const File ready = settled(file);
  EXPECT_EQ(ready.status, "ready");
  EXPECT_EQ(ready.kind, "url");
  EXPECT_EQ(ready.title, "Talk \uFFFD.wav");
  EXPECT_EQ(ready.sha256, sha256_hex(bytes));
  EXPECT_EQ(ready.size_bytes, static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(ready.mime_type, "audio/wav");
  EXPECT_NEAR(ready.duration_s.value_or(0), 1, 0.01);
  EXPECT_EQ(now(job).stage, "queued");
  EXPECT_EQ(rows("ann"), 0);
  EXPECT_EQ(blobs(), (std::set<std::string>{"files/" + file.id}));
  jobs::EventPointer event;
  wait_until([&] { return (event = follower->next()) != nullptr; });
  ASSERT_TRUE(event);
  EXPECT_EQ(event->name, "file.processing");
  EXPECT_EQ(event->id, std::nullopt);
  EXPECT_NE(event->data.find("\"received_bytes\":"), std::string::npos) << event->data;
  const double progress = json::parse_object(event->data).value().at("progress").to_number<double>();
  EXPECT_GT(progress, 0);
  EXPECT_LE(progress, 1);
}

TEST_F(ImportsTest, TheTitleThatPeopleGaveStays) {
  const std::string bytes = wav();
  std::latch gate(1);
  const TestServer server([&](const TestRequest&) -> TestResponse {
    gate.wait();
    return {.headers = {{"Content-Disposition", "attachment; filename=theirs.wav"}}, .body = bytes};
  });
  const File named = import(server.address() + "/x.wav", "x.wav");
  const File renamed = import(server.address() + "/x.wav");
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(rename_file(transaction, "ann", renamed.id, "Mine"));
    return {};
  });
  start();
  gate.count_down();
  EXPECT_EQ(settled(named).title, "x.wav");
  EXPECT_EQ(settled(renamed).title, "Mine");
}

TEST_F(ImportsTest, WhatCannotBeHadFailsByKindAndLeavesNothing) {
  const TestServer server([&](const TestRequest& request) -> TestResponse {
    if (request.path == "/large") return {.body = std::string((1 << 20) + 1, 'x')};
    if (request.path == "/page") return {.headers = {{"Content-Type", "text/html"}}, .body = "<html></html>"};
    if (request.path == "/text") return {.body = "no sound"};
    if (request.path == "/empty") return {};
    return {.status = std::atoi(request.path.c_str() + 1)};
  });
  start();
  for (const auto& [path, code, message] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"/404", "UNAVAILABLE", "127.0.0.1 answered 404: there is nothing at this address"},
           {"/403", "PRIVATE", "127.0.0.1 answered 403: it is not for everyone"},
           {"/429", "RATE_LIMITED", "127.0.0.1 answered 429: it was asked too often; try again later"},
           {"/503", "NETWORK", "127.0.0.1 answered 503; try again later"},
           {"/large", "TOO_LARGE", "what 127.0.0.1 sends is larger than the 1 MB that are taken"},
           {"/page", "UNSUPPORTED_MEDIA", "there is a web page at this address, and no recording"},
           {"/text", "UNSUPPORTED_MEDIA", "this is not an audio or video file that ffmpeg can decode"},
           {"/empty", "MEDIA_UNREADABLE", "the file is empty"}}) {
    const auto [file, job] = import_with_job(server.address() + path);
    const File failed = settled(file);
    EXPECT_EQ(failed.status, "failed") << path;
    EXPECT_EQ(failed.error_code, code) << path;
    EXPECT_EQ(failed.error_message, message) << path;
    EXPECT_EQ(now(job).status, jobs::Status::failed) << path;
  }
  EXPECT_EQ(server.count("/503"), 3);  // the network may pass
  EXPECT_EQ(server.count("/404"), 1);
  const File refused = settled(import("http://localhost.localdomain:1/a.wav"));
  EXPECT_EQ(refused.status, "failed");
  for (const char* host : {"[::1]", "127.0.0.2", "0x7f000002", "169.254.169.254"}) {
    EXPECT_EQ(settled(import(fmt::format("http://{}:1/a.wav", host))).error_code, "ADDRESS_REFUSED") << host;
  }
  EXPECT_EQ(rows("ann"), 0);
  EXPECT_TRUE(blobs().empty());
}

TEST_F(ImportsTest, NoMoreIsTakenThanAUserMayHave) {
  const std::string bytes = wav();
  const TestServer server([&](const TestRequest&) -> TestResponse { return {.body = bytes}; });
  storage_limit_bytes_ = bytes.size() + 1000;
  start();
  EXPECT_EQ(settled(import(server.address() + "/a.wav")).status, "ready");
  EXPECT_EQ(settled(import(server.address() + "/b.wav")).error_code, "INSUFFICIENT_STORAGE");
}

TEST_F(ImportsTest, WhatTheNetworkDidNotGiveIsAskedForAgain) {
  const std::string bytes = wav();
  std::atomic<int> asked = 0;
  const TestServer server([&](const TestRequest&) -> TestResponse {
    const int before = asked++;
    if (before == 0) return {.status = 503};
    if (before == 1) return {.body = bytes, .break_after = 1000};
    return {.body = bytes};
  });
  start();
  const File ready = settled(import(server.address() + "/a.wav"));
  EXPECT_EQ(ready.status, "ready");
  EXPECT_EQ(ready.sha256, sha256_hex(bytes));
  EXPECT_EQ(asked, 3);
}

TEST_F(ImportsTest, DeletingAFileEndsItsImportAndOnesQueueHoldsUpNobodyElse) {
  const std::string bytes = wav();
  const TestServer server([&](const TestRequest& request) -> TestResponse {
    const bool silent = request.path.starts_with("/silent");
    return {.body = bytes,
            .break_after = silent ? std::optional<size_t>(1000) : std::nullopt,
            .silent_after = silent};
  });
  add_user("bob");
  start();
  const File first = import(server.address() + "/silent1");
  const File second = import(server.address() + "/silent2");
  const File third = import(server.address() + "/third");
  const File of_bob = import(server.address() + "/bob", {}, "bob");
  wait_until([&] { return rows("bob") == 0; });
  EXPECT_EQ(server.count("/third"), 0);
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(trash_file(transaction, "ann", first.id));
    return {};
  });
  EXPECT_EQ(settled(third).status, "ready");
  EXPECT_EQ(rows("ann"), 1);
  write([&](store::Transaction& transaction) -> Result<void> {
    TRY(purge_file(transaction, "ann", second.id));
    return {};
  });
  EXPECT_EQ(rows("ann"), 0);
  imports_->stop();
  EXPECT_EQ(blobs(), (std::set<std::string>{"files/" + third.id, "files/" + of_bob.id}));
}

TEST_F(ImportsTest, ARestartTakesUpWhatWasNotDone) {
  const std::string bytes = wav();
  std::atomic<bool> silent = true;
  std::latch asked(1);
  const TestServer server([&](const TestRequest&) -> TestResponse {
    if (!silent) return {.body = bytes};
    asked.count_down();
    return {.body = bytes, .break_after = 1000, .silent_after = true};
  });
  start();
  const File file = import(server.address() + "/a.wav");
  asked.wait();
  imports_.reset();
  EXPECT_EQ(found(file.id).status, "processing");
  EXPECT_TRUE(blobs().empty());
  silent = false;
  start();
  EXPECT_EQ(settled(file).status, "ready");
}

TEST_F(ImportsTest, AUserWhoGoesTakesWhatIsWaitingAlong) {
  const File file = import("http://127.0.0.1:1/a.wav");
  write([](store::Transaction& transaction) -> Result<void> {
    TRY(erase_rows(transaction, "ann"));
    return {};
  });
  EXPECT_EQ(found(file.id).id, "");
  EXPECT_EQ(rows("ann"), 0);
}

TEST_F(ImportsTest, OnlySoManyWait) {
  const auto add = [&] {
    return store_->write([](store::Transaction& transaction) -> Result<void> {
      TRY(add_import(transaction, {.user_id = "ann", .kind = "url", .url = "http://127.0.0.1:1/"}));
      return {};
    });
  };
  for (int64_t i = 0; i < limits::kImportsOfUser; ++i) ASSERT_TRUE(add());
  const auto one_more = add();
  ASSERT_FALSE(one_more);
  EXPECT_EQ(one_more.error().code, ErrorCode::rate_limited);
}

}  // namespace
}  // namespace hansard::library
