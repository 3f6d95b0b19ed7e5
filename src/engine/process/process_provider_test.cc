// The provider over an engine that fails as it is told. What it is asked to load is no model: an engine that
// answers so is alive.

#include "engine/process/process_provider.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

#include "base/temporary_folder.h"

namespace hansard::engine {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class EngineModel : public testing::Test {
 protected:
  EngineModel() {
    fs::copy_file(HANSARD_BINARY_DIR "/bin/chaos/hansard-engine", folder_ / "hansard-engine");
    std::ofstream(folder_ / "model.bin") << "no model";
    model_.id = "broken";
    model_.folder = folder_;
    model_.files = {{"model.bin", 8, ""}};
  }

  void order(const std::string& orders) const { std::ofstream(folder_ / "orders") << orders; }
  std::unique_ptr<Provider> open(ProcessOptions options = {}) const {
    options.program = folder_ / "hansard-engine";
    return make_process_provider(std::move(options));
  }
  ErrorCode load(Provider& provider, const std::stop_token& stop = {}) const {
    const Result<void> loaded = provider.prepare(model_, stop);
    return loaded ? ErrorCode::internal : loaded.error().code;
  }
  // The next request is answered, and by an engine that can answer: the one before was replaced.
  void expect_replaced(Provider& provider) const {
    fs::remove(folder_ / "orders");
    EXPECT_EQ(load(provider), ErrorCode::model_corrupt);
  }

  const TemporaryFolder folder_;
  models::Installed model_;
};

TEST_F(EngineModel, OneThatDiesIsReplaced) {
  const auto provider = open();
  order("load abort");
  EXPECT_EQ(load(*provider), ErrorCode::engine_crashed);
  expect_replaced(*provider);
}

TEST_F(EngineModel, OneThatHangsIsEndedAndReplaced) {
  const auto provider = open({.silence = 300ms});
  order("load hang");
  EXPECT_EQ(load(*provider), ErrorCode::engine_timeout);
  expect_replaced(*provider);
}

TEST_F(EngineModel, OneThatSwellsIsEndedAndReplaced) {
  const auto provider = open({.engine = {.memory_limit_bytes = 400'000'000}});
  order("load swell");
  EXPECT_EQ(load(*provider), ErrorCode::out_of_memory);
  expect_replaced(*provider);
}

TEST_F(EngineModel, OneThatHearsNoCancelIsEndedWithinTwoSeconds) {
  const auto provider = open();
  ASSERT_TRUE(provider->capabilities());
  for (const char* orders : {"load hang", "load stop"}) {
    fs::remove(folder_ / "orders.obeyed");
    order(orders);
    std::stop_source stop;
    Clock::time_point began;
    std::jthread canceler([&] {
      while (!fs::exists(folder_ / "orders.obeyed")) std::this_thread::sleep_for(1ms);
      began = Clock::now();
      stop.request_stop();
    });
    EXPECT_EQ(load(*provider, stop.get_token()), ErrorCode::canceled);
    canceler.join();
    EXPECT_LT(Clock::now() - began, 2s) << orders;
    expect_replaced(*provider);
  }
}

TEST_F(EngineModel, OneThatHasNothingToDoEndsAndIsClearedAway) {
  std::optional<std::pair<pid_t, bool>> ended;
  const auto provider =
      open({.idle_timeout = 1s, .on_end = [&](pid_t pid, bool died) { ended = {pid, died}; }});
  ASSERT_TRUE(provider->capabilities());
  const auto end = Clock::now() + 20s;
  for (; !ended && Clock::now() < end; std::this_thread::sleep_for(5ms)) provider->tidy();
  ASSERT_TRUE(ended);
  EXPECT_FALSE(ended->second);
  EXPECT_EQ(::kill(ended->first, 0), -1);  // reaped
  expect_replaced(*provider);
}

TEST_F(EngineModel, OneThatIsNotThereIsAnError) {
  ProcessOptions options;
  options.program = folder_ / "none";
  EXPECT_FALSE(make_process_provider(options)->capabilities());
}

}  // namespace
}  // namespace hansard::engine
