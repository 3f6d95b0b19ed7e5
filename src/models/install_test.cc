// Installing over a real HTTP server on the loopback that breaks off, lies, redirects and falls silent.
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "base/process.h"
#include "base/test_server.h"
#include "models/library.h"
#include "models/test_models.h"

namespace hansard::models {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const std::vector<Content> kContents{{"config.json", "{}"}, {"model.bin", noise(400'000, 7)}};
const std::string& kWeights = kContents[1].bytes;
constexpr const char* kId = "tiny-hub";

Model hub_model(const std::vector<Content>& contents = kContents) {
  Model model = catalog_model(kId, contents);
  model.sources.push_back({Source::From::hub, "someone/tiny@0123456789abcdef", {}, {}});
  return model;
}

const std::string& bytes_of(const TestRequest& request) {
  return request.path.ends_with("model.bin") ? kWeights : kContents[0].bytes;
}

TestResponse serve_all(const TestRequest& request) {
  return serve(request, bytes_of(request), "\"v1\"");
}

class Install : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("no_proxy", "*", 1);
    ::unsetenv("HF_ENDPOINT");
  }

  Library library(const TestServer& server, std::string token = {}) const {
    return Library(
        own(), {folder_ / "other"},
        {.endpoint = server.address(), .token = std::move(token), .retry_delay = 1ms, .catalog = catalog_});
  }
  fs::path own() const { return folder_ / "own"; }
  // Files of the model that an unfinished install left.
  std::vector<std::string> leftovers() const {
    std::vector<std::string> names;
    if (!fs::exists(own() / ".partial")) return names;
    for (const auto& entry : fs::recursive_directory_iterator(own() / ".partial")) {
      if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
    }
    return names;
  }

