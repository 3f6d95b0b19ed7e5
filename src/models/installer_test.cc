// Installs in the background, over a real HTTP server on the loopback.

#include "models/installer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <semaphore>

#include "base/test_server.h"
#include "models/test_models.h"

namespace hansard::models {
namespace {

using namespace std::chrono_literals;

const std::vector<Content> kContents{{"config.json", "{}"}, {"model.bin", noise(400'000, 7)}};

class InstallerTest : public testing::Test {
 protected:
  // Says how the installs of its models ended.
  struct Ends {
    std::counting_semaphore<> told{0};
    std::mutex mutex;
    std::vector<std::string> all;
    int progress = 0;

    Installer::Watcher watcher(const std::string& id) {
      return {[this](const InstallProgress&) {
                const std::lock_guard lock(mutex);
                ++progress;
              },
              [this, id](const Result<Installed>& installed) {
                const std::lock_guard lock(mutex);
                all.push_back(id + " " +
                              (installed ? "ready" : std::string(error_code_name(installed.error().code))));
                told.release();
              }};
    }
  };

  void SetUp() override { ::setenv("no_proxy", "*", 1); }

  static Model hub_model(const std::string& id) {
    Model model = catalog_model(id, kContents);
    model.sources.push_back({Source::From::hub, "someone/" + id + "@0123456789abcdef", {}, {}});
    return model;
  }
  static TestResponse serve_all(const TestRequest& request) {
    return serve(request, request.path.ends_with("model.bin") ? kContents[1].bytes : kContents[0].bytes,
                 "\"v1\"");
  }
  Library library(const TestServer& server) const {
    return Library(folder_ / "own", {},
                   {.endpoint = server.address(), .token = {}, .retry_delay = 1ms, .catalog = catalog_});
  }

  TemporaryFolder folder_;
  std::vector<Model> catalog_{hub_model("one"), hub_model("two")};
  Ends ends_;
};

TEST_F(InstallerTest, InstallsOneAfterTheOtherAndTellsHowFarAndHowItEnded) {
  TestServer server(serve_all);
  Library models = library(server);
  Installer installer(models);
  EXPECT_TRUE(installer.start("one", ends_.watcher("one")));
  EXPECT_TRUE(installer.start("two", ends_.watcher("two")));
  EXPECT_TRUE(installer.start("none", ends_.watcher("none")));
  for (int i = 0; i < 3; ++i) ends_.told.acquire();
  EXPECT_EQ(ends_.all, (std::vector<std::string>{"one ready", "two ready", "none MODEL_UNKNOWN"}));
  EXPECT_GE(ends_.progress, 2);
  EXPECT_TRUE(models.find("one"));
  EXPECT_TRUE(models.find("two"));
  EXPECT_FALSE(installer.cancel("one"));
}

TEST_F(InstallerTest, TheSameModelIsInstalledOnceAtATime) {
  std::counting_semaphore<> asked(0);
  std::counting_semaphore<> answer(0);
  TestServer server([&](const TestRequest& request) {
    if (request.path.ends_with("config.json")) {
      asked.release();
      answer.acquire();
    }
    return serve_all(request);
  });
  Library models = library(server);
  Installer installer(models);
  EXPECT_TRUE(installer.start("one", ends_.watcher("first")));
  asked.acquire();
  EXPECT_FALSE(installer.start("one", ends_.watcher("second")));
  answer.release();
  ends_.told.acquire();
  EXPECT_EQ(ends_.all, std::vector<std::string>{"first ready"});
}

TEST_F(InstallerTest, ACanceledInstallEndsAndGoesOnLater) {
  std::counting_semaphore<> asked(0);
  std::atomic<bool> hangs = true;
  TestServer server([&](const TestRequest& request) {
    TestResponse response = serve_all(request);
    if (hangs && request.path.ends_with("model.bin")) {
      response.break_after = 100'000;
      response.silent_after = true;
      asked.release();
    }
    return response;
  });
  Library models = library(server);
  Installer installer(models);
  ASSERT_TRUE(installer.start("one", ends_.watcher("one")));
  ASSERT_TRUE(installer.start("two", ends_.watcher("two")));
  asked.acquire();
  // The one that waits does not wait for the one in work.
  EXPECT_TRUE(installer.cancel("two"));
  EXPECT_TRUE(installer.cancel("one"));
  EXPECT_EQ(ends_.all, (std::vector<std::string>{"two CANCELED", "one CANCELED"}));
  EXPECT_FALSE(models.find("one"));
  hangs = false;
  ASSERT_TRUE(installer.start("one", ends_.watcher("again")));
  for (int i = 0; i < 3; ++i) ends_.told.acquire();
  EXPECT_EQ(ends_.all.back(), "again ready");
}

TEST_F(InstallerTest, ItsEndTellsNobody) {
  std::counting_semaphore<> asked(0);
  TestServer server([&](const TestRequest& request) {
    TestResponse response = serve_all(request);
    response.break_after = 1;
    response.silent_after = true;
    asked.release();
    return response;
  });
  Library models = library(server);
  {
    Installer installer(models);
    ASSERT_TRUE(installer.start("one", ends_.watcher("one")));
    asked.acquire();
  }
  EXPECT_TRUE(ends_.all.empty());
}

}  // namespace
}  // namespace hansard::models