  TemporaryFolder folder_;
  std::vector<Model> catalog_{hub_model()};
};

TEST_F(Install, BringsEveryFileAndTellsHowFar) {
  TestServer server(serve_all);
  Library models = library(server);
  InstallProgress last;
  const auto installed = models.install("TINY-HUB", [&](const InstallProgress& p) { last = p; }, {});
  ASSERT_TRUE(installed) << installed.error().message;
  EXPECT_EQ(installed->folder, own() / kId);
  EXPECT_EQ(read(own() / kId / "model.bin"), kWeights);
  EXPECT_EQ(last.done_bytes, kWeights.size() + 2);
  EXPECT_EQ(last.total_bytes, kWeights.size() + 2);
  EXPECT_EQ(server.requests()[0].path, "/someone/tiny/resolve/0123456789abcdef/config.json");
  EXPECT_TRUE(models.verify(*models.find(kId), {}));
  EXPECT_NE(read(own() / kId / "model.json").find("MIT"), std::string::npos);
  EXPECT_TRUE(leftovers().empty());

  // It is there: nothing is asked for again.
  ASSERT_TRUE(models.install(kId, {}, {}));
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(Install, EndpointOfTheEnvironment) {
  TestServer server(serve_all);
  ::setenv("HF_ENDPOINT", (server.address() + "/").c_str(), 1);
  Library models(own(), {}, {.catalog = catalog_});
  EXPECT_TRUE(models.install(kId, {}, {}));
  ::unsetenv("HF_ENDPOINT");
}

TEST_F(Install, TheTokenStaysWithTheHub) {
  TestServer store(serve_all);
  TestServer hub([&store](const TestRequest& request) -> TestResponse {
    if (request.header("authorization") != "Bearer hf_secret") return {.status = 401};
    return {.status = 302, .headers = {{"Location", store.address() + request.path}}, .body = "over there"};
  });
  const auto without = library(hub).install(kId, {}, {});
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, ErrorCode::network);
  EXPECT_NE(without.error().message.find("HF_TOKEN"), std::string::npos) << without.error().message;
  EXPECT_TRUE(store.requests().empty());

  ASSERT_TRUE(library(hub, "hf_secret").install(kId, {}, {}));
  EXPECT_EQ(store.requests().size(), 2u);
  for (const TestRequest& request : store.requests()) EXPECT_EQ(request.header("authorization"), "");

  TestServer closed([](const TestRequest&) -> TestResponse { return {.status = 403}; });
  ASSERT_TRUE(library(closed).remove(kId));
  const auto refused = library(closed, "hf_other").install(kId, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ((refused.error().message + refused.error().detail).find("hf_other"), std::string::npos);
}

TEST_F(Install, GoesOnAfterACut) {
  std::atomic<int> cuts = 4;  // more than there are tries without gain
  TestServer server([&cuts](const TestRequest& request) {
    TestResponse response = serve_all(request);
    if (request.path.ends_with("model.bin") && cuts-- > 0) response.break_after = 70'000;
    return response;
  });
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  EXPECT_EQ(read(own() / kId / "model.bin"), kWeights);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 6u);
  EXPECT_EQ(requests[1].header("range"), "");
  EXPECT_EQ(requests[2].header("range"), "bytes=70000-");
  EXPECT_EQ(requests[2].header("if-range"), "\"v1\"");
  EXPECT_EQ(requests[5].header("range"), "bytes=280000-");
}

TEST_F(Install, ALaterRunGoesOnWhereAnEarlierOneEnded) {
  TestServer failing([](const TestRequest& request) -> TestResponse {
    if (!request.header("range").empty()) return {.status = 500};
    TestResponse response = serve_all(request);
    if (request.path.ends_with("model.bin")) response.break_after = 123'000;
    return response;
  });
  const auto failed = library(failing).install(kId, {}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::network);
  EXPECT_NE(failed.error().message.find("500"), std::string::npos) << failed.error().message;
  EXPECT_NE(failed.error().message.find("tried 3 times"), std::string::npos) << failed.error().message;
  EXPECT_EQ(library(failing).find(kId).error().code, ErrorCode::model_unavailable);

  TestServer server(serve_all);
  InstallProgress first;
  ASSERT_TRUE(library(server).install(kId,
                                      [&](const InstallProgress& p) {
                                        if (first.total_bytes == 0) first = p;
                                      },
                                      {}));
  EXPECT_EQ(server.count("config.json"), 0);
  EXPECT_EQ(server.requests()[0].header("range"), "bytes=123000-");
  EXPECT_EQ(read(own() / kId / "model.bin"), kWeights);
}

TEST_F(Install, AFileThatChangedMeanwhileBeginsAnew) {
  std::atomic<int> requests = 0;
  TestServer server([&requests](const TestRequest& request) {
    if (!request.path.ends_with("model.bin")) return serve_all(request);
    if (requests++ > 0) return serve(request, kWeights, "\"v2\"");
    TestResponse response = serve(request, noise(kWeights.size(), 99), "\"v1\"");
    response.break_after = 50'000;
    return response;
  });
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  EXPECT_EQ(read(own() / kId / "model.bin"), kWeights);
}

TEST_F(Install, AWrongOlderPieceBeginsAnew) {
  write(own() / ".partial" / kId / "hub-0123456789ab" / "model.bin.part", noise(5000, 3));
  TestServer server(serve_all);
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  EXPECT_EQ(server.count("model.bin"), 2);
  EXPECT_EQ(read(own() / kId / "model.bin"), kWeights);
}

TEST_F(Install, AServerWithoutRangesServes) {
  std::atomic<bool> cut = true;
  TestServer server([&cut](const TestRequest& request) {
    TestResponse response{.body = bytes_of(request)};
    if (request.path.ends_with("model.bin") && cut.exchange(false)) response.break_after = 200'000;
    return response;
  });
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  EXPECT_EQ(read(own() / kId / "model.bin"), kWeights);
}

TEST_F(Install, WrongBytesAreDeletedAndNamed) {
  TestServer server([](const TestRequest& request) {
    TestResponse response = serve_all(request);
    if (request.path.ends_with("model.bin")) response.body[1000] ^= 1;
    return response;
  });
  const auto failed = library(server).install(kId, {}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::model_corrupt);
  EXPECT_NE(failed.error().message.find("model.bin has another checksum than it should; it was deleted"),
            std::string::npos)
      << failed.error().message;
  EXPECT_EQ(leftovers(), std::vector<std::string>{"config.json"});
  EXPECT_FALSE(fs::exists(own() / kId));
}

TEST_F(Install, AnEndlessFileIsCutOff) {
  TestServer server([](const TestRequest&) -> TestResponse { return {.body = noise(900'000, 1)}; });
  const auto failed = library(server).install(kId, {}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::model_corrupt);
  EXPECT_NE(failed.error().message.find("config.json is larger than 2 bytes"), std::string::npos)
      << failed.error().message;
  EXPECT_TRUE(leftovers().empty());
}

// Where the catalog knows no checksum, the hub's own counts: SHA-256 for large files, git's name for small
// ones.
TEST_F(Install, UnpinnedFilesAreCheckedByTheHubsWord) {
  for (File& file : catalog_[0].files) file.sha256.clear();
  std::string linked = sha256_hex(kWeights);
  TestServer store(serve_all);
  TestServer hub([&](const TestRequest& request) -> TestResponse {
    // git hash-object of "{}" without an end of line
    if (request.path.ends_with("config.json")) {
      return serve(request, "{}", "\"9e26dfeeb6e641a33dae4961196235bdb965b21b\"");
    }
    return {.status = 302,
            .headers = {{"Location", store.address() + "/blob/model.bin"},
                        {"X-Linked-Etag", "\"" + linked + "\""},
                        {"X-Linked-Size", std::to_string(kWeights.size())}}};
  });
  linked[0] = linked[0] == '0' ? '1' : '0';
  const auto wrong = library(hub).install(kId, {}, {});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::model_corrupt);
  linked = sha256_hex(kWeights);
  const auto installed = library(hub).install(kId, {}, {});
  ASSERT_TRUE(installed) << installed.error().message;
  EXPECT_EQ(installed->files[1].sha256, linked);
  EXPECT_TRUE(library(hub).verify(*installed, {}));
}

TEST_F(Install, AnotherSizeAtTheHubIsRefusedAtOnce) {
  TestServer store(serve_all);
  TestServer hub([&](const TestRequest& request) -> TestResponse {
    return {.status = 302,
            .headers = {{"Location", store.address() + request.path}, {"X-Linked-Size", "99"}}};
  });
  EXPECT_EQ(library(hub).install(kId, {}, {}).error().code, ErrorCode::model_corrupt);
  EXPECT_TRUE(store.requests().empty());
}

TEST_F(Install, RedirectionsEnd) {
  TestServer server([](const TestRequest& request) -> TestResponse {
    return {.status = 302, .headers = {{"Location", request.path}}};
  });
  const auto circle = library(server).install(kId, {}, {});
  ASSERT_FALSE(circle);
  EXPECT_NE(circle.error().message.find("circle"), std::string::npos) << circle.error().message;
  TestServer file([](const TestRequest&) -> TestResponse {
    return {.status = 302, .headers = {{"Location", "file:///etc/passwd"}}};
  });
  EXPECT_EQ(library(file).install(kId, {}, {}).error().code, ErrorCode::network);
}

TEST_F(Install, WithoutNetworkTheMessageTellsTheWay) {
  std::string address;
  {
    const TestServer gone(serve_all);
    address = gone.address();
  }
  Library models(own(), {}, {.endpoint = address, .retry_delay = 1h, .catalog = catalog_});
  const auto failed = models.install(kId, {}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::network);
  const std::string& message = failed.error().message;
  EXPECT_TRUE(message.starts_with("model tiny-hub could not be installed: 127.0.0.1: ")) << message;
  EXPECT_TRUE(message.ends_with("hansard models import FOLDER --as tiny-hub")) << message;
}

TEST_F(Install, ModelsThatNoServerHasSayWhereTheyComeFrom) {
  catalog_.push_back(catalog_model("tiny-part", kContents));
  TestServer server(serve_all);
  const auto failed = library(server).install("tiny-part", {}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::model_unavailable);
  EXPECT_NE(failed.error().message.find("hansard models import"), std::string::npos)
      << failed.error().message;
  EXPECT_EQ(library(server).install("tiny-hob", {}, {}).error().code, ErrorCode::model_unknown);
}

TEST_F(Install, StopsWhenAsked) {
  std::stop_source stop;
  TestServer server([&stop](const TestRequest& request) {
    TestResponse response = serve_all(request);
    if (request.path.ends_with("model.bin")) {
      response.break_after = 10'000;
      response.silent_after = true;
      stop.request_stop();
    }
    return response;
  });
  EXPECT_EQ(library(server).install(kId, {}, stop.get_token()).error().code, ErrorCode::canceled);
  // What came is kept for the next time.
  TestServer whole(serve_all);
  EXPECT_TRUE(library(whole).install(kId, {}, {}));
}

TEST_F(Install, RepairsOnlyWhatIsWrong) {
  TestServer server(serve_all);
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  std::string altered = kWeights;
  altered[9] ^= 1;
  write(own() / kId / "model.bin", altered);
  ASSERT_TRUE(library(server).find(kId));  // sizes are right
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  EXPECT_EQ(read(own() / kId / "model.bin"), kWeights);
  EXPECT_EQ(server.count("model.bin"), 2);
  EXPECT_EQ(server.count("config.json"), 1);

  fs::resize_file(own() / kId / "model.bin", 17);
  EXPECT_EQ(library(server).find(kId).error().code, ErrorCode::model_corrupt);
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  EXPECT_TRUE(library(server).find(kId));
}

TEST_F(Install, ADamagedReadOnlyCopyIsShadowed) {
  lay_model(folder_ / "other", kId, kContents);
  fs::resize_file(folder_ / "other" / kId / "model.bin", 17);
  TestServer server(serve_all);
  EXPECT_EQ(library(server).find(kId).error().code, ErrorCode::model_corrupt);
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  EXPECT_EQ(library(server).find(kId)->folder, own() / kId);
  EXPECT_EQ(fs::file_size(folder_ / "other" / kId / "model.bin"), 17u);
}

TEST_F(Install, TheNextSourceServesWhereOneFails) {
  Source second{
      Source::From::hub, "other/tiny@fedcba9876543210", {}, files_of({{"model.bin", "other weights"}})};
  catalog_[0].sources.push_back(second);
  TestServer server([](const TestRequest& request) -> TestResponse {
    if (request.path.starts_with("/someone")) return {.status = 404};
    return serve(request, "other weights", "\"v1\"");
  });
  const auto installed = library(server).install(kId, {}, {});
  ASSERT_TRUE(installed) << installed.error().message;
  ASSERT_EQ(installed->files.size(), 1u);
  EXPECT_EQ(read(installed->folder / "model.bin"), "other weights");
  EXPECT_TRUE(library(server).verify(*installed, {}));
}

TEST_F(Install, RoomIsLookedForFirst) {
  catalog_[0].files[1].size_bytes = 1ULL << 50;
  TestServer server(serve_all);
  const auto failed = library(server).install(kId, {}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::insufficient_storage);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Install, RemoveTakesAwayWhatIsOurs) {
  TestServer server(serve_all);
  Library models = library(server);
  EXPECT_EQ(models.remove(kId).error().code, ErrorCode::not_found);
  EXPECT_EQ(models.remove("no-such").error().code, ErrorCode::model_unknown);
  EXPECT_EQ(models.remove("../own").error().code, ErrorCode::model_unknown);
  ASSERT_TRUE(models.install(kId, {}, {}));
  ASSERT_TRUE(models.remove(kId));
  EXPECT_FALSE(fs::exists(own() / kId));
  EXPECT_EQ(models.find(kId).error().code, ErrorCode::model_unavailable);
  lay_model(folder_ / "other", kId, kContents);
  EXPECT_EQ(models.remove(kId).error().code, ErrorCode::permission_denied);
  EXPECT_TRUE(models.find(kId));
}

// ---- several at once

TEST_F(Install, ThreadsInstallOnce) {
  TestServer server(serve_all);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] { good += library(server).install(kId, {}, {}) ? 1 : 0; });
    }
  }
  EXPECT_EQ(good, 4);
  EXPECT_EQ(server.count("model.bin"), 1);
}

// The body of the processes below, which run this program with another filter.
TEST_F(Install, DISABLED_InAnotherProcess) {
  std::signal(SIGXFSZ, SIG_IGN);
  Library models(std::getenv("TEST_MODELS"), {}, {.retry_delay = 1ms, .catalog = catalog_});
  ::setenv("HF_ENDPOINT", std::getenv("TEST_ENDPOINT"), 1);
  const auto installed = models.install(kId, {}, {});
  const std::string code = installed ? "OK" : std::string(error_code_name(installed.error().code));
  write(std::getenv("TEST_RESULT"), code);
}

ChildOptions another_process(const TestServer& server, const fs::path& own, const fs::path& result) {
  return {.argv = {fs::read_symlink("/proc/self/exe").string(), "--gtest_also_run_disabled_tests",
                   "--gtest_filter=Install.DISABLED_InAnotherProcess"},
          .environment = {"TEST_MODELS=" + own.string(), "TEST_ENDPOINT=" + server.address(),
                          "TEST_RESULT=" + result.string(), "PATH=/usr/bin:/bin"}};
}

TEST_F(Install, ProcessesInstallOnce) {
  TestServer server(serve_all);
  auto first = ChildProcess::start(another_process(server, own(), folder_ / "first"));
  auto second = ChildProcess::start(another_process(server, own(), folder_ / "second"));
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->wait().ok());
  EXPECT_TRUE(second->wait().ok());
  EXPECT_EQ(read(folder_ / "first"), "OK");
  EXPECT_EQ(read(folder_ / "second"), "OK");
  EXPECT_EQ(server.count("model.bin"), 1);
  EXPECT_TRUE(library(server).verify(*library(server).find(kId), {}));
}

TEST_F(Install, AKilledProcessLeavesItsPieceAndNoLock) {
  TestServer stuck([](const TestRequest& request) {
    TestResponse response = serve_all(request);
    if (request.path.ends_with("model.bin")) {
      response.break_after = 100'000;
      response.silent_after = true;
    }
    return response;
  });
  auto child = ChildProcess::start(another_process(stuck, own(), folder_ / "result"));
  ASSERT_TRUE(child);
  const auto part = own() / ".partial" / kId / "hub-0123456789ab" / "model.bin.part";
  std::error_code ignored;
  while (fs::file_size(part, ignored) != 100'000 && child->running() && !child->wait_for(5ms)) {
  }
  child->kill(SIGKILL);
  child->wait();
  TestServer server(serve_all);
  ASSERT_TRUE(library(server).install(kId, {}, {}));
  EXPECT_EQ(server.requests()[0].header("range"), "bytes=100000-");
}

TEST_F(Install, AFullDiskIsSaid) {
  TestServer server(serve_all);
  ChildOptions options = another_process(server, own(), folder_ / "result");
  options.limits.file_size_bytes = 150'000;
  auto child = ChildProcess::start(options);
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->wait().ok());
  EXPECT_EQ(read(folder_ / "result"), "INSUFFICIENT_STORAGE");
  EXPECT_FALSE(fs::exists(own() / kId));
}

}  // namespace
}  // namespace hansard::models
